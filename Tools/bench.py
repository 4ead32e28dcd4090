"""Runs gscope and its peers side by side and prints the ratios as Markdown.

    python Tools/bench.py --gguf model.gguf --hf folder-fp32 [--hf-bf16 folder] [--threads N] [--rounds 3] [--only WORD]

For every comparison gscope and the peers take turns, `--rounds` times; the median of the rounds counts, so that a slow
spell of a shared machine hits all of them. Peers are measured by bench_peers.py, gscope by the gscope-bench executable;
training a suite by `gscope suite build` itself (bench_suite.py), where the reference corpus is.

Shares of what the machine can do:
- prefill as GFLOP/s against OpenBLAS's sgemm: two operations for each weight in the blocks and row, four times the head
  width for each query and position it sees; the last block's output projection and MLP count for the one row that goes
  through them; norms, activation functions and the unembedding of the last row are left out (ModelWork.swift);
- decode as GB/s against reading memory: every weight as stored, once a token, and the keys and values seen.
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

import bench_suite
from corpus import speeches


@dataclass
class Comparison:
    """One row: gscope's command and value, the peers' benchmark and result names with the ratio to reach, or a limit of
    its own that the value has to keep to."""

    label: str
    unit: str
    command: list[str]
    key: str
    peers: list[tuple[str, str, str, float | None]]  # benchmark, result name, peer, target ratio
    lower_is_better: bool = False
    limit: float | None = None
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
    transformers, llama, blas = "transformers fp32", "llama.cpp", ("openblas", "sgemm 1024x640x2048")
    memory = ("memory_bandwidth", "memory read", "memory read")
    loading = [("llama_load", "load with tokenizer, first token", llama, None),
               ("transformers_load", "load with tokenizer, first token", transformers, None)]  # fmt: skip
    prefill = ("transformers_prefill", "prefill 1024", transformers, 1.3)
    decode = ("transformers_decode", "decode 64 after 256", transformers)
    harvest = ["harvest", *gguf, "--dictionaries", "22"]
    tokenise = ["tokenize", "--tokenizer", str(options.gguf), "--text", str(text)]
    rows += [
        Comparison("matrix–vector, fp32 weights", "GB/s", ["matvec"], "fp32_gbytes", [(*memory, 0.7)]),
        *first_token("GGUF", gguf, loading),
        Comparison("prefill 1,024 tokens, GGUF", "tok/s", ["prefill", *gguf], "tokens_per_second",
                   [prefill, ("llama_prefill", "prefill 1024", llama, 1.6)]),
        Comparison("prefill 1,024 tokens, GGUF, share of sgemm", "GF/s", ["prefill", *gguf], "gflops",
                   [(*blas, "OpenBLAS 1024×640×2048", 0.8)]),
        Comparison("decode 64 after 256, GGUF", "tok/s", ["decode", *gguf], "tokens_per_second",
                   [(*decode, 6.0), ("llama_decode", "decode 64 after 256", llama, 1.0)]),
        Comparison("decode 64 after 256, GGUF, share of bandwidth", "GB/s", ["decode", *gguf], "gbytes_per_second",
                   [(*memory, 0.7)]),
        Comparison("harvest resid_post.9, 8 × 256", "tok/s", harvest, "tokens_per_second",
                   [("transformers_harvest", "harvest resid_post.9", transformers, 1.3)]),
        Comparison("harvest with 22 dictionaries (2,048 wide) encoded", "tok/s", harvest,
                   "dictionaries_tokens_per_second", []),
        Comparison("harvest, time that 22 dictionaries (2,048 wide) add", "of the time", harvest, "added_share", [],
                   lower_is_better=True, limit=0.25),
        Comparison("encode + decode, width 16k, L0 60", "tok/s", ["dictionary", "--tokens", "2048"],
                   "tokens_per_second", [("torch_dictionary", "encode + decode 16k", "PyTorch dense", 1.8)]),
        Comparison("tokenise English, one thread", "MB/s", tokenise, "mbytes_per_second",
                   [("tokenizers", "tokenise, 1 thread", "tokenizers", None)], limit=20),
        Comparison("train step JumpReLU, 16k, batch 4,096, L0 60", "s", ["train"], "seconds_per_step",
                   training_peers("JumpReLU"), lower_is_better=True),
        Comparison("train step BatchTopK, 16k, batch 4,096, L0 60", "s", ["train", "--batch-top-k"],
                   "seconds_per_step", training_peers("BatchTopK"), lower_is_better=True),
    ]  # fmt: skip
    if (options.corpus / "train.jsonl.gz").exists():
        suite = ["suite", str(options.suite_tokens)]
        rows += [
            Comparison("train a suite of 25, the model's pass", "tok/s", suite, "tokens_per_second", []),
            Comparison("train a suite of 25, time that its steps add", "of the pass", suite, "added_share", [],
                       lower_is_better=True, limit=0.6),
        ]  # fmt: skip
    if options.hf_bf16:
        bf16 = ["--model", str(options.hf_bf16)]
        rows += [
            *first_token("bf16 safetensors", bf16, loading),
            Comparison("prefill 1,024 tokens, bf16", "tok/s", ["prefill", *bf16], "tokens_per_second", [prefill]),
            Comparison("prefill 1,024 tokens, bf16, share of sgemm", "GF/s", ["prefill", *bf16], "gflops",
                       [(*blas, "OpenBLAS 1024×640×2048", 0.8)]),
            Comparison("decode 64 after 256, bf16", "tok/s", ["decode", *bf16], "tokens_per_second", [(*decode, 3.0)]),
            Comparison("decode 64 after 256, bf16, share of bandwidth", "GB/s", ["decode", *bf16],
                       "gbytes_per_second", [(*memory, 0.7)]),
        ]  # fmt: skip
    return [row for row in rows if not options.only or options.only in row.label]


def training_peers(objective: str) -> list[tuple[str, str, str, float | None]]:
    name = f"train step {objective} 16k"
    return [("torch_train", name, "PyTorch dense", 6.0), ("saelens_train", name, "SAELens", 6.0),
            ("dictionary_learning_train", name, "dictionary_learning", None)]  # fmt: skip


def first_token(source: str, model: list[str], peers: list) -> list[Comparison]:
    """Opening a model and its tokenizer, up to the token after a short text; and the memory that takes."""
    load = ["load", *model]
    return [
        Comparison(f"first token from {source}", "s", load, "first_token_seconds", peers, True, limit=1.5),
        Comparison(f"open {source} without tokenizer", "s", load, "load_seconds", [], True),
        Comparison(f"resident memory, {source}", "× the file", load, "resident_share", [], True, limit=1.2),
    ]


def gscope(options, command: list[str]) -> dict:
    if command[0] == "suite":
        recipe = Path(__file__).parents[1] / "recipes/suite-270m.json"
        tokens = int(command[1])
        return bench_suite.measure(options.gscope, options.gguf, options.corpus, recipe, tokens, options.threads)
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
                print(f"round {round_number + 1}: gscope {key}", file=sys.stderr)
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


def limit(row: Comparison, value: float) -> str:
    if row.limit is None:
        return ""
    met = value <= row.limit if row.lower_is_better else value >= row.limit
    return f"{'≤' if row.lower_is_better else '≥'} {row.limit:g} {row.unit} {'met' if met else 'MISSED'}"


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
        if row.limit is not None or not row.peers:
            lines.append(f"| {row.label} | {number(ours)} {row.unit} | | | | {limit(row, ours)} | "
                         f"{statistics.median(row.memory):,.0f} MB |")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True, help="the model for gscope and llama.cpp")
    parser.add_argument("--hf", type=Path, required=True, help="the same weights as an fp32 folder (export_hf.py)")
    parser.add_argument("--hf-bf16", type=Path, help="the same as a bf16 folder, for gscope")
    parser.add_argument("--bench", type=Path, default=Path(".build/release/gscope-bench"))
    parser.add_argument("--gscope", type=Path, default=Path(".build/release/gscope"))
    parser.add_argument("--corpus", type=Path, default=Path(".cache/corpus"), help="what scripts/corpus.sh made")
    parser.add_argument("--suite-tokens", type=int, default=32768, help="activations that each of a suite's trains on")
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
