"""Loads dictionaries that `gscope convert` wrote in the tool they were written for, and compares reconstructions.

    make conversions                    # the peers that live in .venv: gemma-scope-2, sae-lens, sparsify, compact
    python Tools/check_conversions.py --gscope .build/release/gscope --peers sae-lens,sparsify
    python-of-circuit-tracer Tools/check_conversions.py --gscope .build/release/gscope --peers circuit-tracer

Random dictionaries of realistic sizes are written in Gemma Scope 2's layout, converted by gscope, and run by the peer
on random activations; or, with --dictionary D (repeatable), given ones, after gscope has converted them to that layout.
The reference is Gemma Scope 2's formula in NumPy, fp64, on the original weights; that gscope agrees with that formula is
what its own tests show. Each row of the Markdown table says how far the peer's reconstruction is off: the largest
difference over the largest magnitude. For sparsify, which knows no thresholds, the reference is its own formula (the k
strongest of relu(z)) on the original weights. What is converted to Gemma Scope 2's own layout is run by SAELens' loader
of the published repositories, without a network.

Exit status 1 when a difference exceeds --tolerance.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load, load_file, save_file


def write(folder, kind, d, features, layers=1, affine=False, seed=0, layer=4, site="output"):
    """A random dictionary in Gemma Scope 2's layout, about 30 features active a token."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    multi = kind in ("crosscoder", "clt")
    for i in range(layers):
        decoder = rng.standard_normal((features, layers, d) if multi else (features, d))
        if multi:
            decoder[:, :i] = 0
        decoder /= np.linalg.norm(decoder.reshape(features, -1), axis=1).reshape([-1] + [1] * (decoder.ndim - 1))
        encoder = rng.standard_normal((d, features)) / np.sqrt(d)
        tensors = {
            "w_enc": encoder,
            "b_enc": 0.1 * rng.standard_normal(features),
            "threshold": 2.0 + 0.3 * rng.random(features),
            "w_dec": decoder,
            "b_dec": 0.5 * rng.standard_normal(d),
        }
        if affine:
            tensors["affine_skip_connection"] = rng.standard_normal((d, d)) / np.sqrt(d)
        tensors = {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in tensors.items()}
        save_file(tensors, str(folder / (f"params_layer_{i}.safetensors" if multi else "params.safetensors")))
    place = "{all}" if kind == "clt" else str(layer)
    transcodes = kind in ("transcoder", "clt")
    inputs = f"model.layers.{place}." + ("pre_feedforward_layernorm.output" if transcodes else site)
    outputs = f"model.layers.{place}." + ("post_feedforward_layernorm.output" if transcodes else site)
    configuration = {
        "hf_hook_point_in": inputs, "hf_hook_point_out": outputs, "width": features * layers,
        "model_name": "google/gemma-3-270m", "architecture": "jump_relu", "l0": 30, "affine_connection": affine,
        "type": kind,
    }
    (folder / "config.json").write_text(json.dumps(configuration))


class Original:
    """A dictionary in Gemma Scope 2's layout, run by its formula in fp64."""

    def __init__(self, folder):
        self.configuration = json.loads((folder / "config.json").read_text())
        self.kind = self.configuration["type"]
        files = sorted(folder.glob("params*.safetensors"), key=lambda f: int("".join(filter(str.isdigit, f.stem)) or 0))
        self.layers = [{k: v.astype(np.float64) for k, v in load_file(str(f)).items()} for f in files]
        self.affine = "affine_skip_connection" in self.layers[0]
        self.d = self.layers[0]["w_enc"].shape[0]

    def pre(self, x, i):
        return x[i] @ self.layers[i]["w_enc"] + self.layers[i]["b_enc"]

    def reconstruct(self, x):
        """x [layers, tokens, d] → [layers, tokens, d]"""
        codes = []
        for i, layer in enumerate(self.layers):
            z = self.pre(x, i)
            codes.append(z * ((z > layer["threshold"]) & (z > 0)))
        return np.stack([self.write(codes, x, j) for j in range(len(self.layers))])

    def write(self, codes, x, j):
        y = np.zeros((x.shape[1], self.layers[j]["b_dec"].shape[0])) + self.layers[j]["b_dec"]
        for i in range(j + 1):
            decoder = self.layers[i]["w_dec"]
            y = y + codes[i] @ (decoder[:, j] if decoder.ndim == 3 else decoder)
        if self.affine:
            y = y + x[j] @ self.layers[j]["affine_skip_connection"]
        return y

    def strongest(self, x, k):
        z = np.maximum(self.pre(x, 0), 0)
        cut = np.sort(z, axis=1)[:, -k][:, None]
        return self.write([z * (z >= cut)], x, 0)[None]

    def firings(self, x):
        """Active features a token, over all layers."""
        return sum((self.pre(x, i) > layer["threshold"]).sum(1).mean() for i, layer in enumerate(self.layers))

    def near(self, x):
        """Tokens where a pre-activation is within fp32 rounding of its threshold: left out."""
        distance = [np.abs(self.pre(x, i) - l["threshold"]).min(axis=1) for i, l in enumerate(self.layers)]
        return np.min(distance, axis=0) < 1e-5


def saelens(folder, original, x):
    from sae_lens import SAE

    sae = SAE.load_from_disk(folder, device="cpu")
    metadata = sae.cfg.metadata
    assert metadata.hf_hook_name == original.configuration["hf_hook_point_in"], metadata.hf_hook_name
    inputs = torch.tensor(x[0], dtype=torch.float32)
    if sae.cfg.reshape_activations == "hook_z":
        inputs = inputs.reshape(1, inputs.shape[0], -1, 256)
    with torch.no_grad():
        return sae(inputs).reshape(x.shape[1], -1).numpy()[None], f"{sae.cfg.architecture()}, {metadata.hook_name}"


def gemma_scope_2(folder, original, x):
    """`SAE.from_pretrained` of a published release; what its loader asks of the hub is answered from the folder."""
    from sae_lens import SAE
    from sae_lens.loading import pretrained_sae_loaders as loaders

    inputs = original.configuration["hf_hook_point_in"]
    outputs = original.configuration["hf_hook_point_out"]
    releases = {
        "output": "res", "self_attn.o_proj.input": "att", "post_feedforward_layernorm.output": "mlp",
        "pre_feedforward_layernorm.output": "transcoders",
    }  # fmt: skip
    layer, place = inputs.removeprefix("model.layers.").split(".", 1)
    release = f"gemma-scope-2-270m-pt-{releases[place]}-all"
    # The width in the name is not looked at: sizes come from the file.
    name = f"layer_{layer}_width_16k_l0_small{'_affine' if original.affine else ''}"
    asked = set()

    def download(repo_id, filename, **_):
        asked.add(pathlib.Path(filename).name)
        return str(folder / pathlib.Path(filename).name)

    def shapes(repo_id, filename):
        with safe_open(folder / pathlib.Path(filename).name, "np") as file:
            return {key: file.get_slice(key).get_shape() for key in file.keys()}

    with mock.patch.multiple(loaders, hf_hub_download=download, get_safetensors_tensor_shapes=shapes):
        sae = SAE.from_pretrained(release, name, device="cpu")
    # Everything came from the folder, and from nothing else that this machine may have cached.
    assert asked == {"config.json", "params.safetensors"}, asked
    metadata = sae.cfg.metadata
    assert metadata.hf_hook_name == inputs, metadata.hf_hook_name
    if original.kind == "transcoder":
        assert metadata.hf_hook_name_out == outputs, metadata.hf_hook_name_out
    with torch.no_grad():
        found = sae(torch.tensor(x[0], dtype=torch.float32)).numpy()
    return found[None], f"{sae.cfg.architecture()}, {metadata.hook_name}"


def sparsify(folder, original, x):
    from sparsify import SparseCoder

    coder = SparseCoder.load_from_disk(folder, device="cpu")
    inputs = torch.tensor(x[0], dtype=torch.float32)
    with torch.no_grad():
        return coder(inputs).sae_out.numpy()[None], f"k {coder.cfg.k}, transcode {coder.cfg.transcode}"


def circuit_tracer(folder, original, x):
    inputs = torch.tensor(x, dtype=torch.float32)
    device = torch.device("cpu")
    with torch.no_grad():
        if original.kind == "clt":
            from circuit_tracer.transcoder.cross_layer_transcoder import load_clt

            clt = load_clt(str(folder), "mlp.hook_in", "hook_mlp_out", device=device, dtype=torch.float32)
            return clt(inputs).numpy(), "load_clt"
        from circuit_tracer.transcoder.single_layer_transcoder import load_relu_transcoder

        file = next(folder.glob("layer_*.safetensors"))
        layer = int(file.stem.split("_")[1])
        transcoder = load_relu_transcoder(str(file), layer, device, lazy_encoder=False, lazy_decoder=False)
        sparse, _ = transcoder.encode_sparse(inputs[0], zero_positions=slice(0, 0))
        return transcoder.decode_sparse(sparse, inputs[0])[0].numpy()[None], "load_relu_transcoder"


def no_peer(folder, original, x):
    """The compact form, read by these few lines from its description."""
    files = sorted(folder.glob("params*.safetensors.gz"), key=lambda f: int("".join(filter(str.isdigit, f.stem)) or 0))
    for i, file in enumerate(files):
        tensors = {k: v.astype(np.float64) for k, v in load(gzip.decompress(file.read_bytes())).items()}
        layer = original.layers[i]
        layer["w_enc"] = (tensors["w_enc_rows"] * tensors["w_enc_scale"][:, None]).T
        rows = tensors["w_dec_rows"] * tensors["w_dec_scale"][..., None]
        if rows.ndim == 3:
            layer["w_dec"][:, i:] = rows
        else:
            layer["w_dec"] = rows
        if "affine_skip_rows" in tensors:
            layer["affine_skip_connection"] = tensors["affine_skip_rows"] * tensors["affine_skip_scale"][:, None]
        for name in ("b_enc", "threshold", "b_dec"):
            layer[name] = tensors[name]
    return original.reconstruct(x), "fp64 reader"


PEERS = {
    "gemma-scope-2": ("gemma-scope-2", gemma_scope_2, ("sae", "transcoder")),
    "sae-lens": ("saelens", saelens, ("sae", "transcoder")),
    "sparsify": ("sparsify", sparsify, ("sae", "transcoder")),
    "circuit-tracer": ("circuit-tracer", circuit_tracer, ("transcoder", "clt")),
    "compact": ("compact", no_peer, ("sae", "transcoder", "crosscoder", "clt")),
}

# kind, d, features, layers, affine, site
RANDOM = [
    ("sae", 640, 2048, 1, False, "output"),
    ("sae", 1024, 1024, 1, False, "self_attn.o_proj.input"),
    ("sae", 640, 1024, 1, False, "post_feedforward_layernorm.output"),
    ("transcoder", 640, 1024, 1, False, ""),
    ("transcoder", 640, 1024, 1, True, ""),
    ("clt", 640, 512, 4, False, ""),
]


def in_gemma_scope_2(gscope, source, scratch):
    """The dictionary as it is where that is the layout, else (as in the shipped suite) what gscope makes of it."""
    if any(source.glob("params*.safetensors")):
        return source
    output = scratch / f"{source.resolve().parent.name}-{source.name}"
    command = [gscope, "convert", str(source), "--to", "gemma-scope-2", "--output", str(output)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return output


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gscope", required=True)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--dictionary", action="append", default=[], type=pathlib.Path)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--top-k", type=int, default=30)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args()
    worst = 0.0
    print("| layout and peer | dictionary | loaded as | largest difference | FVU of the peer against the reference |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        sources = [in_gemma_scope_2(options.gscope, given, scratch) for given in options.dictionary]
        if not sources:
            for i, (kind, d, features, layers, affine, site) in enumerate(RANDOM):
                place = scratch / f"{kind}-{d}-{features}{'-affine' if affine else ''}-{i}"
                write(place, kind, d, features, layers, affine, seed=i, site=site)
                sources.append(place)
        for peer in options.peers.split(","):
            layout, load, kinds = PEERS[peer]
            for number, source in enumerate(sources):
                original = Original(source)
                is_affine_clt = original.kind == "clt" and original.affine
                if original.kind not in kinds or (peer == "circuit-tracer" and is_affine_clt):
                    continue
                output = scratch / f"{peer}-{number}"
                command = [options.gscope, "convert", str(source), "--to", layout, "--output", str(output)]
                if peer == "sparsify":
                    command += ["--top-k", str(options.top_k)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                rng = np.random.default_rng(number)
                x = rng.standard_normal((len(original.layers), options.tokens, original.d)).astype(np.float32)
                # A dictionary of larger activations would have nothing to reconstruct, and any reading of it would agree.
                while original.firings(x) < 1 and np.abs(x).max() < 1e6:
                    x *= 4
                x = x[:, ~original.near(x.astype(np.float64))].astype(np.float64)
                expected = original.strongest(x, options.top_k) if peer == "sparsify" else original.reconstruct(x)
                found, loaded = load(output, original, x)
                difference = np.abs(found - expected).max() / np.abs(expected).max()
                fvu = ((found - expected) ** 2).sum() / ((expected - expected.mean(1, keepdims=True)) ** 2).sum()
                if peer != "compact":
                    worst = max(worst, difference)
                print(f"| {peer} | {source.name} | {loaded} | {difference:.1e} | {fvu:.1e} |", flush=True)
    if not worst <= options.tolerance:
        sys.exit(f"a difference of {worst:.1e} exceeds {options.tolerance:.1e}")


if __name__ == "__main__":
    main()
