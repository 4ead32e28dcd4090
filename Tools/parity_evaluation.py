"""Compares `gscope evaluate` on the real model with transformers, NumPy and SAELens, and prints a Markdown table.

    python Tools/parity_evaluation.py --model model.gguf --hf FOLDER --gscope .build/release/gscope --suite suites/gemma-3-270m

--hf is the same model exported to fp32 (Tools/export_hf.py). An SAE and an affine transcoder of layer 9 are converted to
Gemma Scope 2's layout; transformers runs the text, NumPy codes and decodes in fp64 from the files, and forward hooks put in
what was decoded, each site's mean, or zero. Where sae-lens (requirements-conversions.txt) or dictionary-learning is
installed, their own evaluators measure the SAE on the same tokens. Exits with 1 when a row is outside its limit.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from scipy.stats import t as student
from transformers import AutoTokenizer, Gemma3ForCausalLM

from corpus import speeches

LAYER, CONTEXT, SEQUENCES = 9, 512, 3
NAMES = (f"resid_post/layer_{LAYER}_width_2k_l0_60", f"transcoder/layer_{LAYER}_width_640_l0_30_affine")


class Model:
    """transformers with the sites of one layer to read and to replace."""

    def __init__(self, folder: Path):
        self.model = Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        layer = self.model.model.layers[LAYER]
        self.modules = {
            f"resid_post.{LAYER}": layer,
            f"mlp_in.{LAYER}": layer.pre_feedforward_layernorm,
            f"mlp_out.{LAYER}": layer.post_feedforward_layernorm,
        }

    @torch.no_grad()
    def run(self, ids: np.ndarray, replaced: dict | None = None):
        """Activations by site, [tokens, d], and the logits; `replaced` is what a site becomes at all but the first token."""
        found, handles = {}, []

        def hook(site):
            def read(module, inputs, output):
                x = output[0] if isinstance(output, tuple) else output
                found[site] = x[0].double().numpy().copy()
                if not replaced or site not in replaced:
                    return None
                new = x.clone()
                new[0, 1:] = torch.from_numpy(replaced[site][1:]).float()
                return (new, *output[1:]) if isinstance(output, tuple) else new

            return read

        for site, module in self.modules.items():
            handles.append(module.register_forward_hook(hook(site)))
        try:
            logits = self.model(torch.from_numpy(ids)[None]).logits[0]
        finally:
            for handle in handles:
                handle.remove()
        return found, logits

    @staticmethod
    @torch.no_grad()
    def losses(logits: torch.Tensor, clean: torch.Tensor, ids: np.ndarray) -> tuple[float, float]:
        """Σ −log p(next) and Σ KL(clean ‖ this), over every prediction, in fp64."""
        loss = divergence = 0.0
        target = torch.from_numpy(ids[1:])
        for start in range(0, len(ids) - 1, 64):
            rows = slice(start, min(start + 64, len(ids) - 1))
            new, old = (x[rows].double().log_softmax(-1) for x in (logits, clean))
            loss -= new.gather(1, target[rows, None]).sum().item()
            divergence += (old.exp() * (old - new)).sum().item()
        return loss, divergence


class Dictionary:
    """Gemma Scope 2's layout, in NumPy: f = z·[z > θ] with z = x W + b; x̂ = f D + b', and x·skip where there is one."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.p = {name: value.astype(np.float64) for name, value in load_file(folder / "params.safetensors").items()}

    def encode(self, x):
        z = x @ self.p["w_enc"] + self.p["b_enc"]
        return np.where(z > np.maximum(self.p["threshold"], 0), z, 0)

    def decode(self, f, x):
        out = f @ self.p["w_dec"] + self.p["b_dec"]
        return out + x @ self.p["affine_skip_connection"] if "affine_skip_connection" in self.p else out


def ratio(a, b, offset=0.0, sign=1.0):
    """A / B over sequences with its 95 % interval (Cochran 1977, section 6.4)."""
    a, b = np.asarray(a, float) * sign, np.asarray(b, float)
    value, count = a.sum() / b.sum(), len(a)
    error = np.sqrt(count / (count - 1) * np.sum((a - value * b) ** 2)) / abs(b.sum())
    half = error * student.ppf(0.975, count - 1)
    return value + offset, value + offset - half, value + offset + half


def expected(model: Model, dictionary: Dictionary, reads: str, writes: str, sequences: list) -> dict:
    runs = []
    for ids in sequences:
        found, clean = model.run(ids)
        x, y = found[reads], found[writes]
        code = dictionary.encode(x)
        runs.append({"ids": ids, "clean": clean, "y": y[1:], "code": code[1:], "all": dictionary.decode(code, x)})
    mean = np.concatenate([run["y"] for run in runs]).mean(0)
    sums = {name: [] for name in ("n", "l0", "e", "v", "cos", "ratio", "out", "dot", "p")}
    losses = {name: [] for name in ("clean", "spliced", "mean", "zero", "kl")}
    fired = 0
    for run in runs:
        y, z = run["y"], run["all"][1:]
        lengths, outputs = np.linalg.norm(y, axis=1), np.linalg.norm(z, axis=1)
        fired = fired + (run["code"] > 0).sum(0)
        for name, value in {
            "n": len(y), "l0": (run["code"] > 0).sum(), "e": ((y - z) ** 2).sum(), "v": ((y - mean) ** 2).sum(),
            "cos": ((y * z).sum(1) / lengths / outputs).sum(), "ratio": (outputs / lengths).sum(),
            "out": (z**2).sum(), "dot": (y * z).sum(), "p": len(run["ids"]) - 1,
        }.items():  # fmt: skip
            sums[name].append(value)
        losses["clean"].append(model.losses(run["clean"], run["clean"], run["ids"])[0])
        for name, new in {"spliced": run["all"], "mean": np.tile(mean, (len(run["ids"]), 1)),
                          "zero": np.zeros_like(run["all"])}.items():  # fmt: skip
            _, logits = model.run(run["ids"], {writes: new})
            loss, divergence = model.losses(logits, run["clean"], run["ids"])
            losses[name].append(loss)
            if name == "spliced":
                losses["kl"].append(divergence)
    s, loss = {k: np.array(v, float) for k, v in sums.items()}, {k: np.array(v) for k, v in losses.items()}
    saved = {name: ratio(loss[name] - loss["spliced"], loss[name] - loss["clean"]) for name in ("mean", "zero")}
    return {
        "l0": ratio(s["l0"], s["n"]), "mse": ratio(s["e"], s["n"]), "fvu": ratio(s["e"], s["v"]),
        "explained_variance": ratio(s["e"], s["v"], 1, -1), "cosine": ratio(s["cos"], s["n"]),
        "reconstruction_bias": ratio(s["out"], s["dot"]), "norm_ratio": ratio(s["ratio"], s["n"]),
        "dead features": int((fired == 0).sum()),
        "loss": ratio(loss["clean"], s["p"]), "spliced loss": ratio(loss["spliced"], s["p"]),
        "mean-ablated loss": ratio(loss["mean"], s["p"]), "zero-ablated loss": ratio(loss["zero"], s["p"]),
        "delta loss": ratio(loss["spliced"] - loss["clean"], s["p"]), "KL": ratio(loss["kl"], s["p"]),
        "recovered of mean": saved["mean"], "recovered of zero": saved["zero"],
    }  # fmt: skip


def measured(report: dict, entry: dict) -> dict:
    def interval(estimate):
        return estimate["value"], estimate["low"], estimate["high"]

    splice = entry["splice"]
    out = {name: interval(value) for name, value in entry["metrics"].items()}
    out |= {"dead features": entry["density"]["dead"], "loss": interval(report["loss"])}
    names = {"spliced loss": "loss", "mean-ablated loss": "mean_ablated_loss", "zero-ablated loss": "zero_ablated_loss",
             "delta loss": "delta_loss", "KL": "kl"}  # fmt: skip
    out |= {ours: interval(splice[theirs]) for ours, theirs in names.items()}
    return out | {f"recovered of {r['baseline']}": interval(r["value"]) for r in splice["recovered"]}


def saelens(model: Model, folder: Path, sequences: list) -> tuple[dict, dict]:
    """SAELens' own evaluator on the SAE, all sequences as one batch and each as a batch; the stubs only hand it the tokens
    and the activations."""
    from types import SimpleNamespace

    from sae_lens import SAE
    from sae_lens.evals import get_sparsity_and_variance_metrics
    from sae_lens.training.activation_scaler import ActivationScaler

    sae = SAE.load_from_disk(str(folder))
    found = {ids.tobytes(): torch.from_numpy(model.run(ids)[0][f"resid_post.{LAYER}"]).float() for ids in sequences}

    def run_with_cache(batch, **_):
        return None, {sae.cfg.metadata.hook_name: torch.stack([found[ids.numpy().tobytes()] for ids in batch])}

    def evaluate(batches: list):
        rest = iter(torch.from_numpy(np.stack(batch)) for batch in batches)
        return get_sparsity_and_variance_metrics(
            sae, SimpleNamespace(run_with_cache=run_with_cache), SimpleNamespace(get_batch_tokens=lambda n: next(rest)),
            ActivationScaler(), n_batches=len(batches), compute_l2_norms=True, compute_sparsity_metrics=True,
            compute_variance_metrics=True, compute_featurewise_density_statistics=True,
            eval_batch_size_prompts=len(batches[0]), model_kwargs={}, ignore_tokens=[2])  # fmt: skip

    (whole, features), (single, _) = evaluate([sequences]), evaluate([[ids] for ids in sequences])
    return {
        "l0": whole["l0"], "mse": whole["mse"], "cosine": whole["cossim"], "norm_ratio": whole["l2_ratio"],
        "explained_variance": whole["explained_variance"],
        "reconstruction_bias": whole["relative_reconstruction_bias"],
        "dead features": sum(density == 0 for density in features["feature_density"]),
    }, {
        "saelens explained_variance_legacy": single["explained_variance_legacy"],
        "saebench relative_reconstruction_bias": single["relative_reconstruction_bias"],
    }  # fmt: skip


def dictionary_learning(model: Model, dictionary: Dictionary, sequences: list) -> dict:
    """dictionary_learning's evaluator on the SAE, every sequence a batch."""
    from types import SimpleNamespace

    # The package imports nnsight for harvesting from models, which nothing here does.
    sys.modules.setdefault("nnsight", SimpleNamespace(LanguageModel=object))
    from dictionary_learning.evaluation import evaluate

    class Wrapped:
        dict_size = dictionary.p["w_dec"].shape[0]

        def __call__(self, x, output_features):
            f = dictionary.encode(x.numpy())
            return torch.from_numpy(dictionary.decode(f, x.numpy())), torch.from_numpy(f)

    rows = [torch.from_numpy(model.run(ids)[0][f"resid_post.{LAYER}"][1:]) for ids in sequences]
    found = evaluate(Wrapped(), iter(rows), n_batches=len(rows))
    return {f"dictionary_learning {name}": found[name] for name in ("frac_variance_explained", "l2_loss")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--hf", type=Path, required=True)
    parser.add_argument("--gscope", type=Path, required=True)
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where the text is kept")
    options = parser.parse_args()

    def gscope(*arguments) -> str:
        command = [str(options.gscope), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        # One document, cut so that it fills the sequences.
        prose = "\n".join(speeches(options.cache))[:20_000]
        ids = AutoTokenizer.from_pretrained(options.hf)(prose)["input_ids"][1:]
        sequences = [np.array([2, *ids[i * (CONTEXT - 1) : (i + 1) * (CONTEXT - 1)]]) for i in range(SEQUENCES)]
        (place / "text.txt").write_text(prose)
        folders = []
        for number, name in enumerate(NAMES):
            folders.append(place / str(number))
            gscope("convert", options.suite / name, "--to", "gemma-scope-2", "--output", folders[-1])
        tokens = SEQUENCES * (CONTEXT - 1)
        report = json.loads(gscope(
            "evaluate", "--model", options.model, "--dictionary", folders[0], "--dictionary", folders[1], "--corpus",
            place / "text.txt", "--context", CONTEXT, "--tokens", tokens, "--loss-tokens", tokens, "--json"))  # fmt: skip
        assert report["sequences"] == SEQUENCES and report["loss_sequences"] == SEQUENCES, report
        model = Model(options.hf)
        print("| dictionary | figure | gscope | transformers and NumPy | largest difference | limit | |\n|---|---|---|---|---|---|---|")
        good = True
        for entry, folder in zip(report["dictionaries"], folders):
            found = measured(report, entry)
            want = expected(model, Dictionary(folder), entry["reads"][0], entry["writes"][0], sequences)
            good &= rows(f"{entry['kind']} {entry['writes'][0]}", found, want)
        entry = report["dictionaries"][0]
        others = {f"{tool} {name}": value for tool in ("saelens", "saebench", "dictionary_learning")
                  for name, value in entry["sites"][0]["others"][tool].items()}  # fmt: skip
        if importlib.util.find_spec("sae_lens"):
            gscope("convert", folders[0], "--to", "saelens", "--output", place / "saelens")
            whole, single = saelens(model, place / "saelens", sequences)
            good &= rows("SAE, SAELens' evaluator", measured(report, entry), whole)
            good &= rows("SAE, its formulas", others, single)
        if importlib.util.find_spec("dictionary_learning"):
            theirs = dictionary_learning(model, Dictionary(folders[0]), sequences)
            good &= rows("SAE, dictionary_learning's evaluator", others, theirs)
    sys.exit(0 if good else 1)


def rows(name: str, found: dict, want: dict) -> bool:
    good = True
    for figure, value in want.items():
        ours = found[figure]
        # A token may gain or lose a feature by rounding, a feature may come to life by it.
        limit = 3 if figure == "dead features" else 2e-3 if figure in ("l0", "delta loss", "KL") or "recovered" in figure else 5e-4
        # SAELens gives no interval.
        pairs = list(zip(ours, value)) if isinstance(value, tuple) else [(ours[0] if isinstance(ours, tuple) else ours, value)]
        scale = 1 if figure == "dead features" else max(abs(pairs[0][1]), 1e-9)
        difference = max(abs(a - b) / scale for a, b in pairs)
        ok = difference <= limit
        good &= ok
        print(f"| {name} | {figure} | {text(ours)} | {text(value)} | {difference:.1e} | {limit:g} | {'ok' if ok else 'MISS'} |")
    return good


def text(value) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:.5g} [{value[1]:.5g}, {value[2]:.5g}]"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
