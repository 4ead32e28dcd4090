"""Makes Tests/Fixtures/gguf: every block type with its expected values, and a tiny complete Gemma 3.

    python Tools/make_gguf_fixtures.py [--fixtures Tests/Fixtures]      (after make_gemma_fixtures.py)

  types.gguf, types.safetensors      one tensor for each type, and the same values as fp32
  tiny-f32.gguf                      gemma/causal as llama.cpp would store it (gains as 1 + w), fp32
  tiny-q8_0.gguf, tiny-q8_0.safetensors
                                     the same with Q8_0 where rows allow it and F16 elsewhere; pN.tokens, pN.logits and
                                     pN.greedy of transformers on the dequantised weights
  tokenizer-cases.json               texts and the ids that transformers gives for the vocabulary in tiny-f32.gguf
and gemma/causal/tokenizer.json, transformers' conversion of that vocabulary.
"""

import argparse
import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import load_file
from transformers import AutoTokenizer, Gemma3ForCausalLM, Gemma3TextConfig

import fixture_files

VERSION = "1"
FLOATS = (Type.F32, Type.F16, Type.BF16)
SIMPLE = (Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1)
K_TYPES = (Type.Q4_K, Type.Q5_K, Type.Q6_K)
HALF_SCALES = {Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,)}  # byte offsets of fp16 scales in a block

CONTROL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
USER_DEFINED = ["\n", "  ", "<table>"]  # runs of spaces are stored as real spaces, as in the real file
PIECES = "▁t he in er ▁a ▁the on re ▁s at en or ing ▁o an".split() + list("▁etaoinshrdlugcmfp")
TEXTS = [
    "the rain in the east", " on a hill", "two  spaces", "é日本🙂", "<start_of_turn>user\nthere<end_of_turn>", "",
    "singing resonator 123", "\r\n\t", "▁the", "the<table>   in\n\n",
]  # fmt: skip


def random_blocks(rng, kind: Type, rows: int, columns: int) -> np.ndarray:
    """Random bytes with small finite scales: gguf-py cannot quantise to the K types, but any such block is valid."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (rows * columns // elements, size), dtype=np.uint8)
    for at in HALF_SCALES[kind]:
        scales = (rng.standard_normal(len(blocks)) * 0.02).astype(np.float16)
        scales[:3] = [0, 6e-8, -6e-6]  # zero, the smallest subnormal, a negative subnormal
        blocks[:, at : at + 2] = scales[:, None].view(np.uint8)
    return blocks.reshape(rows, -1)


def make_types(folder: Path) -> None:
    rng = np.random.default_rng(5)
    writer, expected = gguf.GGUFWriter(folder / "types.gguf", "fixture"), {}
    writer.add_string("fixture.version", VERSION)
    writer.add_array("fixture.mixed", [1, 2, 3])
    values = {}
    for kind in FLOATS:
        x = rng.standard_normal((5, 37)).astype(np.float32)
        x[0, :4] = [0.0, -0.0, 6e-8, -65504]
        values[kind.name.lower()] = (gguf.quants.quantize(x, kind), kind)
    values["f32_vector"] = (rng.standard_normal(11).astype(np.float32), Type.F32)
    for kind in SIMPLE:
        x = rng.standard_normal((7, 96)).astype(np.float32)
        x[1, :32] = 0
        values[kind.name.lower()] = (gguf.quants.quantize(x, kind), kind)
    for kind in K_TYPES:
        values[kind.name.lower()] = (random_blocks(rng, kind, 3, 512), kind)
    for name, (data, kind) in values.items():
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = np.ascontiguousarray(gguf.quants.dequantize(data, kind), dtype=np.float32)
        assert np.isfinite(expected[name]).all()
    finish(writer)
    save(expected, folder / "types.safetensors")


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def save(tensors: dict[str, np.ndarray], path: Path) -> None:
    fixture_files.save(tensors, path, {"fixture": "gguf", "version": VERSION})


TENSORS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def gguf_name(name: str) -> str:
    """Hugging Face's tensor name in GGUF's words."""
    if name.startswith("model.layers."):
        _, _, layer, rest = name.removesuffix(".weight").split(".", 3)
        return f"blk.{layer}.{TENSORS[rest]}.weight"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]


def add_vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    """Scores as in the real file: -1000 for control and user pieces, minus the rank for normal ones, 0 for bytes."""
    kind = gguf.TokenType
    control = [(p, -1000.0, kind.CONTROL) for p in CONTROL] + [(p, -1000.0, kind.USER_DEFINED) for p in USER_DEFINED]
    normal = [(p, -float(rank), kind.NORMAL) for rank, p in enumerate(PIECES)]
    unused = [(f"<unused{i}>", -1000.0, kind.CONTROL) for i in range(size - len(control) - len(normal) - 256)]
    byte = [(f"<0x{b:02X}>", 0.0, kind.BYTE) for b in range(256)]
    pieces, scores, kinds = zip(*(control + unused + byte + normal))
    assert len(pieces) == size and len(set(pieces)) == size
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)


def make_model(
    path: Path, config: Gemma3TextConfig, weights: dict[str, np.ndarray], quantised: bool
) -> dict[str, np.ndarray]:
    """Writes the model and returns the weights that a reader gets back, under Hugging Face's names."""
    writer, stored = gguf.GGUFWriter(path, "gemma3"), {}
    writer.add_name("tiny")
    writer.add_string("fixture.version", VERSION)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["full_attention"]["rope_theta"])
    writer.add_sliding_window(config.sliding_window)
    add_vocabulary(writer, config.vocab_size)
    for name, value in weights.items():
        is_norm = value.ndim == 1
        kind = Type.F32
        if quantised and not is_norm:
            kind = Type.Q8_0 if value.shape[-1] % 32 == 0 else Type.F16
        data = gguf.quants.quantize(value + 1 if is_norm else value, kind)
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
        back = gguf.quants.dequantize(data, kind)
        stored[name] = back - 1 if is_norm else back
    finish(writer)
    return stored


@torch.no_grad()
def expected_logits(folder: Path, stored: dict[str, np.ndarray], dumps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    model = Gemma3ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    loaded = model.load_state_dict({name: torch.from_numpy(value) for name, value in stored.items()}, strict=False)
    assert loaded.missing_keys == ["lm_head.weight"] and not loaded.unexpected_keys
    result = {}
    for key in [key for key in dumps if key.endswith(".tokens")]:
        tokens = torch.from_numpy(dumps[key]).long()
        ids = tokens
        for _ in range(16):
            best = model(ids[None]).logits[0, -1].topk(2)
            assert best.values[0] - best.values[1] > 5e-3, "near-tie: choose another seed"
            ids = torch.cat([ids, best.indices[:1]])
        prompt = key.removesuffix(".tokens")
        result[key] = dumps[key]
        result[f"{prompt}.logits"] = model(tokens[None]).logits[0].numpy()
        result[f"{prompt}.greedy"] = ids[len(tokens) :].int().numpy()
    return result


def make_tokenizer(folder: Path, checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="tiny-f32.gguf")
    tokenizer.backend_tokenizer.save(str(checkpoint / "tokenizer.json"))
    cases = [{"text": text, "ids": tokenizer(text)["input_ids"]} for text in TEXTS]
    record = {"fixture": "gguf-tokenizer", "version": VERSION, "cases": cases}
    (folder / "tokenizer-cases.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    here = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", type=Path, default=here / "Tests/Fixtures")
    fixtures = parser.parse_args().fixtures
    folder, source = fixtures / "gguf", fixtures / "gemma/causal"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    make_types(folder)
    config = Gemma3TextConfig.from_pretrained(source)
    weights = load_file(source / "model.safetensors")
    make_model(folder / "tiny-f32.gguf", config, weights, quantised=False)
    stored = make_model(folder / "tiny-q8_0.gguf", config, weights, quantised=True)
    dumps = load_file(source / "dumps.safetensors")
    save(expected_logits(source, stored, dumps), folder / "tiny-q8_0.safetensors")
    make_tokenizer(folder, source)


if __name__ == "__main__":
    main()
