"""Gradients and interventions that the Gemma fixtures hold, computed by the twin in fp64."""

import torch

from gemma_twin import EXACT, FROZEN, FROZEN_MLP_BLOCKED, Twin, site_names

MODES = {"exact": EXACT, "frozen": FROZEN, "frozen_mlp_blocked": FROZEN_MLP_BLOCKED}


def gradients(twin: Twin, tokens: torch.Tensor, chosen: str) -> tuple[dict[str, torch.Tensor], dict]:
    """Gradients of the chosen cases in every mode, and the cases' descriptions."""
    generator = torch.Generator().manual_seed(77)
    order, last = site_names(twin.shape.layers), len(tokens) - 1
    cases = {
        "a": {"kind": "logit_difference", "position": last, "token": 17, "minus": 101},
        "b": {"kind": "logprob", "position": 12, "token": 55},
        "c": {"kind": "site", "site": "resid_post.5", "position": last},
        "d": {"kind": "site", "site": "mlp_in.4", "position": 10},
        "e": {"kind": "site", "site": "attn_out.6", "position": last},
    }
    cases = {name: case for name, case in cases.items() if name in chosen}
    result = {}
    for mode, freeze in MODES.items():
        logits, sites = twin.forward(tokens, freeze)
        for name, case in cases.items():
            if freeze.mlp and name not in "ac":
                continue
            position, earlier = case["position"], order
            if case["kind"] == "logit_difference":
                scalar = logits[position, case["token"]] - logits[position, case["minus"]]
            elif case["kind"] == "logprob":
                scalar = logits[position].log_softmax(-1)[case["token"]]
            else:
                target = sites[case["site"]][position]
                key = f"cotangent.{name}"
                result.setdefault(key, torch.randn(target.shape, generator=generator))
                scalar, earlier = target @ result[key].double(), order[: order.index(case["site"])]
            values = torch.autograd.grad(
                scalar, [sites[s] for s in earlier], retain_graph=True, allow_unused=True, materialize_grads=True
            )
            for site, value in zip(earlier, values):
                if freeze.mlp and site.startswith("mlp_in"):
                    assert not value.any()
                else:
                    result[f"grad.{mode}.{name}.{site}"] = value.float()
    return result, cases


@torch.no_grad()
def interventions(twin: Twin, tokens: torch.Tensor) -> tuple[dict[str, torch.Tensor], dict]:
    generator = torch.Generator().manual_seed(78)
    vector = torch.randn(twin.shape.hidden, generator=generator)
    unit = vector.double() / vector.double().norm()

    def at(positions, edit):
        def apply(x):
            x = x.clone()
            x[positions] = edit(x[positions])
            return x

        return apply

    rest, everywhere = slice(1, None), slice(None)
    all_but_first, everything = {"from": 1, "to": len(tokens)}, "all"
    table = {
        "add": ("resid_post.3", all_but_first, 2.5, at(rest, lambda x: x + 2.5 * vector.double())),
        "orthogonal": ("resid_post.2", everything, None, at(everywhere, lambda x: x - (x @ unit)[:, None] * unit)),
        "orthogonal_at": ("resid_post.2", [4, 9], None, at([4, 9], lambda x: x - (x @ unit)[:, None] * unit)),
        "zero_mlp_out": ("mlp_out.4", everything, None, at(everywhere, lambda x: x * 0)),
        "zero_attn_out": ("attn_out.5", all_but_first, None, at(rest, lambda x: x * 0)),
    }
    result, described = {"iv.vector": vector}, {}
    for name, (site, positions, value, edit) in table.items():
        with torch.enable_grad():
            result[f"iv.{name}.logits"] = twin.forward(tokens, edits={site: edit})[0].detach().float()
        described[name] = {"site": site, "positions": positions, "value": value}
    return result, described
