#!/usr/bin/env python3
"""Writes where fuzzing starts: the Seeds of FuzzGzip, FuzzDictionary, FuzzExamples and, given a gscope, FuzzPacked.

    python Tools/make_fuzz_seeds.py [.build/release/gscope]

A dictionary's seed is a list of files as FuzzDictionary unpacks it: the place of a name in NAMES, two bytes of length,
the bytes."""
import gzip
import json
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save

SEEDS = Path(__file__).parent.parent / "Fuzz"
NAMES = ["config.json", "cfg.json", "config.yaml", "params.safetensors", "params_layer_0.safetensors",
         "params_layer_1.safetensors", "params.npz", "sae_weights.safetensors", "sae.safetensors",
         "thresholds.safetensors", "layer_3.safetensors", "W_enc_0.safetensors", "W_dec_0.safetensors",
         "W_enc_1.safetensors", "W_dec_1.safetensors"]
D, F = 3, 5
random = np.random.default_rng(1)


def numbers(*shape):
    return random.standard_normal(shape, np.float32)


def rows(*shape):
    return random.integers(-127, 128, shape, np.int8)


def write(name, **files):
    folder = SEEDS / "FuzzDictionary" / "Seeds"
    out = b""
    for file, contents in files.items():
        file = next(known for known in NAMES if file in (known, known.partition(".")[0]))
        if isinstance(contents, dict):
            contents = json.dumps(contents).encode() if file.endswith(".json") else save(contents)
        out += struct.pack("<BH", NAMES.index(file), len(contents)) + contents
    (folder / name).write_bytes(out)


def scope(**more):
    return {"hf_hook_point_in": "model.layers.3.output", "hf_hook_point_out": "model.layers.3.output", "width": F,
            "model_name": "google/gemma-3-270m-pt", "architecture": "jump_relu", "l0": 2, "affine_connection": False,
            "type": "sae"} | more


def sae(**more):
    return {"w_enc": numbers(D, F), "b_enc": numbers(F), "threshold": abs(numbers(F)), "w_dec": numbers(F, D),
            "b_dec": numbers(D)} | more


def compact(*writes, **more):
    return {"w_enc_rows": rows(F, D), "w_enc_scale": abs(numbers(F)), "w_dec_rows": rows(F, *writes, D),
            "w_dec_scale": abs(numbers(F, *writes)), "b_enc": numbers(F), "threshold": abs(numbers(F)),
            "b_dec": numbers(D)} | more


def dictionaries():
    form = {"format": "gemmascope-compact", "version": 1}
    transcoder = {"hf_hook_point_in": "model.layers.3.pre_feedforward_layernorm.output",
                  "hf_hook_point_out": "model.layers.3.post_feedforward_layernorm.output", "type": "transcoder",
                  "affine_connection": True}
    cross = {"hf_hook_point_in": ["model.layers.1.output", "model.layers.2.output"],
             "hf_hook_point_out": ["model.layers.1.output", "model.layers.2.output"], "type": "crosscoder"}
    write("scope", config=scope(), params=sae())
    write("scope-affine", config=scope(**transcoder), params=sae(affine_skip_connection=numbers(D, D)))
    write("scope-crosscoder", config=scope(**cross), params_layer_0=sae(w_dec=numbers(F, 2, D)),
          params_layer_1=sae(w_dec=numbers(F, 2, D)))
    write("compact", config=scope(**form), params=compact())
    write("compact-affine", config=scope(**form, **transcoder),
          params=compact(affine_skip_rows=rows(D, D), affine_skip_scale=abs(numbers(D))))
    write("compact-crosscoder", config=scope(**form, **cross), params_layer_0=compact(2), params_layer_1=compact(1))
    names = {"W_enc": numbers(D, F), "b_enc": numbers(F), "W_dec": numbers(F, D), "b_dec": numbers(D)}
    hook = {"hook_name": "blocks.3.hook_resid_post", "model_name": "gemma-3-270m"}
    write("saelens", cfg={"architecture": "jumprelu", "d_in": D, "d_sae": F, "metadata": hook,
                          "apply_b_dec_to_input": False}, sae_weights=names | {"threshold": abs(numbers(F))})
    write("saelens-topk", cfg={"architecture": "topk", "k": 2, **hook}, sae_weights=names)
    write("saelens-skip", cfg={"architecture": "jumprelu_skip_transcoder", "metadata": {
        "hook_name": "blocks.3.ln2.hook_normalized", "hf_hook_name": transcoder["hf_hook_point_in"],
        "hf_hook_name_out": transcoder["hf_hook_point_out"]}},
        sae_weights=names | {"threshold": abs(numbers(F)), "W_skip": numbers(D, D)})
    sparsify = {"encoder.weight": numbers(F, D), "encoder.bias": numbers(F), "W_dec": numbers(F, D),
                "b_dec": numbers(D)}
    write("sparsify", cfg={"activation": "topk", "k": 2, "d_in": D, "num_latents": F,
                           "hf_hook_point_in": "model.layers.3.output", "hf_hook_point_out": "model.layers.3.output"},
          sae=sparsify, thresholds={"threshold": abs(numbers(F))})
    write("sparsify-skip", cfg={"k": F, "transcode": True, "skip_connection": True, **{
        key: transcoder[key] for key in ["hf_hook_point_in", "hf_hook_point_out"]}},
        sae=sparsify | {"W_skip": numbers(D, D)})
    yaml = b"model_name: google/gemma-3-270m\nfeature_input_hook: mlp.hook_in\nfeature_output_hook: hook_mlp_out\n"
    write("circuit-tracer", layer_3={
        "W_enc": numbers(F, D), "W_dec": numbers(F, D), "b_enc": numbers(F), "b_dec": numbers(D),
        "activation_function.threshold": abs(numbers(F)), "W_skip": numbers(D, D)}, **{"config.yaml": yaml})
    write("circuit-tracer-clt", **{"config.yaml": yaml}, **{
        f"W_enc_{i}": {f"W_enc_{i}": numbers(F, D), f"b_enc_{i}": numbers(F), f"b_dec_{i}": numbers(D),
                       f"threshold_{i}": abs(numbers(F))} for i in range(2)},
        **{f"W_dec_{i}": {f"W_dec_{i}": numbers(F, 2 - i, D)} for i in range(2)})


def examples():
    """Gemma Scope 2's file of examples, with its tables and without."""
    order = np.sort(abs(numbers(F, 7)))[:, ::-1].copy()
    order[2, 3:] = 0
    parts = {"tokens": random.integers(0, 300, (4, 6), np.int32), "activations": order,
             "seq_ids": random.integers(0, 4, (F, 7)), "positions": random.integers(0, 6, (F, 7), np.int32),
             "logit_effects": numbers(F, 7), "feature_frequencies": random.random(F)}
    tables = {f"{side}_{kind}": random.integers(0, 300, (F, 10), np.int32) if kind == "tokens" else numbers(F, 10)
              for side in ("top", "bottom") for kind in ("tokens", "logits")}
    folder = SEEDS / "FuzzExamples" / "Seeds"
    (folder / "tables").write_bytes(save(parts | tables))
    (folder / "plain").write_bytes(save(parts))


def atlas(gscope: str):
    """A packed atlas of the tests' model: its unpacked columns, of each u16 place, u32 bytes, then those; and as it is."""
    fixtures = SEEDS.parent / "Tests" / "Fixtures"
    text = " ".join(f"word{random.integers(0, 9)}" for _ in range(200))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "text.jsonl").write_text(json.dumps({"text": text}) + "\n")
        build = ["build", "--model", fixtures / "gemma" / "causal", "--corpus", work / "text.jsonl", "--tokens", "100",
                 "--context", "32", "--output", work / "atlas.sqlite",
                 "--dictionary", f"sae={fixtures / 'dictionaries' / 'resid_post' / 'layer_3_width_37_l0_small'}"]  # fmt: skip
        pack = ["export", work / "atlas.sqlite", "--to", "packed", "--output", work / "atlas.gsatlas", "--top", "2",
                "--per-interval", "1", "--logits", "3"]  # fmt: skip
        for command in (build, pack):
            subprocess.run([gscope, "atlas", *command], check=True, stdout=subprocess.DEVNULL)
        data = (work / "atlas.gsatlas").read_bytes()
    (count,), parts = struct.unpack_from("<I", data, 44), []
    start = 48 + 18 * count
    for i in range(count):
        place, _, packed = struct.unpack_from("<HQQ", data, 48 + 18 * i)
        column = gzip.decompress(data[start : start + packed])
        parts.append(struct.pack("<HI", place, len(column)) + column)
        start += packed
    (SEEDS / "FuzzPacked" / "Seeds" / "tiny").write_bytes(b"\x01" + b"".join(parts))
    (SEEDS / "FuzzPacked" / "Seeds" / "file").write_bytes(b"\x00" + data[44:])


def archives():
    folder = SEEDS / "FuzzGzip" / "Seeds"
    text = "".join(f"line {i % 97} and {i % 13}\n" for i in range(600)).encode()

    def packed(level, strategy):
        packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
        return packer.compress(text) + packer.flush()

    tail = struct.pack("<II", zlib.crc32(text), len(text))
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    (folder / "dynamic").write_bytes(gzip.compress(text, 9, mtime=0))
    (folder / "fixed").write_bytes(head + packed(9, zlib.Z_FIXED) + tail)
    (folder / "stored").write_bytes(gzip.compress(text[:300], 0, mtime=0))
    (folder / "members").write_bytes(gzip.compress(b"one\n", 9, mtime=0) + gzip.compress(text, 1, mtime=0) + bytes(7))
    fields = b"\x1f\x8b\x08\x1f\0\0\0\0\0\xff" + struct.pack("<H", 4) + b"ABCD" + b"name\0comment\0" + b"\0\0"
    (folder / "fields").write_bytes(fields + packed(6, zlib.Z_DEFAULT_STRATEGY) + tail)


dictionaries()
archives()
examples()
if len(sys.argv) > 1:
    atlas(sys.argv[1])
