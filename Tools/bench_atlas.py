"""`gscope atlas build` beside a plain PyTorch pass that gathers what a feature dashboard shows: time, memory, and the numbers.

    python Tools/bench_atlas.py --model model.gguf --hf FOLDER --gscope .build/release/gscope --suite suites/gemma-3-270m \\
        --corpus FILE [--tokens 20000] [--only WORD] [--rounds 1] [--threads N]

--hf is the same model exported to fp32 (Tools/export_hf.py). Both go over the same tokens (the second reads them from the
first's atlas) and all features of the suite's single-layer dictionaries, or of those with WORD in their name. The peer runs
transformers once and keeps the activations of every site; then, 256 features at a time, it encodes all tokens densely and
finds firing rates, means, maxima, quantiles (by sorting), histograms, the 16 best sequences with their windows, two random
examples from each of five intervals, effects on the next token's logit, the logit table with its histogram, neighbours by
cosine, and co-activation as one product a dictionary (atlas_pass.py). That is a favourable peer: with --again N it runs the
model again for every N features, as SAEDashboard does. With --saedashboard the peer is SAEDashboard itself, on the SAEs alone,
and writes nothing (atlas_saedashboard.py, requirements-atlas-peer.txt). Counts and maxima of both are compared: the atlas must be right to
be fast.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from atlas_pass import CONTEXT, Pass, dashboard


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", nargs="?", choices=("both", "peer"), default="both", help=argparse.SUPPRESS)
    for name in ("model", "hf", "gscope", "suite", "corpus"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--again", type=int, default=0, help="the peer runs the model again for every so many features")
    parser.add_argument("--saedashboard", action="store_true", help="the peer is SAEDashboard")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


# The peers, in a process of their own


def peer(options) -> None:
    import torch

    torch.set_num_threads(options.threads)
    database = sqlite3.connect(f"file:{options.work / 'atlas.sqlite'}?mode=ro", uri=True)
    sequences = [np.frombuffer(tokens, "<i4") for (tokens,) in
                 database.execute("SELECT tokens FROM sequence ORDER BY id")]  # fmt: skip
    jobs = json.loads((options.work / "jobs.json").read_text())
    made = (saedashboard if options.saedashboard else plain)(options, jobs, sequences)
    (options.work / "peer.json").write_text(json.dumps(made))


def plain(options, jobs: list, sequences: list) -> dict:
    import torch
    from safetensors.torch import load_file

    start = time.perf_counter()
    run = Pass(options.hf, sequences, {site for job in jobs for site in job["sites"]}, options.tokens)
    passed = time.perf_counter() - start
    with torch.no_grad():
        for number, job in enumerate(jobs):
            weights = load_file(options.work / f"plain-{number}" / "params.safetensors")
            found = dashboard(run, weights, job["sites"][0], job["sites"][-1], options.again)
            np.savez(options.work / f"peer-{number}.npz", **found)
    return {"pass": passed, "tokens": int(run.counts.sum())}


def saedashboard(options, jobs: list, sequences: list) -> dict:
    from atlas_saedashboard import HookedGemma, dashboards, padded

    model, tokens = HookedGemma(options.hf), padded(sequences, options.tokens)
    for number in range(len(jobs)):
        found = dashboards(model, options.work / f"plain-{number}", tokens)
        np.savez(options.work / f"peer-{number}.npz", **found)
    return {"tokens": options.tokens}


# Both


def measured(command: list, threads: int) -> tuple[float, float]:
    """Seconds and peak memory in MB."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "GSCOPE_THREADS")
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL,
                               env=os.environ | dict.fromkeys(names, str(threads)))  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {command}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def compare(work: Path, jobs: list) -> dict:
    """Largest differences of the peer's numbers from the atlas's. Both round products of fp32 in their own order, so that
    activations beside a threshold may fall on either side of it."""
    database = sqlite3.connect(f"file:{work / 'atlas.sqlite'}?mode=ro", uri=True)
    apart = {"features": 0, "counts": 0, "other counts": 0, "maxima": 0.0}
    for number, job in enumerate(jobs):
        found = np.load(work / f"peer-{number}.npz")
        rows = database.execute(
            "SELECT feature.count, feature.max FROM feature JOIN dictionary ON dictionary.id = dictionary_id "
            "WHERE dictionary.name = ? ORDER BY idx", (job["name"],)).fetchall()  # fmt: skip
        counts, largest = np.array([(count, value or 0) for count, value in rows]).T
        apart["features"] += len(rows)
        apart["counts"] += int(counts.sum())
        apart["other counts"] += int(np.abs(counts - found["count"]).sum())
        if "max" in found:
            apart["maxima"] = max(apart["maxima"], float(np.max(np.abs(largest - found["max"]) / (1e-9 + largest.max()))))
    return apart


def both(options) -> None:
    entries = json.loads((options.suite / "suite.json").read_text())["dictionaries"]
    # SAEDashboard does not know transcoders with a skip.
    kinds = {"sae"} if options.saedashboard else {"sae", "transcoder"}
    jobs = [{"name": e["name"].replace("/", "-"), "path": e["path"], "sites": e["sites"]} for e in entries
            if e["kind"] in kinds and options.only in e["name"]]  # fmt: skip
    if not jobs:
        sys.exit(f"no single-layer dictionary of {options.suite} has {options.only!r} in its name")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "jobs.json").write_text(json.dumps(jobs))
        for number, job in enumerate(jobs):
            subprocess.run([options.gscope, "convert", options.suite / job["path"], "--to",
                            "saelens" if options.saedashboard else "gemma-scope-2", "--output",
                            work / f"plain-{number}"], check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        build = [options.gscope, "atlas", "build", "--model", options.model, "--corpus", options.corpus, "--tokens",
                 options.tokens, "--context", CONTEXT, "--output", work / "atlas.sqlite", "--overwrite"]  # fmt: skip
        for job in jobs:
            build += ["--dictionary", f"{job['name']}={options.suite / job['path']}"]
        other = [sys.executable, __file__, "peer", "--work", work]
        for name in ("model", "hf", "gscope", "suite", "corpus", "tokens", "again", "threads"):
            other += [f"--{name}", getattr(options, name)]
        if options.saedashboard:
            other.append("--saedashboard")
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(measured(build, options.threads))
            theirs.append(measured(other, options.threads))
        apart, spent = compare(work, jobs), json.loads((work / "peer.json").read_text())
    (our, our_memory), (their, their_memory) = (map(statistics.median, zip(*runs)) for runs in (ours, theirs))
    name = "SAEDashboard" if options.saedashboard else "PyTorch dashboard pass" + (
        f", model again for every {options.again} features" if options.again else "")
    print(f"| atlas of {apart['features']:,} features, {spent['tokens']:,} tokens | {our:.0f} s | {name} | "
          f"{their:.0f} s | {their / our:.2f}× | ≥ 5× {'met' if their / our >= 5 else 'MISSED'} | {our_memory:,.0f} / "
          f"{their_memory:,.0f} MB |")  # fmt: skip
    if "pass" in spent:
        print(f"of which the peer's model pass: {spent['pass']:.0f} s")
    print(f"{apart['other counts']:,} of {apart['counts']:,} firings "
          f"counted by one alone, maxima within {apart['maxima']:.1e}")  # fmt: skip


if __name__ == "__main__":
    options = arguments()
    {"both": both, "peer": peer}[options.action](options)
