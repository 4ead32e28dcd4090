"""Compares gscope with transformers on the real model and prints a Markdown table.

    python Tools/parity.py --model model.gguf --gscope .build/release/gscope [--reference-cache reference.safetensors]

transformers dequantises the GGUF to fp32 and runs eager attention; a Hugging Face folder works as well. Loading a GGUF
that way takes a minute and 5 GB, so the reference results can be kept in a file. Compared: logits of every position of
short texts, perplexity over real text in windows longer than the sliding window, token ids, greedy continuations.
Exits with 1 when a row is outside its limit.
"""

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from transformers import AutoTokenizer, Gemma3ForCausalLM

from corpus import speeches
from export_hf import load_gguf

TEXTS = {
    "prose": "The committee met on Tuesday to consider whether the old bridge should be repaired or replaced.",
    "code": "def mean(values):\n    total = 0\n    for v in values:\n"
    "        total += v\n    return total / len(values)\n",
    "scripts": "Die Straße war naß. 東京は日本の首都です。 Москва — столица России. القاهرة",
    "marks": "3.14159 × 2 = 6.28318 … 🙂👩‍👩‍👧  two  spaces\tand a tab\r\n",
    "turns": "<start_of_turn>user\nName three rivers.<end_of_turn>\n<start_of_turn>model\n",
}
GREEDY = 32
WINDOW, WINDOWS = 1024, 4
TOKENISED = 400_000  # characters of real text whose ids are compared
LIMITS = {"logit": 1e-3, "perplexity": 1e-4}


def load_reference(path: Path):
    if path.is_file():
        return load_gguf(path), AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = Gemma3ForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager")
    return model.eval(), AutoTokenizer.from_pretrained(path)


@torch.no_grad()
def window_loss(model, ids: torch.Tensor) -> float:
    """Mean nats of ids[1:], with the head applied to slices so that the logits stay small."""
    hidden = model.model(ids[None]).last_hidden_state[0, :-1]
    pairs = zip(hidden.split(128), ids[1:].split(128))
    losses = [torch.nn.functional.cross_entropy(model.lm_head(h), t, reduction="none") for h, t in pairs]
    return torch.cat(losses).double().mean().item()


@torch.no_grad()
def continuation(model, ids: torch.Tensor) -> np.ndarray:
    cache, step, result = None, ids[None], []
    for _ in range(GREEDY):
        output = model(step, past_key_values=cache, use_cache=True)
        cache, step = output.past_key_values, output.logits[:, -1:].argmax(-1)
        result.append(step.item())
    return np.array(result, dtype=np.int32)


def corpus_text(cache: Path) -> str:
    return "\n\n".join(speeches(cache)[-40:])[:TOKENISED]


@torch.no_grad()
def reference(model_path: Path, text: str) -> dict[str, np.ndarray]:
    model, tokenizer = load_reference(model_path)
    result = {}
    for name, sample in TEXTS.items():
        ids = torch.tensor(tokenizer(sample)["input_ids"])
        result[f"{name}.ids"] = ids.int().numpy()
        result[f"{name}.logits"] = model(ids[None]).logits[0].numpy()
        result[f"{name}.greedy"] = continuation(model, ids)
    ids = torch.tensor(tokenizer(text)["input_ids"])
    result["corpus.ids"] = ids.int().numpy()
    body, step = ids[1:], WINDOW - 1
    windows = [torch.cat([ids[:1], body[i * step : (i + 1) * step]]) for i in range(WINDOWS)]
    result["windows"] = torch.stack(windows).int().numpy()
    result["window_losses"] = np.array([window_loss(model, window) for window in windows])
    return result


def fingerprint(model: Path) -> list:
    """Tells models apart without reading them whole: name, size, first and last megabyte of every file of weights."""
    files = [model] if model.is_file() else sorted([*model.glob("*.safetensors"), model / "config.json"])
    parts = []
    for path in files:
        size = path.stat().st_size
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read(1 << 20))
        parts.append([path.name, size, digest.hexdigest()])
    return parts


def cached_reference(model: Path, text: str, cache: Path | None) -> dict[str, np.ndarray]:
    """The reference results, from `cache` when it was made with the same weights, texts and settings."""
    settings = json.dumps([fingerprint(model), text, TEXTS, GREEDY, WINDOW, WINDOWS])
    stamp = hashlib.sha256(settings.encode()).hexdigest()
    if cache and cache.exists():
        with safe_open(cache, "np") as file:
            if (file.metadata() or {}).get("stamp") == stamp:
                return load_file(cache)
    expected = reference(model, text)
    if cache:
        save_file(expected, cache, metadata={"stamp": stamp})
    return expected


class Gscope:
    def __init__(self, binary: Path, model: Path, scratch: Path):
        self.binary, self.model, self.scratch = binary, model, scratch

    def run(self, command: str, *arguments: str) -> str:
        line = [str(self.binary), command, "--model", str(self.model), *arguments]
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(line[:4])} … failed ({done.returncode}):\n{done.stderr}")
        return done.stdout

    def json(self, command: str, *arguments: str) -> dict:
        return json.loads(self.run(command, *arguments, "--json"))

    def ids(self, text: str) -> np.ndarray:
        path = self.scratch / "text.txt"
        path.write_bytes(text.encode())
        return np.array([token["id"] for token in self.json("tokenize", "--file", str(path))["tokens"]])

    def logits(self, ids: np.ndarray) -> np.ndarray:
        path = self.scratch / "logits.safetensors"
        self.run("logits", "--tokens", listed(ids), "--positions", "all", "--save", str(path))
        return load_file(path)["logits"]

    def loss(self, ids: np.ndarray) -> float:
        return self.json("logits", "--tokens", listed(ids), "--positions", "last")["loss"]

    def greedy(self, ids: np.ndarray) -> np.ndarray:
        options = ("--max-tokens", str(GREEDY), "--temperature", "0")
        return np.array([token["id"] for token in self.json("generate", "--tokens", listed(ids), *options)["tokens"]])


def listed(ids: np.ndarray) -> str:
    return ",".join(map(str, ids.tolist()))


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return x - np.logaddexp.reduce(x, axis=-1, keepdims=True)


def compare(gscope: Gscope, expected: dict[str, np.ndarray], text: str):
    """Rows (check, result, limit, passed)."""
    for name in TEXTS:
        ids, wanted = expected[f"{name}.ids"], expected[f"{name}.logits"]
        got = gscope.logits(ids)
        worst = np.abs(got - wanted).max()
        logprob = np.abs(log_softmax(got) - log_softmax(wanted)).max()
        result = f"logit {worst:.1e}, log-probability {logprob:.1e}"
        label, limit = f"largest difference, {name} ({len(ids)} tokens)", LIMITS["logit"]
        yield label, result, f"{limit:.0e}", worst <= limit
    for name in TEXTS:
        wanted = expected[f"{name}.greedy"]
        got = gscope.greedy(expected[f"{name}.ids"])
        wanted = wanted[: int(np.argmax(wanted == 1))] if (wanted == 1).any() else wanted  # gscope stops at <eos>
        same = int(np.argmin(np.append(got[: len(wanted)] == wanted[: len(got)], False)))
        yield f"greedy continuation, {name}", f"{same} of {len(wanted)} tokens equal", "all", same == len(wanted)
    for name, sample in (TEXTS | {"corpus": text}).items():
        wanted, got = expected[f"{name}.ids"], gscope.ids(sample)
        equal = np.array_equal(wanted, got)
        yield f"token ids, {name}", f"{len(wanted)} ids " + ("equal" if equal else "DIFFER"), "equal", equal
    ours = np.mean([gscope.loss(window) for window in expected["windows"]])
    theirs = expected["window_losses"].mean()
    relative = abs(math.exp(ours - theirs) - 1)
    result = f"gscope {math.exp(ours):.4f}, transformers {math.exp(theirs):.4f}"
    label = f"perplexity, {WINDOWS} windows of {WINDOW} tokens"
    yield label, result, f"{LIMITS['perplexity']:.0e} relative", relative <= LIMITS["perplexity"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF or a Hugging Face folder")
    parser.add_argument("--gscope", type=Path, default=Path(".build/release/gscope"))
    parser.add_argument("--reference-cache", type=Path, help="file that keeps the reference results")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder for the downloaded text")
    arguments = parser.parse_args()

    text = corpus_text(arguments.cache)
    expected = cached_reference(arguments.model.resolve(), text, arguments.reference_cache)
    if not arguments.gscope.exists():
        raise SystemExit(f"no gscope at {arguments.gscope}: build it first")

    failed = False
    print("| check | result | limit | |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        gscope = Gscope(arguments.gscope.resolve(), arguments.model.resolve(), Path(scratch))
        for check, result, limit, passed in compare(gscope, expected, text):
            failed |= not passed
            print(f"| {check} | {result} | {limit} | {'ok' if passed else '**fails**'} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
