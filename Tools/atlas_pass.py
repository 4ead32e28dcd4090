"""A plain PyTorch pass that gathers what a feature dashboard shows, for bench_atlas.py.

`Pass` runs transformers over the sequences of an atlas and keeps the sites that are asked for; `dashboard` goes over the
features of one dictionary.
"""

from pathlib import Path

import numpy as np

CONTEXT, BLOCK, BEFORE, BEHIND, BEST, BINS = 256, 256, 24, 8, 16, 50
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


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
