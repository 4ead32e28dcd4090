"""SAEDashboard over the same tokens and dictionaries as an atlas, for bench_atlas.py.

Its own `SaeVisRunner` with its own defaults (256 features at a time, the model run again for each block, 64 sequences at a
time) makes the dashboards' data; dictionaries come from SAELens. TransformerLens knows Gemma 3 by name alone and would fetch
it from a hub, so the model is transformers', stopped behind the layer as TransformerLens would stop it, behind the few names
that SAEDashboard calls.
"""

import re
from pathlib import Path

import numpy as np

SPECIAL = {0, 1, 2, 3, 4, 5, 105, 106}


class HookPoint:
    def __init__(self):
        self.ctx = {}


class Stopped(Exception):
    """The layer that was asked for has been reached."""


class HookedGemma:
    """A Gemma 3 of transformers as SAEDashboard sees a model: hooks by TransformerLens' names, W_U, W_O."""

    def __init__(self, folder: Path):
        import torch
        from transformers import Gemma3ForCausalLM

        model = Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.model, self.layers, self.tokenizer = model.model, model.model.layers, None
        self.W_U = model.lm_head.weight.detach().T
        heads = model.config.num_attention_heads
        # [heads, head_dim, d]
        self.W_O = [layer.self_attn.o_proj.weight.detach().T.unflatten(0, (heads, -1)) for layer in self.layers]
        self.heads = heads
        points = ("hook_resid_post", "hook_mlp_in", "hook_mlp_out", "attn.hook_z")
        self.hook_dict = {f"blocks.{i}.{point}": HookPoint() for i in range(len(self.layers)) for point in points}

    def run_with_hooks(self, tokens, stop_at_layer: int, fwd_hooks: list):
        import torch

        handles = [self.attach(name, hook) for name, hook in fwd_hooks]

        def stop(*_):
            raise Stopped

        if stop_at_layer < len(self.layers):
            handles.append(self.layers[stop_at_layer].register_forward_pre_hook(stop))
        try:
            with torch.no_grad():
                self.model(tokens)
        except Stopped:
            pass
        for handle in handles:
            handle.remove()

    def attach(self, name: str, hook):
        layer, point = re.fullmatch(r"blocks\.(\d+)\.(.+)", name).groups()
        layer, place = self.layers[int(layer)], self.hook_dict[name]
        if point == "attn.hook_z":
            # TransformerLens gives z as [batch, position, head, head_dim].
            return layer.self_attn.o_proj.register_forward_pre_hook(
                lambda _, inputs: hook(inputs[0].unflatten(-1, (self.heads, -1)), place))  # fmt: skip
        module = {"hook_resid_post": layer, "hook_mlp_in": layer.pre_feedforward_layernorm,
                  "hook_mlp_out": layer.post_feedforward_layernorm}[point]  # fmt: skip

        def observe(_, __, out):
            hook(out[0] if isinstance(out, tuple) else out, place)

        return module.register_forward_hook(observe)


def padded(sequences: list, tokens: int):
    """Sequences as rows of one length; those tokens that an atlas of `tokens` tokens no longer counts become padding."""
    import torch

    rows = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        rows[row, : len(sequence)] = torch.from_numpy(sequence.astype(np.int64))
    ordinary = ~torch.isin(rows, torch.tensor(sorted(SPECIAL)))
    return rows * (ordinary.flatten().cumsum(0).view_as(rows) <= tokens)


def dashboards(model: HookedGemma, folder: Path, tokens) -> dict:
    """Makes SAEDashboard's data of one dictionary (SAELens's layout); in how many places features fire, to compare with."""
    from sae_dashboard.sae_vis_data import SaeVisConfig
    from sae_dashboard.sae_vis_runner import SaeVisRunner
    from sae_lens import SAE

    encoder = SAE.load_from_disk(folder, device="cpu")
    settings = SaeVisConfig(hook_point=encoder.cfg.metadata.hook_name, features=list(range(encoder.cfg.d_sae)),
                            ignore_tokens=SPECIAL)  # fmt: skip
    data = SaeVisRunner(settings).run(encoder=encoder, model=model, tokens=tokens)
    histograms = [data.feature_data_dict[index].acts_histogram_data for index in range(encoder.cfg.d_sae)]
    return {"count": np.array([sum(histogram.bar_heights) for histogram in histograms])}
