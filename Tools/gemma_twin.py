"""A small, plain Gemma 3 in PyTorch with the switches that the fixtures need.

It computes one sequence at a time from a flat dictionary of weights (Hugging Face names, without the
`language_model` level), names every site, detaches what a linearised model holds constant, and applies
interventions at sites. The fixture maker checks its logits and sites against transformers first.

Sites, in model order within layer L: `attn_out.L` (heads concatenated, before o_proj), `mlp_in.L` (output of
pre_feedforward_layernorm), `mlp_out.L` (output of post_feedforward_layernorm), `resid_post.L`. `embed` comes first.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Edit = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Freeze:
    """What counts as a constant in the backward pass."""

    attention: bool = False  # patterns: no gradient through q, k and their norms
    norms: bool = False  # denominators of the block norms and the final norm
    mlp: bool = False  # mlp_out as a whole


EXACT = Freeze()
FROZEN = Freeze(attention=True, norms=True)
FROZEN_MLP_BLOCKED = Freeze(attention=True, norms=True, mlp=True)


@dataclass(frozen=True)
class Shape:
    """The numbers of a text configuration that the forward pass reads."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    epsilon: float
    window: int
    is_global: tuple[bool, ...]
    global_theta: float
    global_factor: float
    local_theta: float

    @staticmethod
    def of(config) -> "Shape":
        rope = config.rope_parameters
        return Shape(
            hidden=config.hidden_size,
            layers=config.num_hidden_layers,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_dim=config.head_dim,
            scale=config.query_pre_attn_scalar**-0.5,
            epsilon=config.rms_norm_eps,
            window=config.sliding_window,
            is_global=tuple(kind == "full_attention" for kind in config.layer_types),
            global_theta=rope["full_attention"]["rope_theta"],
            global_factor=rope["full_attention"].get("factor", 1.0),
            local_theta=rope["sliding_attention"]["rope_theta"],
        )


def site_names(layers: int) -> list[str]:
    """Every site in model order."""
    kinds = ("attn_out", "mlp_in", "mlp_out", "resid_post")
    return ["embed"] + [f"{kind}.{layer}" for layer in range(layers) for kind in kinds]


class Twin:
    def __init__(self, shape: Shape, weights: dict[str, Tensor], dtype: torch.dtype):
        self.shape = shape
        self.dtype = dtype
        self.weights = {name: value.to(dtype) for name, value in weights.items()}

    def forward(
        self, tokens: Tensor, freeze: Freeze = EXACT, edits: dict[str, Edit] | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits [T, V] and every site [T, width]; `edits` rewrite a site before anything reads it."""
        edits, sites, shape = edits or {}, {}, self.shape

        def site(name: str, value: Tensor) -> Tensor:
            sites[name] = edits[name](value) if name in edits else value
            return sites[name]

        embedding = self.weights["model.embed_tokens.weight"]
        x = site("embed", (embedding[tokens] * shape.hidden**0.5).requires_grad_())
        for layer in range(shape.layers):
            h = self._norm(x, f"model.layers.{layer}.input_layernorm", freeze)
            z = site(f"attn_out.{layer}", self._heads(h, layer, freeze))
            h = self._linear(z, layer, "self_attn.o_proj")
            x = x + self._norm(h, f"model.layers.{layer}.post_attention_layernorm", freeze)

            h = site(f"mlp_in.{layer}", self._norm(x, f"model.layers.{layer}.pre_feedforward_layernorm", freeze))
            gate = torch.nn.functional.gelu(self._linear(h, layer, "mlp.gate_proj"), approximate="tanh")
            h = self._linear(gate * self._linear(h, layer, "mlp.up_proj"), layer, "mlp.down_proj")
            h = self._norm(h, f"model.layers.{layer}.post_feedforward_layernorm", freeze)
            h = h.detach().requires_grad_() if freeze.mlp else h
            x = site(f"resid_post.{layer}", x + site(f"mlp_out.{layer}", h))
        return self._norm(x, "model.norm", freeze) @ embedding.T, sites

    def _linear(self, x: Tensor, layer: int, name: str) -> Tensor:
        return x @ self.weights[f"model.layers.{layer}.{name}.weight"].T

    def _norm(self, x: Tensor, name: str, freeze: Freeze) -> Tensor:
        reciprocal = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.shape.epsilon)
        return x * (reciprocal.detach() if freeze.norms else reciprocal) * (1 + self.weights[f"{name}.weight"])

    def _heads(self, h: Tensor, layer: int, freeze: Freeze) -> Tensor:
        shape, length = self.shape, h.shape[0]
        split = lambda name, count: self._linear(h, layer, f"self_attn.{name}").view(length, count, shape.head_dim)
        normed = lambda name, value: self._norm(value, f"model.layers.{layer}.self_attn.{name}", EXACT)
        repeat = lambda value: value.repeat_interleave(shape.heads // shape.kv_heads, dim=1)
        q = self._rotate(normed("q_norm", split("q_proj", shape.heads)), layer)
        k = self._rotate(normed("k_norm", split("k_proj", shape.kv_heads)), layer)
        scores = torch.einsum("qhd,khd->hqk", q, repeat(k)) * shape.scale
        distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
        visible = distance >= 0
        if not shape.is_global[layer]:
            visible = visible & (distance < shape.window)
        pattern = scores.masked_fill(~visible, -torch.inf).softmax(-1)
        pattern = pattern.detach() if freeze.attention else pattern
        return torch.einsum("hqk,khd->qhd", pattern, repeat(split("v_proj", shape.kv_heads))).reshape(length, -1)

    def _rotate(self, x: Tensor, layer: int) -> Tensor:
        shape = self.shape
        theta, factor = (
            (shape.global_theta, shape.global_factor) if shape.is_global[layer] else (shape.local_theta, 1.0)
        )
        frequencies = 1 / (theta ** (torch.arange(0, shape.head_dim, 2, dtype=self.dtype) / shape.head_dim) * factor)
        angles = torch.arange(x.shape[0], dtype=self.dtype)[:, None] * frequencies
        cos, sin = (f(angles).repeat(1, 2)[:, None, :] for f in (torch.cos, torch.sin))
        first, second = x.chunk(2, dim=-1)
        return x * cos + torch.cat([-second, first], dim=-1) * sin
