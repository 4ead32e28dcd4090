#!/usr/bin/env bash
# Trains the suite for Gemma 3 270M in one pass of the model: the reference corpus (scripts/corpus.sh), then
# `gscope suite build`. Stopped, it goes on where it was when run again.
#   RECIPE=recipes/suite-270m.json   which suite
#   OUTPUT=suites/gemma-3-270m       where to
#   TOKENS=                          activations for each dictionary, instead of the recipe's
source "$(dirname "$0")/common.sh"

recipe="${RECIPE:-recipes/suite-270m.json}"
output="${OUTPUT:-suites/gemma-3-270m}"
model="${GSCOPE_MODEL:-models/gemma-3-270m-q4_k_m.gguf}"

[ -e "$model" ] || scripts/fetch-model.sh
[ -f .cache/corpus/train.jsonl.gz ] || scripts/corpus.sh
step "Building the suite $recipe in $output"
.build/release/gscope suite build "$recipe" --model "$model" \
  --corpus .cache/corpus/train.jsonl.gz --heldout .cache/corpus/heldout.jsonl.gz \
  --output "$output" --compact --resume --plot ${TOKENS:+--tokens "$TOKENS"}
du -sh "$output"
