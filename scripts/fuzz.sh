#!/usr/bin/env bash
# Fuzzes the readers of untrusted files with libFuzzer and AddressSanitizer for SECONDS_EACH seconds each:
# all of them, or those that are named (scripts/fuzz.sh FuzzGzip).
source "$(dirname "$0")/common.sh"

seconds=${SECONDS_EACH:-60}
export GSCOPE_FUZZ=1
# SwiftPM passes only the last of several --sanitize flags on, and dead-stripping would drop the coverage counters.
flags=(-c release --scratch-path .build-fuzz --sanitize fuzzer -Xswiftc -sanitize=fuzzer,address --disable-dead-strip)
mkdir -p .build-fuzz/scratch
TMPDIR=$(cd .build-fuzz/scratch && pwd)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
readers=(FuzzSafetensors FuzzGGUF FuzzNPZ FuzzGzip FuzzTokenizer FuzzConfiguration FuzzDictionary FuzzRecipe FuzzExamples
  FuzzPacked)
for target in "${@:-${readers[@]}}"; do
  step "$target for $seconds s"
  swift build "${flags[@]}" --product "$target"
  corpus=.build-fuzz/corpus/$target
  mkdir -p "$corpus"
  seeds=()
  [ -d "Fuzz/$target/Seeds" ] && seeds=("Fuzz/$target/Seeds")
  ".build-fuzz/release/$target" -max_total_time="$seconds" -rss_limit_mb=4096 -artifact_prefix=".build-fuzz/$target-" \
    "$corpus" "${seeds[@]}"
done
