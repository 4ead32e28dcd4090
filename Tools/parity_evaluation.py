"""Compares `gscope evaluate` on the real model with transformers, NumPy and other tools, and prints a Markdown table.

    python Tools/parity_evaluation.py --model model.gguf --hf FOLDER --gscope .build/release/gscope \
        --suite suites/gemma-3-270m

--hf is the same model exported to fp32 (Tools/export_hf.py). An SAE and an affine transcoder of layer 9 and the
crosscoder of four layers are converted to Gemma Scope 2's layout; transformers runs the text (parity_twin.py), NumPy
codes and decodes in fp64 from the files (parity_figures.py), and forward hooks put in what was decoded, each site's
mean, or zero; for --splice set three dictionaries at once. Where sae-lens, sae-bench or dictionary-learning is installed
(requirements-conversions.txt, requirements-evaluation.txt), their own evaluators measure the SAE on the same tokens
(parity_peers.py). Exits with 1 when a row is outside its limit.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer

import parity_figures as figures
import parity_peers as peers
from corpus import speeches
from parity_twin import Part, Twin

LAYER, CONTEXT, SEQUENCES, LOSS_SEQUENCES = 9, 256, 6, 3
# At this factor some tokens of plain prose are left out; the usual 6 leaves out none.
NORM_FILTER = 1.2
SAE, TRANSCODER = f"resid_post/layer_{LAYER}_width_2k_l0_60", f"transcoder/layer_{LAYER}_width_640_l0_30_affine"
CROSSCODER = "crosscoder/layers_5_9_12_15_width_2k_l0_60"
# The transcoder reads what the first SAE left, the last SAE what both did.
SET = ("resid_post/layer_5_width_2k_l0_60", TRANSCODER, "resid_post/layer_12_width_2k_l0_60")
# Counts of features or tokens: a token may gain or lose a feature by rounding, a feature may come to life by it.
COUNTS = {"dead features": 3, "density histogram": 3, "tokens kept": 0} | {
    f"positions {name}": 0 for name in ("from", "to", "tokens")}  # fmt: skip
LOOSE = ("l0", "delta loss", "KL", "recovered", "activity")


def interval(estimate):
    return estimate["value"], estimate["low"], estimate["high"]


def spliced(splice: dict | None) -> dict:
    if not splice:
        return {}
    names = {"spliced loss": "loss", "mean-ablated loss": "mean_ablated_loss", "zero-ablated loss": "zero_ablated_loss",
             "delta loss": "delta_loss", "KL": "kl"}  # fmt: skip
    found = {ours: interval(splice[theirs]) for ours, theirs in names.items()}
    found |= {f"recovered of {r['baseline']}": interval(r["value"]) for r in splice["recovered"]}
    found["delta loss by position"] = [p["delta_loss"] for p in splice["positions"]]
    for ours, theirs in (("delta loss", "delta_loss"), ("KL", "kl")):
        if all("metrics" in p for p in splice["positions"]):
            found[f"{ours} by position"] = [interval(p["metrics"][theirs]) for p in splice["positions"]]
    return found


def measured(entry: dict) -> dict:
    """What gscope says of one dictionary, by the names of `expected`."""
    density, kept = entry["density"], entry["without_outliers"]
    found = {name: interval(value) for name, value in entry["metrics"].items()}
    found |= {"dead features": density["dead"], "density histogram": [b["features"] for b in density["histogram"]]}
    for limit in ("over_1_percent", "over_10_percent"):
        found[f"{limit}: features, activity"] = [density[limit]["features"], density[limit]["activity"]]
    found |= {f"l0 of read {i}": interval(value) for i, value in enumerate(entry["l0_by_layer"])}
    found["tokens kept"] = kept["tokens"]
    found |= {f"{name}, outliers left out": interval(kept[name]) for name in entry["metrics"]}
    places = entry["positions"]
    found |= {f"positions {name}": [p[name] for p in places] for name in ("from", "to", "tokens", "l0", "fvu", "mse")}
    for name in places[0].get("metrics", ()):
        found[f"positions {name}"] = [interval(p["metrics"][name]) for p in places]
    for site in entry["sites"]:
        found |= {f"{name} of {site['site']}": interval(value) for name, value in site["metrics"].items()}
        found |= {f"{name} of {site['site']}": value for name, value in spliced(site["splice"]).items()}
    return found | spliced(entry["splice"] or entry["sites"][0]["splice"])


def expected(part: Part, activations: list) -> dict:
    """The same but for losses, from transformers' activations."""
    sequences = [figures.Sequence(part, found) for found in activations]
    kept = [sequence.kept(NORM_FILTER) for sequence in sequences]
    density = figures.density(sequences)
    found = figures.reconstruction(sequences)
    found |= {"dead features": density["dead"], "density histogram": density["histogram"]}
    for limit in ("over_1_percent", "over_10_percent"):
        found[f"{limit}: features, activity"] = list(density[limit])
    found["tokens kept"] = sum(s.y.shape[1] for s in kept)
    found |= {f"{name}, outliers left out": value for name, value in figures.reconstruction(kept).items()}
    found |= {f"positions {name}": values for name, values in figures.positions(sequences).items()}
    if len(part.writes) > 1:
        found |= {f"l0 of read {i}": value for i, value in enumerate(figures.by_read(sequences))}
        for write, site in enumerate(part.writes):
            some = figures.reconstruction(sequences, writes=slice(write, write + 1))
            found |= {f"{name} of {site}": value for name, value in some.items()}
    return found


def expected_losses(model: Twin, sequences: list, activations: list, parts: list, together: list):
    """The unchanged model's loss; the splice figures of each of `parts`; those of `together` in place at once."""
    sites = sorted({site for part in parts + together for site in part.writes})
    mean = {site: np.concatenate([found[site][1:] for found in activations]).mean(0) for site in sites}
    asked = {}

    def baselines(name, writes):
        asked[name, "mean"] = lambda _: figures.fixed({site: mean[site] for site in writes})
        asked[name, "zero"] = lambda _: figures.fixed({site: np.zeros_like(mean[site]) for site in writes})

    def alone(part, write):
        site = part.writes[write]
        return lambda n: figures.fixed({site: part.apply(activations[n])[1][write]}, divergence=True)

    for number, part in enumerate(parts):
        baselines(number, part.writes)
        asked[number, "all"] = alone(part, 0) if len(part.writes) == 1 else lambda _, part=part: figures.live([part])
        for write, site in enumerate(part.writes if len(part.writes) > 1 else ()):
            asked[number, site] = alone(part, write)
    asked["set", "all"] = lambda _: figures.live(together)
    baselines("set", [site for part in together for site in part.writes])
    losses = figures.Losses(model, sequences)
    runs = losses.run(asked)

    def all_of(name):
        return losses.figures(runs[name, "all"], runs[name, "mean"], runs[name, "zero"])

    found = []
    for number, part in enumerate(parts):
        found.append(all_of(number))
        for site in part.writes if len(part.writes) > 1 else ():
            found[-1] |= {f"{name} of {site}": value for name, value in losses.figures(runs[number, site]).items()}
    return {"loss": losses.loss}, found, all_of("set")


def rows(name: str, found: dict, want: dict) -> bool:
    good = True
    for figure, value in want.items():
        if figure not in found:
            good = False
            print(f"| {name} | {figure} | not printed | {text(value)} | | | MISS |", flush=True)
            continue
        ours = found[figure]
        if figure in COUNTS:
            limit = COUNTS[figure]
            # Features in another bin are missed in one and met in the other.
            difference = float(np.abs(np.subtract(ours, value)).sum()) / (2 if isinstance(value, list) else 1)
        else:
            limit = 2e-3 if any(name in figure for name in LOOSE) else 5e-4
            # One row a figure or bucket: its value and, where both tell it, its interval.
            a, b = (np.reshape(x, (len(x) if isinstance(x, list) else 1, -1)) for x in (ours, value))
            ends = min(a.shape[1], b.shape[1])
            difference = float(np.abs(a[:, :ends] - b[:, :ends]).max() / max(np.abs(b[:, 0]).max(), 1e-9))
        ok = difference <= limit
        good &= bool(ok)
        cells = (name, figure, text(ours), text(value), f"{difference:.1e}", f"{limit:g}", "ok" if ok else "MISS")
        print(f"| {' | '.join(cells)} |", flush=True)
    return good


def text(value) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:.5g} [{value[1]:.5g}, {value[2]:.5g}]"
    if isinstance(value, list):
        return ", ".join(f"{v[0] if isinstance(v, tuple) else v:.5g}" for v in value)
    return f"{value:.5g}" if isinstance(value, float) else str(value)


class Gscope:
    """Runs gscope. What it writes lies in a folder, and what lies there already is not made again."""

    def __init__(self, options, place: Path):
        self.options, self.place, self.text = options, place, place / "text.txt"

    def run(self, *arguments) -> str:
        command = [str(self.options.gscope), *map(str, arguments)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"failed: {' '.join(command)}")
        return done.stdout

    def convert(self, dictionary: Path, name: str, layout: str) -> Path:
        if not (self.place / name).exists():
            self.run("convert", dictionary, "--to", layout, "--output", self.place / name)
        return self.place / name

    def evaluate(self, name: str, dictionaries: list, *arguments, sequences=SEQUENCES) -> dict:
        file = self.place / f"{name}.json"
        if not file.exists():
            chosen = [x for dictionary in dictionaries for x in ("--dictionary", dictionary)]
            file.write_text(self.run(
                "evaluate", "--model", self.options.model, *chosen, "--corpus", self.text, "--context", CONTEXT,
                "--tokens", sequences * (CONTEXT - 1), "--loss-tokens", LOSS_SEQUENCES * (CONTEXT - 1),
                "--norm-filter", NORM_FILTER, *arguments, "--json"))  # fmt: skip
        report = json.loads(file.read_text())
        assert report["sequences"] == sequences and report["loss_sequences"] in (0, LOSS_SEQUENCES), report
        return report


def compare(options, place: Path) -> bool:
    """Has gscope measure, and prints the table. Whether every row is within its limit."""
    gscope = Gscope(options, place)
    # One document, cut so that it fills the sequences.
    prose = "\n".join(speeches(options.cache))[:20_000]
    gscope.text.write_text(prose)
    ids = AutoTokenizer.from_pretrained(options.hf)(prose)["input_ids"][1:]
    sequences = [np.array([2, *ids[i * (CONTEXT - 1) : (i + 1) * (CONTEXT - 1)]]) for i in range(SEQUENCES)]
    folders = {name: gscope.convert(options.suite / name, name.replace("/", "-"), "gemma-scope-2")
               for name in (SAE, TRANSCODER, CROSSCODER, *SET)}  # fmt: skip
    reseeded = place / "reseeded"
    if not reseeded.exists():
        peers.reseeded(folders[SAE], reseeded)

    names, none = (SAE, TRANSCODER, CROSSCODER), ("--splice", "none")
    dictionaries = [folders[name] for name in names]
    pair = gscope.evaluate("pair", [f"a={folders[SAE]}", f"b={reseeded}"], *none, "--task", "consistency", sequences=1)
    report = gscope.evaluate("alone", dictionaries, *(none if options.without_losses else ()))
    together = [folders[name] for name in SET]
    whole = None if options.without_losses else gscope.evaluate("set", together, "--splice", "set")
    entries = report["dictionaries"]
    titles = [f"{entry['kind']} {entry['writes'][0]}" for entry in entries]

    def parts(report, names):
        pairs = zip(names, report["dictionaries"])
        return [Part(folders[name], entry["reads"], entry["writes"]) for name, entry in pairs]

    print("| dictionary | figure | gscope | the other | largest difference | limit | |\n|---|---|---|---|---|---|---|")
    matched = pair["tasks"]["consistency"][0]["all"]["decoder"]
    matched["matched_cosine, SAELens"] = matched["matched_cosine"]
    good = rows("SAE and itself reseeded, consistency", matched, peers.consistency(folders[SAE], reseeded))

    model, alone, together = Twin(options.hf), parts(report, names), parts(whole, SET) if whole else []
    sites = {site for part in alone + together for site in part.reads + part.writes}
    activations = [model.run(ids, sites, logits=False)[0] for ids in sequences]
    for title, entry, part in zip(titles, entries, alone):
        good &= rows(title, measured(entry), expected(part, activations))

    x = [found[alone[0].reads[0]] for found in activations]
    others = {f"{tool} {name}": value for tool in ("saelens", "saebench", "dictionary_learning")
              for name, value in entries[0]["sites"][0]["others"][tool].items()}  # fmt: skip
    # gscope names these once; SAEBench and SAELens print both.
    others["saelens relative_reconstruction_bias"] = others["saebench relative_reconstruction_bias"]
    others["saebench explained_variance_legacy"] = others["saelens explained_variance_legacy"]
    others["saebench 1 - explained_variance"] = 1 - others["saebench explained_variance"]
    if theirs := peers.saelens(gscope.convert(folders[SAE], "saelens", "saelens"), sequences, x):
        good &= rows("SAE, SAELens' evaluator", measured(entries[0]), theirs[0])
        good &= rows("SAE, SAELens' formulas", others, theirs[1])
    for name, theirs in (("SAEBench's core evaluator", peers.saebench(alone[0], sequences, x)),
                         ("dictionary_learning's evaluator", peers.dictionary_learning(alone[0], x))):  # fmt: skip
        good &= rows(f"SAE, {name}", others, theirs or {})

    if whole:
        loss, each, at_once = expected_losses(model, sequences[:LOSS_SEQUENCES], activations, alone, together)
        good &= rows("unchanged model", {"loss": interval(report["loss"])}, loss)
        for title, entry, want in zip(titles, entries, each):
            good &= rows(title, measured(entry), want)
        good &= rows(f"set of {len(SET)}", spliced(whole["set"]), at_once)
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--hf", type=Path, required=True)
    parser.add_argument("--gscope", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where the text is kept")
    parser.add_argument("--work", type=Path, help="a folder for what gscope writes; what it holds is not made again")
    parser.add_argument("--without-losses", action="store_true", help="leaves out all that takes logits")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        place = options.work or Path(place)
        place.mkdir(parents=True, exist_ok=True)
        good = compare(options, place)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
