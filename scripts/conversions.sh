#!/usr/bin/env bash
# Converts dictionaries, loads them in the tools that they were written for and compares reconstructions
# (Tools/check_conversions.py): SAELens, sparsify, and the compact form, which has no other reader. The first run installs
# the tools into .venv; circuit-tracer needs an environment of its own (Tools/README.md). Arguments go to the Python script.
source "$(dirname "$0")/common.sh"

need_python Tools/requirements-conversions.txt
step "Loading converted dictionaries"
.venv/bin/python Tools/check_conversions.py --gscope .build/release/gscope \
  --peers gemma-scope-2,sae-lens,sparsify,compact "$@"
