"""The evaluators of SAELens, SAEBench and dictionary_learning themselves, on the activations of one SAE.

Each is None where its package is not installed. The stubs only hand them tokens and activations.
"""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from scipy.optimize import linear_sum_assignment

from parity_twin import Part

BOS = 2


def has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def handed(sequences: list, activations: list, batches: list, hook: str):
    """A model that finds the activations of tokens, and a store that gives batches of sequences."""
    found = {ids.tobytes(): x for ids, x in zip(sequences, activations)}
    rest = iter(torch.from_numpy(np.stack(batch)) for batch in batches)

    def run_with_cache(batch, **_):
        return None, {hook: torch.stack([found[ids.numpy().tobytes()] for ids in batch])}

    return SimpleNamespace(run_with_cache=run_with_cache), SimpleNamespace(get_batch_tokens=lambda n: next(rest))


def asked(batches: list) -> dict:
    return dict(
        n_batches=len(batches), compute_l2_norms=True, compute_sparsity_metrics=True, compute_variance_metrics=True,
        compute_featurewise_density_statistics=True, eval_batch_size_prompts=len(batches[0]), model_kwargs={},
    )  # fmt: skip


def saelens(folder: Path, sequences: list, activations: list):
    """SAELens' evaluator, all sequences as one batch and each as a batch: (figures named as ours, its own formulas)."""
    if not has("sae_lens"):
        return None
    from sae_lens import SAE
    from sae_lens.evals import get_sparsity_and_variance_metrics
    from sae_lens.training.activation_scaler import ActivationScaler

    sae = SAE.load_from_disk(str(folder))

    def evaluate(batches: list):
        model, store = handed(sequences, [torch.from_numpy(x).float() for x in activations], batches,
                              sae.cfg.metadata.hook_name)  # fmt: skip
        return get_sparsity_and_variance_metrics(
            sae, model, store, ActivationScaler(), ignore_tokens=[BOS], **asked(batches))

    (whole, features), (single, _) = evaluate([sequences]), evaluate([[ids] for ids in sequences])
    return {
        "l0": whole["l0"], "mse": whole["mse"], "cosine": whole["cossim"], "norm_ratio": whole["l2_ratio"],
        "explained_variance": whole["explained_variance"],
        "reconstruction_bias": whole["relative_reconstruction_bias"],
        "dead features": sum(density == 0 for density in features["feature_density"]),
    }, {
        "saelens explained_variance_legacy": single["explained_variance_legacy"],
        "saelens relative_reconstruction_bias": single["relative_reconstruction_bias"],
    }  # fmt: skip


def saebench(part: Part, sequences: list, activations: list):
    """SAEBench's core evaluator, each sequence a batch: what it prints that is not named or reckoned as ours."""
    if not has("sae_bench"):
        return None
    from sae_bench.evals.core.main import get_sparsity_and_variance_metrics

    hook = "blocks.0.hook_resid_post"
    width = part.original.layers[0]["b_enc"].size
    sae = SimpleNamespace(
        cfg=SimpleNamespace(hook_name=hook, hook_layer=0, hook_head_index=None, d_sae=width), device="cpu",
        encode=lambda x: torch.from_numpy(part.code(x.numpy(), 0)),
        decode=lambda f: torch.from_numpy(part.write([f.numpy()], [None], 0)))  # fmt: skip
    batches = [[ids] for ids in sequences]
    model, store = handed(sequences, [torch.from_numpy(x) for x in activations], batches, hook)
    found, _ = get_sparsity_and_variance_metrics(sae, model, store, ignore_tokens={BOS}, **asked(batches))
    names = ("explained_variance_legacy", "mse", "relative_reconstruction_bias")
    # So near 1 that only what it lacks of 1 can be compared.
    return {"saebench 1 - explained_variance": 1 - found["explained_variance"]} | {
        f"saebench {name}": found[name] for name in names
    }


def dictionary_learning(part: Part, activations: list):
    """dictionary_learning's evaluator, every sequence a batch."""
    if not has("dictionary_learning"):
        return None
    # The package imports nnsight for harvesting from models, which nothing here does.
    sys.modules.setdefault("nnsight", SimpleNamespace(LanguageModel=object))
    from dictionary_learning.evaluation import evaluate

    class Wrapped:
        dict_size = part.original.layers[0]["b_enc"].size

        def __call__(self, x, output_features):
            f = part.code(x.numpy(), 0)
            return torch.from_numpy(part.write([f], [None], 0)), torch.from_numpy(f)

    rows = [torch.from_numpy(x[1:]) for x in activations]
    found = evaluate(Wrapped(), iter(rows), n_batches=len(rows))
    return {f"dictionary_learning {name}": found[name] for name in ("frac_variance_explained", "l2_loss")}


def reseeded(folder: Path, output: Path) -> None:
    """The SAE with its features in another order and each turned at random: its cosine with what it was is 0.4 to 1."""
    random = np.random.default_rng(20260101)
    p = load_file(folder / "params.safetensors")
    order = random.permutation(p["w_dec"].shape[0])
    rows = p["w_dec"][order].astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    noise = random.standard_normal(rows.shape)
    noise *= random.uniform(0, 2, (len(rows), 1)) / np.linalg.norm(noise, axis=1, keepdims=True)
    p |= {name: np.ascontiguousarray(p[name][order]) for name in ("b_enc", "threshold")}
    p |= {"w_enc": np.ascontiguousarray(p["w_enc"][:, order]), "w_dec": (rows + noise).astype(np.float32)}
    output.mkdir()
    save_file(p, output / "params.safetensors")
    (output / "config.json").write_text((folder / "config.json").read_text())


def consistency(a: Path, b: Path) -> dict:
    """Cosines of decoder rows matched one to one, by SciPy in fp64; and SAELens' function, which takes absolute ones."""
    rows = [load_file(folder / "params.safetensors")["w_dec"].astype(np.float64) for folder in (a, b)]
    rows = [r / np.linalg.norm(r, axis=1, keepdims=True) for r in rows]
    cosines = rows[0] @ rows[1].T
    matched = cosines[linear_sum_assignment(-cosines)]
    found = {
        "matched_cosine": matched.mean(), "mean_max_a": cosines.max(1).mean(), "mean_max_b": cosines.max(0).mean(),
        "share_over_0.5": (matched >= 0.5).mean(), "share_over_0.7": (matched >= 0.7).mean(),
        "share_over_0.9": (matched >= 0.9).mean(),
    }  # fmt: skip
    found = {name: float(value) for name, value in found.items()}
    if has("sae_lens"):
        from sae_lens.synthetic import mean_correlation_coefficient

        # Equal to the signed figure when no matched cosine is negative.
        found["matched_cosine, SAELens"] = mean_correlation_coefficient(*(torch.from_numpy(r) for r in rows))
    return found
