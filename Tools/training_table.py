"""The Markdown table of compare_training.py, from what is recorded: means over seeds with 95 % intervals (Student's t)."""

import json
import math
import statistics
from pathlib import Path

NAMES = {"gscope": "gscope", "saelens": "SAELens", "dictionary_learning": "dictionary_learning"}
OBJECTIVES = {"batchtopk": "BatchTopK", "jumprelu": "JumpReLU"}


def came_apart(record: dict, l0: float) -> bool:
    """Whether a run diverged, or no factor on its thresholds gives it the L0 within a tenth."""
    return "diverged" in record or abs(record["matched"]["l0"] / l0 - 1) >= 0.1


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in open(path)] if path.exists() else []


def spread(values: list[float], digits: int, percent: bool = False) -> str:
    from training_measure import interval

    mean, half = interval([100 * value if percent else value for value in values])
    return f"{mean:.{digits}f}" + ("" if math.isnan(half) else f" ± {half:.{digits}f}")


def step_seconds(times: list[dict], tool: str, objective: str) -> tuple[float, str] | None:
    """Median over rounds; of quiet ones when there are any, else processor time over threads, which waiting leaves alone."""
    mine = [t for t in times if (t["tool"], t["objective"]) == (tool, objective)]
    quiet = [t["step_seconds"] for t in mine if not t["loaded"]]
    if quiet:
        return statistics.median(quiet), ""
    if mine:
        return statistics.median(t["step_cpu_seconds"] / t["threads"] for t in mine), "†"
    return None


def minutes(runs: list[dict], times: list[dict]) -> str:
    quiet = [r["seconds"] for r in runs if not r["loaded"]]
    if quiet:
        return spread([seconds / 60 for seconds in quiet], 1)
    step = step_seconds(times, runs[0]["tool"], runs[0]["objective"])
    return "not measured" if step is None else f"{step[0] * runs[0]['steps'] / 60:.1f}*{step[1]}"


def peak(times: list[dict], tool: str, objective: str) -> str:
    """Of the timed runs: what Linux tells of a whole run's process counts the memory of the one that started it."""
    mine = [t["peak_mb"] for t in times if (t["tool"], t["objective"]) == (tool, objective)]
    return f"{statistics.median(mine):,.0f} MB" if mine else "not measured"


def results_table(records: list[dict], times: list[dict]) -> list[str]:
    lines = [
        "| objective | tool | rate | seeds | L0 | FVU | FVU at the same L0 (L0) | dead, held-out | dead, training | minutes "
        "| peak memory |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple, list[dict]] = {}
    for record in records:
        groups.setdefault((record["objective"], record["tool"], record["tokens"], record["rate"],
                           record["coefficient"], record["bandwidth"]), []).append(record)  # fmt: skip
    order = lambda group: (list(OBJECTIVES).index(group[0]), group[2], list(NAMES).index(group[1]), group[3])
    for group in sorted(groups, key=order):
        runs, (objective, tool, _, rate, coefficient, _) = groups[group], group
        of = lambda name: [run[name] for run in runs]
        matched = [run["matched"] for run in runs]
        extra = "" if coefficient is None else f", λ {coefficient:g}"
        lines.append(
            f"| {OBJECTIVES[objective]} | {NAMES[tool]} {runs[0]['version'].split()[-1]} | {rate:g}{extra} | {len(runs)} "
            f"| {spread(of('l0'), 1)} | {spread(of('fvu'), 4)} "
            f"| {spread([m['fvu'] for m in matched], 4)} ({spread([m['l0'] for m in matched], 1)}) "
            f"| {spread(of('dead_heldout'), 1, True)} % | {spread(of('dead_training'), 1, True)} % "
            f"| {minutes(runs, times)} | {peak(times, tool, objective)} |"
        )
    return lines


def table(folder: Path, l0: float) -> str:
    records, times = lines_of(folder / "results.jsonl"), lines_of(folder / "times.jsonl")
    lost = [r for r in records if "diverged" in r or r["action"] == "run" and came_apart(r, l0)]
    blocks = []
    for action, title in (("run", "Whole runs"), ("tune", "Learning rates tried")):
        chosen = [r for r in records if r["action"] == action and r not in lost]
        if chosen:
            tokens = ", ".join(f"{n:,}" for n in sorted({r["tokens"] for r in chosen}))
            repeats = " to ".join(f"{n:.1f}" for n in sorted({min(r["repeats"] for r in chosen),
                                                             max(r["repeats"] for r in chosen)}))  # fmt: skip
            distinct = max(r["distinct"] for r in chosen)
            head = f"{title}: {tokens} activations, {distinct:,} distinct (repeats {repeats}), {chosen[0]['machine']}."
            blocks.append("\n".join([head, "", *results_table(chosen, times)]))
    if lost:
        lines = [f"- {OBJECTIVES[r['objective']]}, {NAMES[r['tool']]}, {r['tokens']:,} activations, rate {r['rate']:g}, seed {r['seed']}: "
                 + (r["diverged"] if "diverged" in r else f"FVU {r['fvu']:.3f} at L0 {r['l0']:.1f}, "
                    f"{100 * r['dead_training']:.0f} % dead") for r in lost]  # fmt: skip
        blocks.append("\n".join(["Came apart; whole runs went on at the next best rate:", "", *lines]))
    steps = []
    for objective in OBJECTIVES:
        for tool in NAMES:
            if (step := step_seconds(times, tool, objective)) is not None:
                steps.append(f"| {OBJECTIVES[objective]} | {NAMES[tool]} | {step[0]:.3f} s{step[1]} |")
    if steps:
        blocks.append("\n".join(["| objective | tool | a step |", "|---|---|---|", *steps]))
    notes = ["95 % intervals over seeds (Student's t). * others loaded the machine: seconds a step, measured alone, times "
             "the steps. † processor seconds over threads, since no round was quiet."]  # fmt: skip
    return "\n\n".join(blocks + notes)
