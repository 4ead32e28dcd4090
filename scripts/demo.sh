#!/usr/bin/env bash
# Shows the real thing on a real sentence.
source "$(dirname "$0")/common.sh"

gscope=.build/release/gscope
export GSCOPE_MODEL=${GSCOPE_MODEL:-models/gemma-3-270m-q4_k_m.gguf}
sentence=${1:-"The Eiffel Tower stands in the city of"}

show() { printf '\n\033[1m$ gscope'; printf ' %q' "$@"; printf '\033[0m\n'; "$gscope" "$@"; }

show info "$GSCOPE_MODEL"
show tokenize --text "$sentence"
show lens --text "$sentence" --top-k 4
show logits --text "$sentence" --positions last --top-k 5

# What every feature of the suite was seen to do: the atlas that came with it, expanded the first time. Where there is
# one, a demo that cannot expand it has failed.
packed=suites/gemma-3-270m/atlas/atlas.gsatlas
if [ -f "$packed" ]; then
  atlas=$(scripts/expand-atlas.sh "$packed")
  show features --dictionary suites/gemma-3-270m/resid_post/layer_12_width_2k_l0_60 --text "$sentence" --top-k 3 \
    --atlas "$atlas"
  show atlas search "$atlas" --text "$sentence" --top-k 8
  # One that fires seldom has something to tell; sed takes the last that it meets.
  feature=$("$gscope" atlas search "$atlas" --dictionary resid_post/layer_12_width_2k_l0_60 --text "$sentence" \
    --top-k 2 --max-rate 0.002 --json | sed -E 's/.*"dictionary":"([^"]*)","index":([0-9]+).*/\1#\2/')
  show atlas show "$atlas" "$feature" --examples 4
  show atlas search "$atlas" --words 'city' --top-k 5
else
  show features --dictionary suites/gemma-3-270m/resid_post/layer_9_width_2k_l0_60 --text "$sentence" --top-k 5
fi
show generate --text "$sentence" --max-tokens 32 --temperature 0.7 --top-p 0.9 --seed 3
