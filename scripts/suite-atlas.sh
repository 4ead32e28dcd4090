#!/usr/bin/env bash
# Makes the packed atlas of the suite anew: text that may be passed on (Tools/make_atlas_text.py), one pass of the model
# over it, labels by rules with their scores, packing. It takes about 17 minutes of processor time, and the making of the
# reference corpus where that is missing. Stopped, it goes on where it was when run again.
#   SUITE=suites/gemma-3-270m    which suite
#   TOKENS=260000                tokens to count
source "$(dirname "$0")/common.sh"

suite="${SUITE:-suites/gemma-3-270m}"
model="${GSCOPE_MODEL:-models/gemma-3-270m-q4_k_m.gguf}"
work=.cache/atlas-text
gscope=.build/release/gscope

[ -e "$model" ] || scripts/fetch-model.sh
[ -f .cache/corpus/train.jsonl.gz ] || scripts/corpus.sh
need_python Tools/requirements-corpus.txt
step "Drawing the text"
.venv/bin/python Tools/make_atlas_text.py --corpus .cache/corpus --output "$work" >"$work.log"
step "Building the atlas of $suite"
"$gscope" atlas build --model "$model" --dictionary "$suite" --corpus "$work/text.jsonl.gz" \
  --tokens "${TOKENS:-260000}" --output "$work/atlas.sqlite"
step "Labelling its features"
"$gscope" explain "$work/atlas.sqlite" --lexical
step "Packing it"
mkdir -p "$suite/atlas"
"$gscope" atlas export "$work/atlas.sqlite" --to packed --output "$suite/atlas/atlas.gsatlas" \
  --top 5 --per-interval 1 --logits 5 --coactive 3 --pool 16 --bars 4
cp "$work/manifest.json" "$suite/atlas/manifest.json"
ls -l "$suite/atlas"
