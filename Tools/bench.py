"""Runs gscope and its peers side by side and prints the ratios as Markdown.

    python Tools/bench.py --gguf model.gguf --hf folder-fp32 [--hf-bf16 folder] [--threads N] [--rounds 3] [--only WORD]

For every comparison gscope and the peers take turns, `--rounds` times; the median of the rounds counts, so that a slow
spell of a shared machine hits all of them. Peers are measured by bench_peers.py, gscope by the gscope-bench executable.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from corpus import speeches


@dataclass
class Comparison:
    """One row: gscope's command and value, and the peers' benchmark and result names with the ratio to reach."""

    label: str
    unit: str
    command: list[str]
    key: str
    peers: list[tuple[str, str, str, float | None]]  # benchmark, result name, peer, target ratio
    lower_is_better: bool = False
    ours: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    theirs: dict[str, list[float]] = field(default_factory=dict)
    their_memory: dict[str, float] = field(default_factory=dict)


def comparisons(options, text: Path) -> list[Comparison]:
    gguf = ["--model", str(options.gguf)]
    rows = [
        Comparison(f"GEMM {m}×{k}×{n}, {kind} weights", "GF/s", ["gemm", str(m), str(n), str(k)], f"{kind}_gflops",
                   [("openblas", f"sgemm {m}x{k}x{n}", "OpenBLAS", 0.9)])
        for m, k, n in [(2048, 2048, 2048), (1024, 640, 2048), (4096, 640, 16384)] for kind in ("fp32", "bf16")
    ]  # fmt: skip
    rows += [
        Comparison("matrix–vector, fp32 weights", "GB/s", ["matvec"], "fp32_gbytes",
                   [("memory_bandwidth", "memory read", "memory read", 0.7)]),
        Comparison("first token from GGUF", "s", ["load", *gguf], "first_token_seconds",
                   [("llama_load", "load with tokenizer, first token", "llama.cpp", None),
                    ("transformers_load", "load, first token", "transformers fp32", None)], lower_is_better=True),
        Comparison("prefill 1,024 tokens, GGUF", "tok/s", ["prefill", *gguf], "tokens_per_second",
                   [("transformers_prefill", "prefill 1024", "transformers fp32", 1.3),
                    ("llama_prefill", "prefill 1024", "llama.cpp", 1.6)]),
        Comparison("decode 64 after 256, GGUF", "tok/s", ["decode", *gguf], "tokens_per_second",
                   [("transformers_decode", "decode 64 after 256", "transformers fp32", 6.0),
                    ("llama_decode", "decode 64 after 256", "llama.cpp", 1.0)]),
        Comparison("harvest resid_post.9, 8 × 256", "tok/s", ["harvest", *gguf], "tokens_per_second",
                   [("transformers_harvest", "harvest resid_post.9", "transformers fp32", 1.3)]),
        Comparison("encode + decode, width 16k, L0 60", "tok/s", ["dictionary", "--tokens", "2048"], "tokens_per_second",
                   [("torch_dictionary", "encode + decode 16k", "PyTorch dense", 1.8)]),
        Comparison("train step JumpReLU, 16k, batch 4,096, L0 60", "s", ["train"], "seconds_per_step",
                   [("torch_train", "train step JumpReLU 16k", "PyTorch dense", 6.0)], lower_is_better=True),
        Comparison("train step BatchTopK, 16k, batch 4,096, L0 60", "s", ["train", "--batch-top-k"],
                   "seconds_per_step",
                   [("torch_train", "train step BatchTopK 16k", "PyTorch dense", 6.0)], lower_is_better=True),
        Comparison("tokenise English, one thread", "MB/s",
                   ["tokenize", "--tokenizer", str(options.gguf), "--text", str(text)], "mbytes_per_second",
                   [("tokenizers", "tokenise, 1 thread", "tokenizers", None)]),
    ]  # fmt: skip
    if options.hf_bf16:
        bf16 = ["--model", str(options.hf_bf16)]
        rows += [
            Comparison("decode 64 after 256, bf16", "tok/s", ["decode", *bf16], "tokens_per_second",
                       [("transformers_decode", "decode 64 after 256", "transformers fp32", 3.0)]),
            Comparison("first token from bf16 safetensors", "s", ["load", *bf16], "first_token_seconds",
                       [("transformers_load", "load, first token", "transformers fp32", None)], lower_is_better=True),
            Comparison("prefill 1,024 tokens, bf16", "tok/s", ["prefill", *bf16], "tokens_per_second",
                       [("transformers_prefill", "prefill 1024", "transformers fp32", 1.3)]),
        ]  # fmt: skip
    return [row for row in rows if not options.only or options.only in row.label]


def gscope(options, command: list[str]) -> dict:
    run = [str(options.bench), *command, "--threads", str(options.threads), "--repeats", "3"]
    return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)


def peer(options, benchmark: str) -> list[dict]:
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        command = [
            sys.executable, str(Path(__file__).with_name("bench_peers.py")), "--gguf", str(options.gguf), "--hf",
            str(options.hf), "--threads", str(options.threads), "--repeats", "3", "--only", benchmark, "--output",
            output.name, "--cache", str(options.cache),
        ]  # fmt: skip
        subprocess.run(command, check=True)
        return json.load(open(output.name))["results"]


def measure(options, rows: list[Comparison]) -> None:
    """Rows that share a command or a peer benchmark are measured together."""
    for round_number in range(options.rounds):
        ours: dict[str, dict] = {}
        theirs: dict[str, list[dict]] = {}
        for row in rows:
            key = " ".join(row.command)
            if key not in ours:
                print(f"round {round_number + 1}: gscope-bench {key}", file=sys.stderr)
                ours[key] = gscope(options, row.command)
            row.ours.append(ours[key][row.key])
            row.memory.append(ours[key]["peak_bytes"] / 1e6)
            for benchmark, name, label, _ in row.peers:
                if benchmark not in theirs:
                    print(f"round {round_number + 1}: {benchmark}", file=sys.stderr)
                    theirs[benchmark] = peer(options, benchmark)
                for result in theirs[benchmark]:
                    if result.get("name") == name and "median" in result:
                        row.theirs.setdefault(label, []).append(result["median"])
                        row.their_memory[label] = result.get("peak_rss_mb", 0)


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU"
    )
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    vector = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{model}, {os.cpu_count()} cores, {vector}, {memory:.0f} GB"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(options, rows: list[Comparison]) -> str:
    lines = [
        f"Machine: {machine()}; {options.threads} threads; medians of {options.rounds} rounds taken in turns.",
        "",
        "| work | gscope | peer | | ratio | target | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours = statistics.median(row.ours)
        for _, _, label, target in row.peers:
            if label not in row.theirs:
                lines.append(f"| {row.label} | {number(ours)} {row.unit} | {label} | not measured | | | |")
                continue
            theirs = statistics.median(row.theirs[label])
            ratio = theirs / ours if row.lower_is_better else ours / theirs
            goal = "" if target is None else f"≥ {target:g}× {'met' if ratio >= target else 'MISSED'}"
            lines.append(
                f"| {row.label} | {number(ours)} {row.unit} | {label} | {number(theirs)} {row.unit} | {ratio:.2f}× "
                f"| {goal} | {statistics.median(row.memory):,.0f} / {row.their_memory[label]:,.0f} MB |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True, help="the model for gscope and llama.cpp")
    parser.add_argument("--hf", type=Path, required=True, help="the same weights as an fp32 folder (export_hf.py)")
    parser.add_argument("--hf-bf16", type=Path, help="the same as a bf16 folder, for gscope")
    parser.add_argument("--bench", type=Path, default=Path(".build/release/gscope-bench"))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="rows whose label holds this")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder for the downloaded text")
    options = parser.parse_args()
    text = options.cache / "bench-text.txt"
    options.cache.mkdir(parents=True, exist_ok=True)
    text.write_text("\n".join(speeches(options.cache)[-40:]))
    rows = comparisons(options, text)
    measure(options, rows)
    print(table(options, rows))


if __name__ == "__main__":
    main()
