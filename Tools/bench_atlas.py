"""`gscope atlas build` beside a plain PyTorch pass that gathers what a feature dashboard shows: time, memory, and the numbers.

    python Tools/bench_atlas.py --model model.gguf --hf FOLDER --gscope .build/release/gscope --suite suites/gemma-3-270m \\
        --corpus FILE [--tokens 20000] [--only WORD] [--rounds 1] [--threads N]

--hf is the same model exported to fp32 (Tools/export_hf.py). Both go over the same tokens (the second reads them from the
first's atlas) and all features of the suite's single-layer dictionaries, or of those with WORD in their name. The peer runs
transformers once and keeps the activations of every site; then, 256 features at a time, it encodes all tokens densely and
finds firing rates, means, maxima, quantiles (by sorting), histograms, the 16 best sequences with their windows, two random
examples from each of five intervals, effects on the next token's logit, the logit table with its histogram, neighbours by
cosine, and co-activation as one product a dictionary. That is a favourable peer: with --again N it runs the model again for
every N features, as SAEDashboard does (N = 128). Counts and maxima of both are compared: the atlas must be right to be fast.
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

CONTEXT, BLOCK, BEFORE, BEHIND, BEST, BINS = 256, 256, 24, 8, 16, 50
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", nargs="?", choices=("both", "peer"), default="both", help=argparse.SUPPRESS)
    for name in ("model", "hf", "gscope", "suite", "corpus"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--again", type=int, default=0, help="the peer runs the model again for every so many features")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


# The peer


class Pass:
    """One run of transformers over the tokens of an atlas, every site kept: [sequences · context, width]."""

    def __init__(self, folder: Path, sequences: list, sites: set[str], tokens: int):
        import torch
        from transformers import Gemma3ForCausalLM

        model = Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.unembedding, self.norm = model.lm_head.weight.detach(), model.model.norm.weight.detach()
        self.layers = model.model.layers
        ids = torch.zeros(len(sequences), CONTEXT, dtype=torch.long)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.from_numpy(sequence.astype(np.int64))
        # Special tokens do not count: <pad>, <eos>, <bos>, <unk>, the turns' ends.
        ordinary = (ids > 5) & (ids != 105) & (ids != 106)
        self.counts = ordinary & (ordinary.flatten().cumsum(0).view_as(ids) <= tokens)
        self.ids, self.model = ids, model.model
        self.run(sites)

    def run(self, sites: set[str]) -> None:
        import torch

        found: dict[str, list] = {site: [] for site in sites}
        handles = [self.watch(site, found[site]) for site in sites]
        final, scales = [], []
        handles.append(self.model.norm.register_forward_pre_hook(lambda _, inputs: final.append(inputs[0])))
        with torch.no_grad():
            for batch in self.ids.split(8):
                self.model(batch)
                scales.append(final.pop().square().mean(-1).add(1e-6).sqrt())
        for handle in handles:
            handle.remove()
        self.scales = torch.cat(scales)
        self.sites = {site: torch.cat(parts).flatten(0, 1) for site, parts in found.items()}

    def watch(self, site: str, keep: list):
        point, layer = site.split(".")
        layer = self.layers[int(layer)]
        if point == "attn_out":
            return layer.self_attn.o_proj.register_forward_pre_hook(lambda _, inputs: keep.append(inputs[0]))
        module = {"resid_post": layer, "mlp_in": layer.pre_feedforward_layernorm,
                  "mlp_out": layer.post_feedforward_layernorm}[point]  # fmt: skip
        return module.register_forward_hook(lambda _, __, out: keep.append(out[0] if isinstance(out, tuple) else out))

    def direction(self, rows, site: str):
        """What decoder rows add to the residual stream."""
        point, layer = site.split(".")
        if point != "attn_out":
            return rows
        layer = self.layers[int(layer)]
        return rows @ layer.self_attn.o_proj.weight.detach().T * (1 + layer.post_attention_layernorm.weight.detach())


def dashboard(run: Pass, weights: dict, reads: str, writes: str, again: int) -> dict:
    import torch

    x, counted = run.sites[reads], run.counts.flatten()
    width = weights["w_enc"].shape[1]
    directions = run.direction(weights["w_dec"], writes) * (1 + run.norm)
    following = torch.cat([run.ids[:, 1:], torch.zeros_like(run.ids[:, :1])], 1).flatten()
    offsets = torch.arange(-BEFORE, BEHIND + 1)
    fires = torch.empty(len(x), width)
    result: dict[str, list] = {}
    generator = torch.Generator().manual_seed(0)

    def keep(**values):
        for name, value in values.items():
            result.setdefault(name, []).append(value)

    for start in range(0, width, again or BLOCK):
        if again and start:
            run.run({reads})
            x = run.sites[reads]
        block = slice(start, start + (again or BLOCK))
        z = torch.addmm(weights["b_enc"][block], x, weights["w_enc"][:, block])
        f = z * (z > weights["threshold"][block].clamp_min(0)) * counted[:, None]
        on = f > 0
        fires[:, block] = on
        count, largest = on.sum(0), f.amax(0)
        order = f.sort(0, descending=True).values
        ranks = [(count - 1 - (q * (count - 1)).long()).clamp_min(0) for q in QUANTILES]
        keep(count=count, mean=f.sum(0) / count, max=largest,
             quantiles=torch.stack([order.gather(0, rank[None])[0] for rank in ranks]))  # fmt: skip
        best = f.view(-1, CONTEXT, f.shape[1])
        peaks, rows = best.amax(1).topk(min(BEST, len(best)), 0)
        inside = best.argmax(1).gather(0, rows)
        places, values = [(rows * CONTEXT + inside).T], [peaks.T]
        extra = torch.zeros(f.shape[1], 10, dtype=torch.long)
        bars = torch.zeros(f.shape[1], BINS)
        for i in range(f.shape[1]):
            active = on[:, i].nonzero()[:, 0]
            if len(active) == 0:
                continue
            strengths = f[active, i]
            bars[i] = torch.histc(strengths, BINS, 0, largest[i].item())
            interval = (strengths / largest[i] * 5).long().clamp_max(4)
            for k in range(5):
                within = active[interval == k]
                if len(within):
                    extra[i, 2 * k : 2 * k + 2] = within[torch.randint(len(within), (2,), generator=generator)]
        places.append(extra)
        values.append(f.gather(0, extra.T).T)
        places = torch.cat(places, 1)
        # Windows stay within their sequence.
        within = (places % CONTEXT)[:, :, None] + offsets
        windows = (places - places % CONTEXT)[:, :, None] + within.clamp(0, CONTEXT - 1)
        features = torch.arange(f.shape[1])[:, None, None]
        window = f[windows, features]
        logits = directions[block] @ run.unembedding.T
        effects = window * logits[features, following[windows]] / run.scales.flatten()[windows]
        top, bottom = logits.topk(10), logits.topk(10, largest=False)
        low, high = logits.aminmax(dim=1)
        spread = [torch.histc(logits[i], BINS, low[i].item(), high[i].item()) for i in range(len(logits))]
        keep(histogram=bars, places=places, values=torch.cat(values, 1), windows=window, effects=effects,
             tokens=run.ids.flatten()[windows], top=top.indices, top_values=top.values, bottom=bottom.indices,
             bottom_values=bottom.values, logits=torch.stack(spread))  # fmt: skip
    together = fires.T @ fires
    total = together.diagonal()
    share = together / (total[:, None] + total - together).clamp_min(1)
    unit = torch.nn.functional.normalize(weights["w_dec"])
    cosines = unit @ unit.T
    nearest = {}
    for name, matrix in {"coactive": share.fill_diagonal_(-1), "nearest": cosines.fill_diagonal_(-1)}.items():
        found = matrix.topk(min(10, width - 1))
        nearest |= {name: found.indices, f"{name}_values": found.values}
    axis = {"quantiles": 1}
    return {name: torch.cat(parts, axis.get(name, 0)).numpy() for name, parts in result.items()} | {
        name: value.numpy() for name, value in nearest.items()
    }


def peer(options) -> None:
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(options.threads)
    database = sqlite3.connect(f"file:{options.work / 'atlas.sqlite'}?mode=ro", uri=True)
    sequences = [np.frombuffer(tokens, "<i4") for (tokens,) in
                 database.execute("SELECT tokens FROM sequence ORDER BY id")]  # fmt: skip
    jobs = json.loads((options.work / "jobs.json").read_text())
    start = time.perf_counter()
    run = Pass(options.hf, sequences, {site for job in jobs for site in job["sites"]}, options.tokens)
    passed = time.perf_counter() - start
    with torch.no_grad():
        for number, job in enumerate(jobs):
            weights = load_file(options.work / f"plain-{number}" / "params.safetensors")
            found = dashboard(run, weights, job["sites"][0], job["sites"][-1], options.again)
            np.savez(options.work / f"peer-{number}.npz", **found)
    (options.work / "peer.json").write_text(json.dumps({"pass": passed, "tokens": int(run.counts.sum())}))


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
        apart["maxima"] = max(apart["maxima"], float(np.max(np.abs(largest - found["max"]) / (1e-9 + largest.max()))))
    return apart


def both(options) -> None:
    entries = json.loads((options.suite / "suite.json").read_text())["dictionaries"]
    jobs = [{"name": e["name"].replace("/", "-"), "path": e["path"], "sites": e["sites"]} for e in entries
            if e["kind"] != "crosscoder" and options.only in e["name"]]  # fmt: skip
    if not jobs:
        sys.exit(f"no single-layer dictionary of {options.suite} has {options.only!r} in its name")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "jobs.json").write_text(json.dumps(jobs))
        for number, job in enumerate(jobs):
            subprocess.run([options.gscope, "convert", options.suite / job["path"], "--to", "gemma-scope-2", "--output",
                            work / f"plain-{number}"], check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        build = [options.gscope, "atlas", "build", "--model", options.model, "--corpus", options.corpus, "--tokens",
                 options.tokens, "--context", CONTEXT, "--output", work / "atlas.sqlite", "--overwrite"]  # fmt: skip
        for job in jobs:
            build += ["--dictionary", f"{job['name']}={options.suite / job['path']}"]
        other = [sys.executable, __file__, "peer", "--work", work]
        for name in ("model", "hf", "gscope", "suite", "corpus", "tokens", "again", "threads"):
            other += [f"--{name}", getattr(options, name)]
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(measured(build, options.threads))
            theirs.append(measured(other, options.threads))
        apart, spent = compare(work, jobs), json.loads((work / "peer.json").read_text())
    (our, our_memory), (their, their_memory) = (map(statistics.median, zip(*runs)) for runs in (ours, theirs))
    print(f"| atlas of {apart['features']:,} features, {spent['tokens']:,} tokens | {our:.0f} s | PyTorch dashboard pass"
          f"{f', model again for every {options.again} features' if options.again else ''} | "
          f"{their:.0f} s | {their / our:.2f}× | ≥ 5× {'met' if their / our >= 5 else 'MISSED'} | {our_memory:,.0f} / "
          f"{their_memory:,.0f} MB |")  # fmt: skip
    print(f"of which the peer's model pass: {spent['pass']:.0f} s; {apart['other counts']:,} of {apart['counts']:,} firings "
          f"counted by one alone, maxima within {apart['maxima']:.1e}")  # fmt: skip


if __name__ == "__main__":
    options = arguments()
    {"both": both, "peer": peer}[options.action](options)
