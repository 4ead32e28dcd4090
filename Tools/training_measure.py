"""Stored activations, and the one measurement that every dictionary of compare_training.py gets.

All figures are taken in the model's own units, from w_enc [d, F], b_enc, threshold, w_dec [F, d], b_dec:
  z = relu(x·w_enc + b_enc); f = z where z > threshold, else 0; x̂ = f·w_dec + b_dec
  l0   mean number of f > 0 a token
  fvu  Σ‖x − x̂‖² / Σ‖x − mean‖², the mean being that of the held-out activations
  dead_heldout, dead_training   share of features that fire on none of the held-out rows; of the store's last 50,000
Measured on the first 16,384 held-out rows. `matched` are l0, fvu and dead_heldout after all thresholds were multiplied by
one factor, chosen on training rows so that L0 there is the target: with the same L0 for all, FVUs compare.
"""

import json
import math
from pathlib import Path

import torch
from safetensors import safe_open

DEFINITIONS = 1  # raised when the meaning of a figure changes
HELDOUT_ROWS, CALIBRATION_ROWS, DEAD_ROWS, CHUNK = 16_384, 16_384, 50_000, 2_048
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


class Store:
    """What `gscope harvest` wrote for one site, in memory as stored (bf16 or fp32)."""

    def __init__(self, folder: Path, site: str):
        self.folder = folder
        parts = []
        for file in sorted(folder.glob("rows-*.safetensors")):
            with safe_open(file, "pt") as tensors:
                parts.append(tensors.get_tensor(site))
        if not parts:
            raise SystemExit(f"{folder}: no rows-*.safetensors; expected a folder that gscope harvest wrote")
        self.rows = torch.cat(parts)
        self.scale = math.sqrt(sum(part.double().square().sum().item() for part in parts) / len(self.rows))
        self.settings = json.loads((folder / "harvest.json").read_text())

    def batches(self, size: int, seed: int):
        """Endless batches of mean square norm 1 in fp32; every pass over the store is a permutation of its own."""
        generator = torch.Generator().manual_seed(seed)
        pending = torch.empty(0, dtype=torch.long)
        while True:
            while len(pending) < size:
                pending = torch.cat([pending, torch.randperm(len(self.rows), generator=generator)])
            yield self.rows[pending[:size]].float() / self.scale
            pending = pending[size:]


def unscaled(weights: dict, scale: float) -> dict:
    """Weights for activations divided by `scale`, as weights for the activations themselves."""
    return weights | {name: weights[name] * scale for name in ("b_enc", "threshold", "b_dec")}


def encode(weights: dict, rows, factor: float = 1.0):
    z = torch.relu(torch.addmm(weights["b_enc"], rows.float(), weights["w_enc"]))
    return z * (z > weights["threshold"] * factor)


@torch.no_grad()
def silent(weights: dict, rows) -> float:
    """Share of features that fire on none of the rows."""
    alive = torch.zeros(len(weights["b_enc"]), dtype=torch.bool)
    for chunk in rows.split(CHUNK):
        alive |= (encode(weights, chunk) > 0).any(0)
    return 1 - alive.float().mean().item()


@torch.no_grad()
def figures(weights: dict, heldout, factor: float = 1.0) -> dict:
    mean = heldout.float().mean(0)
    error = variance = 0.0
    counts = torch.zeros(len(weights["b_enc"]))
    for chunk in heldout.split(CHUNK):
        codes = encode(weights, chunk, factor)
        counts += (codes > 0).sum(0)
        rebuilt = torch.addmm(weights["b_dec"], codes, weights["w_dec"])
        error += (chunk.float() - rebuilt).square().sum(1).double().sum().item()
        variance += (chunk.float() - mean).square().sum(1).double().sum().item()
    return {
        "l0": counts.sum().item() / len(heldout), "fvu": error / variance,
        "dead_heldout": (counts == 0).float().mean().item(),
    }  # fmt: skip


@torch.no_grad()
def matching_factor(weights: dict, rows, l0: float) -> float:
    """The factor on all thresholds at which `rows` have the mean L0: the (l0·rows)-th largest z / threshold."""
    threshold = weights["threshold"].clamp_min(1e-6 * weights["threshold"].abs().max().clamp_min(1e-6))
    ratios = []
    wanted = round(l0 * len(rows))
    for chunk in rows.split(CHUNK):
        z = torch.relu(torch.addmm(weights["b_enc"], chunk.float(), weights["w_enc"])) / threshold
        ratios.append(z[z > 0])
    ratios = torch.cat(ratios)
    if len(ratios) <= wanted:
        return 0.0
    return ratios.kthvalue(len(ratios) - wanted).values.item()


def measure(weights: dict, heldout, training, l0: float) -> dict:
    """Own thresholds, then thresholds matched in L0."""
    weights = {name: value.detach().float() for name, value in weights.items()}
    heldout = heldout[:HELDOUT_ROWS]
    own = figures(weights, heldout) | {"dead_training": silent(weights, training[-DEAD_ROWS:])}
    clamped = weights["threshold"].clamp_min(1e-6 * weights["threshold"].abs().max().clamp_min(1e-6))
    weights = weights | {"threshold": clamped}
    factor = matching_factor(weights, training[-CALIBRATION_ROWS:], l0)
    return own | {"matched": {"factor": factor} | figures(weights, heldout, factor)}


def interval(values: list[float]) -> tuple[float, float]:
    """Mean, and half the width of the 95 % interval of Student's t (nan for one value)."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean, T_975[len(values) - 1] * deviation / math.sqrt(len(values))
