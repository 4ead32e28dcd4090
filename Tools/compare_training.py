"""Trains the same dictionary with gscope, SAELens and dictionary_learning on the same activations and compares them.

    gscope harvest --site resid_post.9 --norm-filter 6 … --output acts    # and the same of held-out text: acts-heldout
    python Tools/compare_training.py tune --store acts --heldout acts-heldout --results DIR --gscope gscope \\
        --model M.gguf
    python Tools/compare_training.py run  …same… [--tokens 5000000] [--only saelens,jumprelu,0]
    python Tools/compare_training.py time …same…            # seconds a step, each tool alone and in turns
    python Tools/compare_training.py table --results DIR    # Markdown, 95 % intervals over the seeds

Resumable: every finished run is a line of DIR/results.jsonl, and what is recorded there is not run again; a peer's run that
was stopped goes on where it was saved, at most five minutes before. --only takes
any of a tool, an objective and a seed. `tune` tries three learning rates on --tune-tokens activations, and goes on by
factors of two while the best one is the last on its side; `run` takes the best whose whole runs hold: a rate
at which one came apart (it diverged, or no thresholds give it the L0) is recorded and given up for the next best, for
every tool alike. `try` does one run with --rate, --coefficient and --bandwidth given. training_measure.py defines the figures, training_peers.py drives the other tools,
PLAN says what each was given. A run during which others loaded the machine (load average above 2.5 at its start or end), or
that left a core to others (--threads), is marked `loaded`: its quality counts, its wall-clock does not, and the table then
takes seconds a step, measured by `time`, times the steps.
"""

import argparse
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from training_table import came_apart, table

SITE, WIDTH, BATCH, L0, WINDOW = "resid_post.9", 4096, 1024, 60, 65_536
TOOLS, OBJECTIVES, SEEDS = ("gscope", "saelens", "dictionary_learning"), ("batchtopk", "jumprelu"), (0, 1, 2)
RATES = (5e-4, 1e-3, 2e-3)
# Coefficient of the sparsity loss (each tool's own formula) and bandwidth; `try` finds those with an L0 near 60.
# gscope's are those of its recipe; the peers' are first guesses, not tried beyond twenty steps.
PLAN = {
    ("gscope", "jumprelu"): {"coefficient": 0.03, "bandwidth": 0.01},
    ("saelens", "jumprelu"): {"coefficient": 0.03, "bandwidth": 0.01},
    ("dictionary_learning", "jumprelu"): {"coefficient": 1.0, "bandwidth": 0.01},
}
LOADED, TIMED_STEPS, SAVE_SECONDS = 2.5, 50, 300
FASTER = ("LD_PRELOAD", "GLIBC_TUNABLES", "QUICK_TOPK")  # what may make PyTorch faster than pip installs it; recorded when set


def recipe(job: dict) -> dict:
    """gscope's short recipe of the objective, at this site, width and batch."""
    name = {"batchtopk": "short-run", "jumprelu": "short-run-jumprelu"}[job["objective"]]
    short = json.loads((Path(__file__).parent.parent / "recipes" / f"{name}.json").read_text())
    changed = {"reads": SITE, "width": WIDTH, "l0": L0, "learning_rate": job["rate"], "batch": BATCH, "norm_filter": 6,
               "tokens": job["tokens"], "repeats": 1, "window": job["window"], "seed": job["seed"]}  # fmt: skip
    if job["objective"] == "jumprelu":
        changed |= {"bandwidth": job["bandwidth"]}
        short["sparsity"]["coefficient"] = job["coefficient"]
    return short | changed


def in_gscope(options, job: dict, folder: Path) -> dict:
    """One run of the executable; its time is the whole process's, loading and saving included: it never resumes."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "recipe.json").write_text(json.dumps(recipe(job), indent=1))
    command = [
        options.gscope, "train", "--model", options.model, "--recipe", folder / "recipe.json", "--store", options.store,
        "--heldout-tokens", "64", "--loss-tokens", "0", "--output", folder / "out",
    ]  # fmt: skip
    used = timed_process(command, folder, {"GSCOPE_THREADS": str(options.threads)}, failing="training diverged")
    described = subprocess.run([options.gscope, "--version"], capture_output=True, text=True).stdout.strip()
    return used | {"version": described, "details": {}}


def in_python(options, job: dict, folder: Path) -> dict:
    """One run of another tool in a process of its own; its time is that of the training loop, batches included."""
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, __file__, "here", "--store", options.store, "--results", folder,
               "--threads", options.threads]  # fmt: skip
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    used = timed_process(command, folder, dict.fromkeys(names, str(options.threads)))
    return used | json.loads((folder / "used.json").read_text())


def timed_process(command: list, folder: Path, environment: dict, failing: str | None = None) -> dict:
    """Time and memory; with `diverged` where the process failed and its log ends with a line that has `failing` in it."""
    with open(folder / "log", "a") as log:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, env=os.environ | environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    used = {"seconds": time.perf_counter() - start, "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss / 1024}  # fmt: skip
    if not status:
        return used
    last = (folder / "log").read_text().splitlines()[-1:]
    if failing and last and failing in last[0]:
        return used | {"diverged": last[0]}
    raise SystemExit(f"{command[0]} failed with status {process.returncode}; see {folder / 'log'}")


def here(options) -> None:
    """The training of one of the peers, in this process."""
    import torch
    from safetensors.torch import save_file

    from training_measure import Store, unscaled
    from training_peers import TRAINERS, Settings, quicken_topk, version

    torch.set_num_threads(options.threads)
    if os.environ.get("QUICK_TOPK"):
        quicken_topk()
    job = json.loads((options.results / "job.json").read_text())
    store = Store(options.store, SITE)
    steps = job["tokens"] // BATCH
    trainer = TRAINERS[job["tool"]](
        Settings(job["objective"], WIDTH, BATCH, steps, job["rate"], job["seed"], L0, store.rows.shape[1],
                 job["coefficient"], job["bandwidth"])
    )  # fmt: skip
    stopped = Checkpoint(options.results / "checkpoint.pt", trainer)
    done = stopped.steps
    moments = []

    def batches():
        for step, batch in enumerate(itertools.islice(store.batches(BATCH, job["seed"]), done, None), done):
            stopped.save(step)
            moments.append((time.perf_counter(), time.process_time()))
            yield batch

    stopped.start()
    trainer.fit(batches(), done)
    used = stopped.used() | {"version": version(job["tool"]), "details": trainer.details}
    if job["action"] == "time":
        first, last = moments[-TIMED_STEPS - 1], moments[-1]
        used |= {"step_seconds": (last[0] - first[0]) / TIMED_STEPS,
                 "step_cpu_seconds": (last[1] - first[1]) / TIMED_STEPS}  # fmt: skip
    else:
        (options.results / "out").mkdir(exist_ok=True)
        save_file(unscaled(trainer.weights(), store.scale), options.results / "out" / "params.safetensors")
    (options.results / "used.json").write_text(json.dumps(used))
    stopped.path.unlink(missing_ok=True)


class Checkpoint:
    """What a peer has learned and used so far, on disk, so that long runs survive the end of their process."""

    def __init__(self, path: Path, trainer):
        self.path, self.trainer = path, trainer
        self.steps, self.before = 0, {"seconds": 0.0, "cpu_seconds": 0.0}
        if path.exists():
            import torch

            found = torch.load(path)
            self.steps, self.before = found["steps"], found["used"]
            trainer.adopt(found["state"])
            torch.set_rng_state(found["random"])
            print(f"goes on at step {self.steps}", file=sys.stderr, flush=True)

    def start(self) -> None:
        self.began = self.saved = time.perf_counter()
        self.processor = time.process_time()

    def used(self) -> dict:
        return {"seconds": self.before["seconds"] + time.perf_counter() - self.began,
                "cpu_seconds": self.before["cpu_seconds"] + time.process_time() - self.processor}  # fmt: skip

    def save(self, steps: int) -> None:
        if time.perf_counter() - self.saved < SAVE_SECONDS:
            return
        import torch

        state = {"steps": steps, "used": self.used(), "state": self.trainer.state(), "random": torch.get_rng_state()}
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)
        self.saved = time.perf_counter()


# The programme


def jobs(options, records: list[dict]):
    """What the action asks for, as it becomes known: a rate may depend on what was recorded before."""
    for seed in SEEDS if options.action == "run" else (options.seed,):
        for objective in OBJECTIVES:
            for tool in TOOLS:
                if not options.only <= {tool, objective, str(seed)}:
                    continue
                plan = PLAN.get((tool, objective), {"coefficient": None, "bandwidth": None})
                job = {"action": options.action, "tool": tool, "objective": objective, "seed": seed, "window": WINDOW}
                job |= plan
                if options.action == "tune":
                    while (rate := next_rate(records, tool, objective)) is not None:
                        yield job | {"rate": rate, "tokens": options.tune_tokens}
                elif options.action == "run":
                    rate, tried = best_rate(records, tool, objective), None
                    if rate is None:
                        print(f"{tool} {objective}: not tuned yet, skipped", file=sys.stderr)
                    while rate != tried:
                        yield job | {"rate": rate, "tokens": options.tokens}
                        rate, tried = best_rate(records, tool, objective), rate
                else:
                    given = {"coefficient": options.coefficient, "bandwidth": options.bandwidth}
                    rate = options.rate or best_rate(records, tool, objective) or 1e-3
                    yield job | {k: v for k, v in given.items() if v} | {"rate": rate, "tokens": options.tune_tokens}


def tuned(records: list[dict], tool: str, objective: str) -> dict[float, float]:
    """Matched FVU by learning rate; infinite where L0 could not be matched."""
    chosen = [r for r in records if (r["action"], r["tool"], r["objective"]) == ("tune", tool, objective)]
    return {r["rate"]: float("inf") if came_apart(r, L0) else r["matched"]["fvu"] for r in chosen}


def best_rate(records, tool, objective) -> float | None:
    rates = tuned(records, tool, objective)
    if not all(rate in rates for rate in RATES):
        return None
    lost = {r["rate"] for r in records
            if (r["action"], r["tool"], r["objective"]) == ("run", tool, objective) and came_apart(r, L0)}  # fmt: skip
    return min(rates.keys() - lost, key=rates.get, default=None)


def next_rate(records, tool, objective) -> float | None:
    rates = tuned(records, tool, objective)
    for rate in RATES:
        if rate not in rates:
            return rate
    best = min(rates, key=rates.get)
    return 2 * best if best == max(rates) else best / 2 if best == min(rates) else None


def key(record: dict) -> tuple:
    names = ("action", "tool", "objective", "seed", "rate", "tokens", "coefficient", "bandwidth")
    return tuple(record[name] for name in names)


def perform(options, job: dict) -> dict:
    name = "-".join(str(part) for part in key(job) if part is not None)
    folder = options.results / name
    folder.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()[0]
    record = (in_gscope if job["tool"] == "gscope" else in_python)(options, job, folder)
    after = os.getloadavg()[0]
    return job | record | {
        "loaded": max(before, after) > LOADED or options.threads < len(os.sched_getaffinity(0)),
        "load": [before, after], "steps": job["tokens"] // BATCH, "width": WIDTH,
        "environment": {name: os.environ[name] for name in FASTER if name in os.environ},
        "batch": BATCH, "threads": options.threads, "machine": machine(), "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def programme(options) -> None:
    from safetensors.torch import load_file
    from training_measure import DEFINITIONS, HELDOUT_ROWS, Store, measure

    path = options.results / "results.jsonl"
    records = [json.loads(line) for line in open(path)] if path.exists() else []
    done = {key(record) for record in records}
    store = heldout = None
    for job in jobs(options, records):
        if key(job) in done:
            continue
        print(time.strftime("%H:%M:%S"), *key(job), file=sys.stderr, flush=True)
        record = perform(options, job)
        if store is None:
            store, heldout = Store(options.store, SITE), Store(options.heldout, SITE)
        name = "-".join(str(part) for part in key(job) if part is not None)
        record |= {"definitions": DEFINITIONS, "distinct": min(job["tokens"], len(store.rows)),
                   "heldout": min(HELDOUT_ROWS, len(heldout.rows)),
                   "repeats": max(1, job["tokens"] / len(store.rows)), "norm_filter": 6,
                   "model_sha256": store.settings["settings"]["model_sha256"] if "settings" in store.settings
                   else store.settings.get("model_sha256")}  # fmt: skip
        if "diverged" not in record:
            out = next(options.results.glob(f"{name}/out/params.safetensors"))
            record |= measure(load_file(out), heldout.rows, store.rows, L0)
        records.append(record)
        done.add(key(job))
        with open(path, "a") as lines:
            lines.write(json.dumps(record) + "\n")
        quality = record.get("diverged") or (
            f"fvu {record['fvu']:.4f} at L0 {record['l0']:.1f}; {record['matched']['fvu']:.4f} at "
            f"{record['matched']['l0']:.1f}; dead {record['dead_training']:.3f}"
        )
        print(f"  {quality}; {record['seconds']:.0f} s, cpu "
              f"{record['cpu_seconds']:.0f} s{', loaded' if record['loaded'] else ''}", file=sys.stderr, flush=True)  # fmt: skip


def time_steps(options) -> None:
    """Seconds a step of every tool: the peers' last 50 steps; for gscope, a run of 192 steps less one of 64."""
    path = options.results / "times.jsonl"
    for number in range(options.rounds):
        for job in jobs(options, []):
            job |= {"action": "time"}
            lengths = (64, 192) if job["tool"] == "gscope" else (TIMED_STEPS + 10,)
            used = []
            for steps in lengths:
                folder = options.results / f"time-{job['tool']}-{job['objective']}-{number}-{steps}-{os.getpid()}"
                folder.mkdir(parents=True)
                work = in_gscope if job["tool"] == "gscope" else in_python
                before = os.getloadavg()[0]
                used.append(work(options, job | {"tokens": steps * BATCH}, folder))
            record = job | used[-1] | {"loaded": before > LOADED, "load": [before, os.getloadavg()[0]], "width": WIDTH,
                                       "environment": {name: os.environ[name] for name in FASTER if name in os.environ},
        "batch": BATCH, "threads": options.threads, "machine": machine()}  # fmt: skip
            if len(used) == 2:
                for name in ("seconds", "cpu_seconds"):
                    record["step_" + name] = (used[1][name] - used[0][name]) / (lengths[1] - lengths[0])
            with open(path, "a") as lines:
                lines.write(json.dumps(record) + "\n")
            print(f"{job['tool']} {job['objective']}: {record['step_seconds']:.3f} s a step, processor "
                  f"{record['step_cpu_seconds']:.3f} s, peak {record['peak_mb']:.0f} MB", file=sys.stderr)  # fmt: skip


def machine() -> str:
    lines = open("/proc/cpuinfo").read().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    vector = "AVX-512" if any("avx512f" in line for line in lines if line.startswith("flags")) else "no AVX-512"
    return f"{model}, {vector}, {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("tune", "run", "try", "time", "table", "here"))
    parser.add_argument("--results", type=Path, required=True, help="folder of the programme")
    parser.add_argument("--store", type=Path, help="activations to train on")
    parser.add_argument("--heldout", type=Path, help="activations to measure on")
    parser.add_argument("--gscope", type=Path, default=Path(".build/release/gscope"))
    parser.add_argument("--model", type=Path, help="the model, which gscope train wants to see even with a store")
    parser.add_argument("--only", default="", help="tool, objective, seed: any of them, with commas between")
    parser.add_argument("--tokens", type=int, default=5_000_000)
    parser.add_argument("--tune-tokens", type=int, default=600_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3, help="of time")
    parser.add_argument("--seed", type=int, default=0, help="of tune, try and time")
    parser.add_argument("--rate", type=float, help="of try")
    parser.add_argument("--coefficient", type=float, help="of try")
    parser.add_argument("--bandwidth", type=float, help="of try")
    options = parser.parse_args()
    options.only = {word for word in options.only.split(",") if word}
    if unknown := options.only - {*TOOLS, *OBJECTIVES, *map(str, range(100))}:
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}; tools are {', '.join(TOOLS)}")
    options.results.mkdir(parents=True, exist_ok=True)
    if options.action == "table":
        return print(table(options.results, L0))
    {"here": here, "time": time_steps}.get(options.action, programme)(options)


if __name__ == "__main__":
    main()
