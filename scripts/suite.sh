#!/usr/bin/env bash
# Trains a suite for Gemma 3 270M in one pass of the model: the reference corpus (scripts/corpus.sh), then
# `gscope suite build`. Stopped, it goes on where it was when run again. The suite that comes with the repository is
# finished, so a new one is built beside it and not in its place.
#   RECIPE=recipes/suite-270m.json   which suite
#   OUTPUT=.cache/NAME               where to; NAME is the recipe's file name
#   TOKENS=                          activations for each dictionary, instead of the recipe's
# Arguments go to `gscope suite build`, such as --heldout-tokens 4096 --loss-tokens 0.
source "$(dirname "$0")/common.sh"

shipped=suites/gemma-3-270m
recipe="${RECIPE:-recipes/suite-270m.json}"
output="${OUTPUT:-.cache/$(basename "$recipe" .json)}"
model="${GSCOPE_MODEL:-models/gemma-3-270m-q4_k_m.gguf}"

[ -e "$model" ] || scripts/fetch-model.sh
[ -f .cache/corpus/train.jsonl.gz ] || scripts/corpus.sh
step "Building the suite $recipe in $output"
.build/release/gscope suite build "$recipe" --model "$model" \
  --corpus .cache/corpus/train.jsonl.gz --heldout .cache/corpus/heldout.jsonl.gz \
  --output "$output" --compact --resume --plot ${TOKENS:+--tokens "$TOKENS"} "$@"

step "The suite is in $output ($(du -sh "$output" | cut -f1))"
first=$(grep -o '"path":"[^"]*"' "$output/suite.json" | head -n 1 | cut -d '"' -f 4)
echo "use it:      .build/release/gscope features --dictionary $output/$first --text 'The Eiffel Tower is in'"
# Only dictionaries of the same names can replace the shipped ones, whose atlas then tells of features that are gone.
if [ "$recipe" = recipes/suite-270m.json ] && [ "$output" != "$shipped" ]; then
  echo "ship it:     cp -r $output/. $shipped && make suite-atlas"
fi
echo "begin anew:  rm -r $output, and run this again"
