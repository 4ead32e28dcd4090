"""The real model in transformers, with sites to read and to replace, and dictionaries put in while it runs."""

from pathlib import Path

import numpy as np
import torch
from transformers import Gemma3ForCausalLM

from check_conversions import Original

MODULES = {"mlp_in": "pre_feedforward_layernorm", "mlp_out": "post_feedforward_layernorm"}


class Twin:
    """transformers, fp32. Only rows after <bos> are replaced, as gscope leaves special tokens alone."""

    def __init__(self, folder: Path):
        self.model = Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()

    def module(self, site: str):
        place, layer = site.split(".")
        layer = self.model.model.layers[int(layer)]
        return layer if place == "resid_post" else getattr(layer, MODULES[place])

    @torch.no_grad()
    def run(self, ids: np.ndarray, sites, change=None, logits=True):
        """Activations of `sites` in fp64, [tokens, d], as the model makes them before `change(site, x)` puts others in
        their place (None: as they are), and the logits, or None without `logits`."""
        found, handles = {}, []

        def hook(site):
            def read(module, inputs, output):
                x = output[0] if isinstance(output, tuple) else output
                found[site] = x[0].double().numpy().copy()
                new = change(site, found[site]) if change else None
                if new is None:
                    return None
                changed = x.clone()
                changed[0, 1:] = torch.from_numpy(new[1:]).float()
                return (changed, *output[1:]) if isinstance(output, tuple) else changed

            return read

        for site in sites:
            handles.append(self.module(site).register_forward_hook(hook(site)))
        try:
            run = self.model if logits else self.model.model
            result = run(torch.from_numpy(ids)[None])
        finally:
            for handle in handles:
                handle.remove()
        return found, result.logits[0] if logits else None


class Splice:
    """Puts dictionaries in the place of what they write while the model runs: each codes what earlier ones left."""

    def __init__(self, parts: list["Part"]):
        self.parts, self.codes, self.inputs = parts, [[] for _ in parts], [[] for _ in parts]

    @property
    def sites(self) -> list[str]:
        """In the order in which the model comes by them."""
        places = ("mlp_in", "mlp_out", "resid_post")
        found = {site for part in self.parts for site in part.reads + part.writes}
        return sorted(found, key=lambda site: (int(site.split(".")[1]), places.index(site.split(".")[0])))

    def __call__(self, site, x):
        new = None
        for part, codes, inputs in zip(self.parts, self.codes, self.inputs):
            if site in part.reads:
                inputs.append(x)
                codes.append(part.code(x, part.reads.index(site)))
            if site in part.writes:
                x = new = part.write(codes, inputs, part.writes.index(site))
        return new


class Part:
    """A dictionary in Gemma Scope 2's layout, by its formula in NumPy, fp64."""

    def __init__(self, folder: Path, reads: list[str], writes: list[str]):
        self.folder, self.original, self.reads, self.writes = folder, Original(folder), reads, writes

    def code(self, x, read):
        layer = self.original.layers[read]
        z = x @ layer["w_enc"] + layer["b_enc"]
        return np.where(z > np.maximum(layer["threshold"], 0), z, 0)

    def write(self, codes, inputs, write):
        """What is written at one site, from the codes of the reads up to it."""
        layers = self.original.layers
        y = layers[write]["b_dec"]
        for code, layer in zip(codes[: write + 1], layers):
            y = y + code @ (layer["w_dec"][:, write] if layer["w_dec"].ndim == 3 else layer["w_dec"])
        if self.original.affine:
            y = y + inputs[write] @ layers[write]["affine_skip_connection"]
        return y

    def apply(self, found: dict):
        """The code of each read, [tokens, F], and what is written, [writes, tokens, d]."""
        inputs = [found[site] for site in self.reads]
        codes = [self.code(x, read) for read, x in enumerate(inputs)]
        return codes, np.stack([self.write(codes, inputs, write) for write in range(len(self.writes))])


def losses(logits: torch.Tensor, clean: torch.Tensor, ids: np.ndarray, divergence=True):
    """−log p(next) and KL(clean ‖ this) of every prediction, in fp64; zeros for KL where it is not asked for."""
    loss, kl = np.zeros(len(ids) - 1), np.zeros(len(ids) - 1)
    target = torch.from_numpy(ids[1:])
    for start in range(0, len(ids) - 1, 64):
        rows = slice(start, min(start + 64, len(ids) - 1))
        new = logits[rows].double().log_softmax(-1)
        loss[rows] = -new.gather(1, target[rows, None])[:, 0].numpy()
        if divergence:
            old = clean[rows].double().log_softmax(-1)
            kl[rows] = (old.exp() * (old - new)).sum(-1).numpy()
    return loss, kl
