"""Writes what transformers computes with the real Gemma 3 270M: Tests/Fixtures/gemma/real-270m.json.

    python Tools/make_real_fixture.py folder-fp32

`folder-fp32` is the export of the GGUF that `make demo` fetches (export_hf.py). The texts are ordinary English, code,
another script, and one longer than the sliding window, so that cached and windowed attention are met at full size.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, Gemma3ForCausalLM

OUTPUT = Path(__file__).resolve().parent.parent / "Tests/Fixtures/gemma/real-270m.json"
TEXTS = {
    "english": "The Eiffel Tower stands in the city of",
    "code": "def mean(values):\n    total = 0\n    for v in values:\n        total += v\n    return",
    "russian": "Столица России — это",
    "window": " ".join(f"Item {i} costs {(i * 37) % 101} coins." for i in range(90)),
}
GREEDY = 24


@torch.no_grad()
def results(model, tokenizer, text: str) -> dict:
    ids = tokenizer(text, return_tensors="pt").input_ids
    output = model(ids, output_hidden_states=True)
    logprobs = output.logits[0].log_softmax(-1)
    following = logprobs[:-1].gather(1, ids[0, 1:, None])[:, 0]
    top = logprobs[-1].topk(5)
    greedy = model.generate(ids, max_new_tokens=GREEDY, do_sample=False)[0, ids.shape[1] :]
    # The norm of each row of the residual stream after layer 9: <bos> stands far out.
    norms = output.hidden_states[10][0].norm(dim=-1)
    return {
        "text": text,
        "tokens": ids[0].tolist(),
        "logprobs": [round(x, 6) for x in following.tolist()],
        "top": [[int(i), round(float(v), 6)] for v, i in zip(*top)],
        "greedy": greedy.tolist(),
        "resid_post_9_norms": [round(x, 3) for x in norms.tolist()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    model = Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    model.generation_config.eos_token_id = []
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fixture = {"fixture": "gemma-real", "version": "1", "model": "gemma-3-270m-q4_k_m.gguf"}
    fixture["prompts"] = {name: results(model, tokenizer, text) for name, text in TEXTS.items()}
    OUTPUT.write_text(json.dumps(fixture, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
