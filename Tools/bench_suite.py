"""What training a whole suite adds to the pass of the model that feeds it: the row "suite" of bench.py.

`gscope suite build` trains the dictionaries of recipes/suite-270m.json with each activation used once, and reports how
long it waited for the model's pass and how long its steps took. The shipped recipe uses each activation twice, which
doubles the steps and not the pass. What is measured on held-out text comes after both times and is kept short.
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

REPORT = re.compile(r"the steps took (.+), the model's pass (.+)")


def seconds(text: str) -> float:
    """`47 s`, `1 min 48 s` and `2 h 5 min`, as gscope writes a duration: seconds rounded up."""
    units = {"s": 1, "min": 60, "h": 3600}
    parts = re.findall(r"(\d+) (h|min|s)\b", text)
    if not parts:
        raise ValueError(f"'{text}' is no duration")
    return sum(int(count) * units[unit] for count, unit in parts)


def recipe_used_once(recipe: Path, folder: Path) -> Path:
    """A copy of the recipe with `repeats` 1, and of the recipe that it builds on, which is looked for beside it."""
    suite = json.loads(recipe.read_text())
    suite.setdefault("common", {})["repeats"] = 1
    if isinstance(suite.get("base"), str):
        (folder / suite["base"]).write_bytes((recipe.parent / suite["base"]).read_bytes())
    copy = folder / recipe.name
    copy.write_text(json.dumps(suite))
    return copy


def measure(gscope: Path, model: Path, corpus: Path, recipe: Path, tokens: int, threads: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        command = [
            str(gscope), "suite", "build", str(recipe_used_once(recipe, folder)), "--model", str(model),
            "--corpus", str(corpus / "train.jsonl.gz"), "--heldout", str(corpus / "heldout.jsonl.gz"),
            "--heldout-tokens", "64", "--loss-tokens", "0", "--tokens", str(tokens), "--output", str(folder / "suite"),
        ]  # fmt: skip
        with open(folder / "errors", "w+") as errors:
            environment = {**os.environ, "GSCOPE_THREADS": str(threads)}
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
            # Its own peak alone: resource.getrusage would give the largest of all processes waited for.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            text = errors.read()
    found = REPORT.search(text)
    if process.returncode != 0 or not found:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode} and without its times:\n{text[-2000:]}")
    steps, taken = seconds(found[1]), seconds(found[2])
    return {
        "step_seconds": steps, "pass_seconds": taken, "added_share": steps / taken, "tokens_per_second": tokens / taken,
        "peak_bytes": usage.ru_maxrss * 1024,
    }  # fmt: skip
