"""Makes Tests/Fixtures/dictionaries: tiny dictionaries in the layouts of Gemma Scope 2 and 1, with expected results.

    python Tools/make_dictionary_fixtures.py [--fixtures Tests/Fixtures]      (after make_gemma_fixtures.py)

They fit the sites of gemma/causal (7 layers, width 32, heads × head_dim 64). Inputs are that model's activations over
its prompts 0, 1 and 2 (1 and 2 for kinds of many layers), so expected.safetensors beside each dictionary holds
  x [T, d_in] or [T, layers, d]     f [T, F] or [T, layers, F] (dense)     y [T, d_out] or [T, layers, d]
computed in fp64 and stored as fp32. Every pre-activation keeps clear of its threshold, but for three planted features:
0 sits exactly on its threshold (off: the comparison is strict), 1 is one fp32 step above it (on), 2 is zero against a
threshold of zero (off).

gemma/causal/feature_interventions.safetensors: logits of prompt 0 with a feature of the residual dictionary changed at
every position but 0; `code` is the feature's activation f, `row` its decoder row d, and with x the residual:
  add x + v·d   set x + (v − f)·d   scale x + (v − 1)·f·d   ablate x − f·d   cap x + (min(f, v) − f)·d
  orthogonal x − (x·d)d/(d·d)   splice y(x)   splice_keep_error x + (y with the feature set to v) − y(x)
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import Gemma3ForCausalLM

import fixture_files
from gemma_twin import Shape, Twin

VERSION = "1"
MARGIN = 1e-3
LAYERS = range(7)
HOOKS = {
    "resid_post": "model.layers.{}.output",
    "attn_out": "model.layers.{}.self_attn.o_proj.input",
    "mlp_in": "model.layers.{}.pre_feedforward_layernorm.output",
    "mlp_out": "model.layers.{}.post_feedforward_layernorm.output",
}


def thresholds(pre: np.ndarray, share: float) -> np.ndarray:
    """Per feature, the middle of the widest gap near the quantile that leaves about `share` of the rows active."""
    result = np.empty(pre.shape[1])
    for feature, values in enumerate(np.sort(np.maximum(pre, 0.02), axis=0).T):
        first = int(len(values) * (1 - share)) - 4
        gaps = np.diff(values[first : first + 8])
        at = first + int(gaps.argmax())
        result[feature] = (values[at] + values[at + 1]) / 2
    return result


def make_encoder(rng, x: np.ndarray, features: int, share: float = 0.2) -> dict[str, np.ndarray]:
    """fp32 encoder weights for inputs [T, d], with the three planted features."""
    w = (rng.standard_normal((x.shape[1], features)) / np.sqrt(x.shape[1])).astype(np.float32)
    b = (rng.standard_normal(features) * 0.1).astype(np.float32)
    w[:, :3] = 0
    b[:3] = [0.5, 0.5, 0]
    threshold = thresholds(x.astype(np.float64) @ w + b, share).astype(np.float32)
    threshold[:3] = [0.5, np.nextafter(np.float32(0.5), np.float32(0)), 0]
    return {"w_enc": w, "b_enc": b, "threshold": threshold}


def encode(p: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    pre = x.astype(np.float64) @ p["w_enc"].astype(np.float64) + p["b_enc"]
    assert np.abs(pre - p["threshold"])[:, 3:].min() > MARGIN, "a pre-activation is too close to its threshold"
    return np.where(pre > p["threshold"], np.maximum(pre, 0), 0)


def rows(rng, *shape: int) -> np.ndarray:
    """Unit decoder rows along the last axis."""
    w = rng.standard_normal(shape)
    return (w / np.linalg.norm(w, axis=-1, keepdims=True)).astype(np.float32)


def normal(rng, *shape: int, scale: float) -> np.ndarray:
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def make_single(rng, x, d_out: int, features: int, affine: bool) -> tuple[dict, dict]:
    """Weights and expectations of a one-layer dictionary."""
    p = make_encoder(rng, x, features)
    p |= {"w_dec": rows(rng, features, d_out), "b_dec": normal(rng, d_out, scale=0.2)}
    if affine:
        p["affine_skip_connection"] = normal(rng, x.shape[1], d_out, scale=x.shape[1] ** -0.5)
    f = encode(p, x)
    y = f @ p["w_dec"].astype(np.float64) + p["b_dec"]
    if affine:
        y = y + x.astype(np.float64) @ p["affine_skip_connection"]
    return p, {"x": x, "f": f, "y": y}


def make_multi(rng, x, features: int, affine: bool) -> tuple[list[dict], dict]:
    """Weights per file and expectations of a crosscoder or cross-layer transcoder; x is [T, layers, d]."""
    _, layers, width = x.shape
    files = []
    for i in range(layers):
        p = make_encoder(rng, x[:, i], features, share=0.1)
        p |= {"w_dec": rows(rng, features, layers, width), "b_dec": normal(rng, width, scale=0.2)}
        p["w_dec"][:, :i] = 0  # the axis is the absolute output layer; nothing writes to an earlier one
        if affine:
            p["affine_skip_connection"] = normal(rng, width, width, scale=width**-0.5)
        files.append(p)
    f = np.stack([encode(p, x[:, i]) for i, p in enumerate(files)], axis=1)
    y = np.einsum("tlf,lfod->tod", f, np.stack([p["w_dec"] for p in files]).astype(np.float64))
    y = y + np.stack([p["b_dec"] for p in files])
    if affine:
        y = y + np.einsum("tld,lde->tle", x.astype(np.float64), np.stack([p["affine_skip_connection"] for p in files]))
    return files, {"x": x, "f": f, "y": y}


def save(tensors: dict[str, np.ndarray], path: Path, **metadata: str) -> None:
    tensors = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}
    fixture_files.save(tensors, path, {"fixture": "dictionary-tiny", "version": VERSION} | metadata)


def config(read: str, write: str, layer: int | str, width: int, l0: int, kind: str, affine: bool = False) -> dict:
    return {
        "hf_hook_point_in": HOOKS[read].format(layer),
        "hf_hook_point_out": HOOKS[write].format(layer),
        "width": width,
        "model_name": "google/gemma-3-270m-pt",
        "architecture": "jump_relu",
        "l0": l0,
        "affine_connection": affine,
        "type": kind,
    }


def write_config(folder: Path, record: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(record) + "\n")


def without(record: dict, key: str) -> dict:
    return {name: value for name, value in record.items() if name != key}


class Maker:
    def __init__(self, fixtures: Path):
        self.output = fixtures / "dictionaries"
        self.model = fixtures / "gemma/causal"
        self.dumps = load_file(self.model / "dumps.safetensors")
        self.rng = np.random.default_rng(11)
        shutil.rmtree(self.output, ignore_errors=True)

    def activations(self, site: str, prompts=(0, 1, 2)) -> np.ndarray:
        return np.concatenate([self.dumps[f"p{i}.{site}"] for i in prompts])

    def single(
        self, path: str, read: str, layer: int, features: int, record: dict | None, affine: bool = False
    ) -> None:
        x, d_out = self.activations(f"{read}.{layer}"), 64 if read == "attn_out" else 32
        weights, expected = make_single(self.rng, x, d_out, features, affine)
        save(weights, self.output / path / "params.safetensors")
        save(expected, self.output / path / "expected.safetensors")
        if record:
            write_config(self.output / path, record)

    def multi(self, path: str, read: str, layers, features: int, record: dict, affine: bool = False) -> None:
        x = np.stack([self.activations(f"{read}.{layer}", (1, 2)) for layer in layers], axis=1)
        files, expected = make_multi(self.rng, x, features, affine)
        for i, weights in enumerate(files):
            save(weights, self.output / path / f"params_layer_{i}.safetensors")
        save(expected, self.output / path / "expected.safetensors")
        write_config(self.output / path, record)

    def scope_1(self, path: str, site: str, features: int, write) -> None:
        """npz with Gemma Scope 1's names; the version is a key of its own, which a reader must ignore."""
        x = self.activations(site)
        weights, expected = make_single(self.rng, x, x.shape[1], features, affine=False)
        save(expected, self.output / path / "expected.safetensors")
        names = {"w_enc": "W_enc", "w_dec": "W_dec"}
        arrays = {names.get(name, name): value for name, value in weights.items()}
        write(self.output / path / "params.npz", **arrays, fixture_version=np.array(int(VERSION)))

    def all(self) -> None:
        sae = config("resid_post", "resid_post", 3, 37, 18, "sae")
        self.single("resid_post/layer_3_width_37_l0_small", "resid_post", 3, 37, sae)
        self.single("resid_post_all/layer_6_width_37_l0_small", "resid_post", 6, 37, None)
        sae = config("attn_out", "attn_out", 5, 53, 55, "sae")
        self.single("attn_out/layer_5_width_53_l0_medium", "attn_out", 5, 53, sae)
        sae = config("mlp_out", "mlp_out", 2, 37, 135, "sae") | {"model_name": "gemma-3-270m-pt"}
        self.single("mlp_out/layer_2_width_37_l0_big", "mlp_out", 2, 37, sae)
        plain = without(config("mlp_in", "mlp_out", 4, 53, 18, "transcoder"), "affine_connection")
        self.single("transcoder/layer_4_width_53_l0_small", "mlp_in", 4, 53, plain)
        skip = config("mlp_in", "mlp_out", 4, 53, 18, "transcoder", affine=True)
        self.single("transcoder/layer_4_width_53_l0_small_affine", "mlp_in", 4, 53, skip, affine=True)
        self.single("transcoder_all/layer_1_width_37_l0_big_affine", "mlp_in", 1, 37, None, affine=True)

        cross = config("resid_post", "resid_post", "{1,2,4,6}", 148, 50, "crosscoder")
        self.multi("crosscoder/layer_1_2_4_6_width_148_l0_medium", "resid_post", (1, 2, 4, 6), 37, cross)
        clt = config("mlp_in", "mlp_out", "{all}", 203, 150, "clt")
        self.multi("clt/width_203_l0_big", "mlp_in", LAYERS, 29, clt)
        clt = clt | {"affine_connection": True}
        self.multi("clt/width_203_l0_big_affine", "mlp_in", LAYERS, 29, clt, affine=True)

        self.scope_1("gemma-scope-2b-pt-res/layer_3/width_37/average_l0_9", "resid_post.3", 37, np.savez)
        self.scope_1("gemma-scope-2b-pt-att/layer_5/width_53/average_l0_11", "attn_out.5", 53, np.savez_compressed)

    def feature_interventions(self) -> None:
        """Expected logits through the twin, in fp64."""
        folder = self.output / "resid_post/layer_3_width_37_l0_small"
        p = {name: torch.from_numpy(value).double() for name, value in load_file(folder / "params.safetensors").items()}
        tokens = torch.from_numpy(self.dumps["p0.tokens"]).long()
        model = Gemma3ForCausalLM.from_pretrained(self.model, dtype=torch.float32)
        weights = {name: value for name, value in model.state_dict().items() if name != "lm_head.weight"}
        twin = Twin(Shape.of(model.config), weights, torch.float64)

        def codes(x):
            pre = x @ p["w_enc"] + p["b_enc"]
            return torch.where(pre > p["threshold"], pre.relu(), torch.zeros(()).double())

        x = torch.from_numpy(self.dumps["p0.resid_post.3"]).double()
        feature = 3 + int(codes(x)[1:, 3:].mean(0).argmax())
        row, value = p["w_dec"][feature], 1.5
        code = lambda x: codes(x)[:, feature, None]
        decode = lambda f: f @ p["w_dec"] + p["b_dec"]
        edits = {
            "add": lambda x: x + value * row,
            "set": lambda x: x + (value - code(x)) * row,
            "scale": lambda x: x + (value - 1) * code(x) * row,
            "ablate": lambda x: x - code(x) * row,
            "cap": lambda x: x + (code(x).clamp(max=value / 2) - code(x)) * row,
            "orthogonal": lambda x: x - (x @ row)[:, None] * row / (row @ row),
            "splice": lambda x: decode(codes(x)),
            "splice_keep_error": lambda x: x + (value - code(x)) * row,
        }
        values = {"cap": value / 2, "ablate": None, "orthogonal": None, "splice": None}
        assert (code(x)[1:] > value / 2).any()
        result = {"code": code(x).squeeze(1).numpy(), "row": row.numpy()}
        for name, edit in edits.items():
            apply = lambda x, edit=edit: torch.cat([x[:1], edit(x[1:])])
            logits, _ = twin.forward(tokens, edits={"resid_post.3": apply})
            result[f"iv.{name}.logits"] = logits.detach().numpy()
        described = {name: {"value": values.get(name, value)} for name in edits}
        save(
            result,
            self.model / "feature_interventions.safetensors",
            dictionary="resid_post/layer_3_width_37_l0_small",
            site="resid_post.3",
            feature=str(feature),
            positions=json.dumps({"from": 1, "to": len(tokens)}),
            interventions=json.dumps(described),
        )


def main() -> None:
    here = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", type=Path, default=here / "Tests/Fixtures")
    maker = Maker(parser.parse_args().fixtures)
    maker.all()
    maker.feature_interventions()


if __name__ == "__main__":
    main()
