#!/usr/bin/env bash
# Expands the atlas that came with a suite into .cache/atlas, once for each version of it, and prints where it is.
source "$(dirname "$0")/common.sh"

packed="${1:-suites/gemma-3-270m/atlas/atlas.gsatlas}"
model="${GSCOPE_MODEL:-models/gemma-3-270m-q4_k_m.gguf}"
hash=$( (sha256sum "$packed" 2>/dev/null || shasum -a 256 "$packed") | cut -c1-16)
atlas=".cache/atlas/$hash.sqlite"
if [ ! -f "$atlas" ]; then
  mkdir -p .cache/atlas
  .build/release/gscope atlas import "$packed" --model "$model" --output "$atlas" >&2
fi
echo "$atlas"
