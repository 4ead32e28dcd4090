#!/usr/bin/env bash
# Builds the C kernels for 64-bit ARM, runs them under qemu, and compares NEON with scalar code.
source "$(dirname "$0")/common.sh"

need_packages qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step "Compiling for aarch64"
for source in Sources/CKernels/*.c Tests/CrossCheck/*.c; do
  "$clang" --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -std=gnu11 -O2 -pthread \
    -ISources/CKernels -ISources/CKernels/include -c "$source" -o "$work/${source//\//-}.o"
done
aarch64-linux-gnu-gcc -static "$work"/*.o -o "$work/compare" -lm -lpthread
step "Comparing under qemu"
qemu-aarch64 "$work/compare"
