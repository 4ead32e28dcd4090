#!/usr/bin/env bash
# Measures gscope and its peers side by side (Tools/bench.py says how) and prints the table of docs/benchmarks.md.
# The first run installs the peers into .venv (llama.cpp is compiled, about ten minutes) and exports the model to
# Hugging Face folders for transformers (two minutes, 1.7 GB in .cache); the suite trains on the reference corpus
# (scripts/corpus.sh).
source "$(dirname "$0")/common.sh"

need_packages libopenblas0-pthread g++ cmake
need_python Tools/requirements.txt
need_python Tools/requirements-peers.txt
need_python Tools/requirements-training-peers.txt
# Without what it asks for: see the requirements.
.venv/bin/python -m pip show -qq dictionary-learning || .venv/bin/python -m pip install -q --no-deps dictionary-learning==0.1.0
scripts/fetch-model.sh
gguf=${GSCOPE_MODEL:-models/gemma-3-270m-q4_k_m.gguf}
if [ ! -e .cache/hf-fp32/config.json ] || [ ! -e .cache/hf-bf16/config.json ]; then
  step "Exporting the model for transformers"
  .venv/bin/python Tools/export_hf.py "$gguf" --fp32 .cache/hf-fp32 --bf16 .cache/hf-bf16
fi
[ -f .cache/corpus/train.jsonl.gz ] || scripts/corpus.sh
swift build -c release --product gscope-bench
swift build -c release --product gscope
.venv/bin/python Tools/bench.py --gguf "$gguf" --hf .cache/hf-fp32 --hf-bf16 .cache/hf-bf16 "$@"
