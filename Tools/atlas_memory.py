"""Memory of `gscope atlas build` over more and more tokens, as a Markdown table.

    python Tools/atlas_memory.py --gscope .build/release/gscope --corpus .cache/corpus/train.jsonl.gz [--tokens 100000 2000000]

The model is the tests' tiny one, so that millions of tokens take a minute and its own memory is next to nothing; with
--model and --dictionary any other. Anonymous memory (RssAnon of /proc) is sampled twice a second; mapped files are left out.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

TINY = Path(__file__).parent.parent / "Tests" / "Fixtures" / "gemma" / "causal"
WIDTH, THRESHOLD = 2048, 5.5  # about 60 features a token


def tiny_dictionary(folder: Path) -> Path:
    """An SAE of random weights at layer 1."""
    d = json.loads((TINY / "config.json").read_text())["hidden_size"]
    encoder = (np.random.default_rng(0).standard_normal((d, WIDTH)) / np.sqrt(d)).astype(np.float32)
    folder = folder / "resid_post" / "layer_1_width_2k_l0_60"
    folder.mkdir(parents=True)
    save_file({"w_enc": encoder, "b_enc": np.zeros(WIDTH, np.float32), "w_dec": np.ascontiguousarray(encoder.T),
               "threshold": np.full(WIDTH, THRESHOLD, np.float32), "b_dec": np.zeros(d, np.float32)},
              folder / "params.safetensors")  # fmt: skip
    point = "model.layers.1.output"
    (folder / "config.json").write_text(json.dumps({
        "hf_hook_point_in": point, "hf_hook_point_out": point, "width": WIDTH, "model_name": "tiny", "type": "sae",
        "architecture": "jump_relu", "l0": 60, "affine_connection": False}))  # fmt: skip
    return folder


def measure(command: list) -> tuple[list[float], float]:
    """Samples of anonymous memory in MB, and seconds."""
    process, start, samples = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL), time.time(), []
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        if found := re.search(r"RssAnon:\s+(\d+)", status):
            samples.append(int(found[1]) / 1024)
        time.sleep(0.5)
    if process.wait():
        sys.exit(f"failed: {command}")
    return samples, time.time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gscope", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=TINY)
    parser.add_argument("--dictionary", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[100_000, 500_000, 2_000_000])
    options = parser.parse_args()
    print("| tokens | peak anonymous memory | median of the last half | file | seconds |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        dictionary = options.dictionary or tiny_dictionary(Path(folder))
        for tokens in options.tokens:
            atlas = Path(folder) / f"{tokens}.sqlite"
            samples, seconds = measure([options.gscope, "atlas", "build", "--model", options.model, "--dictionary",
                                        dictionary, "--corpus", options.corpus, "--tokens", tokens, "--output", atlas])  # fmt: skip
            print(f"| {tokens:,} | {max(samples):.0f} MB | {np.median(samples[len(samples) // 2:]):.0f} MB | "
                  f"{atlas.stat().st_size / 1e6:.1f} MB | {seconds:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
