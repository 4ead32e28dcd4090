"""Makes Tests/Fixtures/gemma: tiny random Gemma 3 checkpoints and what PyTorch computes from them.

    python Tools/make_gemma_fixtures.py [--output Tests/Fixtures/gemma]

Checkpoints (each with config.json and weights, as transformers or the hub would have them):
  causal               Gemma3ForCausalLM, fp32, one file, 2 kv heads
  causal-bf16          Gemma3ForCausalLM, bf16, one file, 1 kv head, query_pre_attn_scalar unlike head_dim
  multimodal           Gemma3ForConditionalGeneration, fp32, two shards, keys `language_model.model.…` and a
                       configuration in the older style of the hub (rope_theta, rope_scaling ×8), vision tower present
  multimodal-new-keys  the same weights with keys `model.language_model.…` and the newer `rope_parameters`

Each holds dumps.safetensors (but multimodal-new-keys, which shares multimodal's):
  pN.tokens i32 [T], pN.logits [T, V], pN.loss [1], pN.greedy i32 [16], pN.<site> [T, width] from transformers, fp32.
`causal` and `causal-bf16` hold gradients.safetensors (prompt 0, computed in fp64, stored fp32):
  cotangent.<case>                       the vector for cases that start at a site
  grad.<mode>.<case>.<site> [T, width]   d scalar / d site, for every earlier site; modes exact, frozen,
                                         frozen_mlp_blocked (cases a and c only; mlp_in is zero there and left out)
  the metadata field `cases` describes each case in JSON.
`causal` holds interventions.safetensors: iv.<name>.logits [T, V] of prompt 0, described by the metadata field
`interventions`.
configs/ holds configurations alone, shaped like the hub's for the five sizes (missing fields included).
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import Gemma3Config, Gemma3ForCausalLM, Gemma3ForConditionalGeneration, Gemma3TextConfig

import fixture_files
from gemma_configs import make_configs
from gemma_expectations import gradients, interventions
from gemma_twin import Shape, Twin, site_names

VERSION = "1"
LENGTHS = (23, 5, 11)  # the first is longer than two sliding windows
GREEDY = 16


def text_config(**changes) -> Gemma3TextConfig:
    values = dict(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=7,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=8,
        max_position_embeddings=512,
    )
    return Gemma3TextConfig(**(values | changes))


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Weights that keep activations near 1, and norm gains (1 + w) that matter."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        spread = 0.35 if "embed_tokens" in name else 0.3 if parameter.dim() < 2 else parameter.shape[-1] ** -0.5
        parameter.data = torch.randn(parameter.shape, generator=generator) * spread


def prompts(vocabulary: int, seed: int) -> list[torch.Tensor]:
    """Random ids that avoid the special ones, each after <bos> = 2."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda length: torch.randint(4, vocabulary, (length - 1,), generator=generator)
    return [torch.cat([torch.tensor([2]), draw(length)]) for length in LENGTHS]


class Recorder:
    """Every site of one transformers forward, by hooks."""

    def __init__(self, text_model: torch.nn.Module):
        self.sites: dict[str, torch.Tensor] = {}
        self.handles = [text_model.embed_tokens.register_forward_hook(self._output("embed"))]
        for index, layer in enumerate(text_model.layers):
            self.handles += [
                layer.self_attn.o_proj.register_forward_pre_hook(self._input(f"attn_out.{index}")),
                layer.pre_feedforward_layernorm.register_forward_hook(self._output(f"mlp_in.{index}")),
                layer.post_feedforward_layernorm.register_forward_hook(self._output(f"mlp_out.{index}")),
                layer.register_forward_hook(self._output(f"resid_post.{index}")),
            ]

    def _output(self, name):
        def hook(module, arguments, output):
            self.sites[name] = (output[0] if isinstance(output, tuple) else output)[0].clone()

        return hook

    def _input(self, name):
        def hook(module, arguments):
            self.sites[name] = arguments[0][0].clone()

        return hook

    def remove(self):
        for handle in self.handles:
            handle.remove()


def greedy(model, tokens: torch.Tensor) -> torch.Tensor:
    """16 tokens without a cache; refuses near-ties and end tokens, which would make a test flicker."""
    ids = tokens
    for _ in range(GREEDY):
        best = model(ids[None]).logits[0, -1].topk(2)
        assert best.values[0] - best.values[1] > 1e-2, "near-tie: choose another seed"
        assert best.indices[0] > 3, "special token: choose another seed"
        ids = torch.cat([ids, best.indices[:1]])
    return ids[len(tokens) :]


def text_weights(model) -> dict[str, torch.Tensor]:
    """Hugging Face's names without the `language_model` level."""
    return {
        name.replace("model.language_model.", "model."): value
        for name, value in model.state_dict().items()
        if "vision_tower" not in name and "projector" not in name and "lm_head" not in name
    }


@torch.no_grad()
def dump(model, text_model, twin: Twin, seed: int) -> dict[str, torch.Tensor]:
    recorder, result = Recorder(text_model), {}
    for index, tokens in enumerate(prompts(text_model.config.vocab_size, seed)):
        logits = model(tokens[None]).logits[0]
        sites = dict(recorder.sites)
        with torch.enable_grad():
            expected, twin_sites = twin.forward(tokens)
        torch.testing.assert_close(logits.double(), expected, rtol=1e-4, atol=1e-4)
        for name in site_names(text_model.config.num_hidden_layers):
            torch.testing.assert_close(sites[name].double(), twin_sites[name], rtol=1e-4, atol=1e-4)
        loss = torch.nn.functional.cross_entropy(logits[:-1], tokens[1:])
        result |= {
            f"p{index}.tokens": tokens.int(),
            f"p{index}.logits": logits,
            f"p{index}.loss": loss[None],
            f"p{index}.greedy": greedy(model, tokens).int(),
        }
        result |= {f"p{index}.{name}": value for name, value in sites.items()}
    recorder.remove()
    return result


def save(tensors: dict[str, torch.Tensor], path: Path, **metadata) -> None:
    metadata = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    fixture_files.save(tensors, path, {"fixture": "gemma-tiny", "version": VERSION} | metadata)


def tag(folder: Path) -> None:
    """Adds the fixture's version to the weight files and their index."""
    (folder / "generation_config.json").unlink(missing_ok=True)
    for path in folder.glob("model*.safetensors"):
        save(load_file(path), path, format="pt")
    for path in folder.glob("*.index.json"):
        index = json.loads(path.read_text())
        index["metadata"] |= {"fixture": "gemma-tiny", "version": VERSION}
        path.write_text(json.dumps(index, indent=2) + "\n")


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def load_fp32(kind, folder: Path):
    return kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def make_causal(folder: Path, config: Gemma3TextConfig, dtype: torch.dtype, seed: int, cases: str) -> None:
    model = Gemma3ForCausalLM(config)
    randomise(model, seed)
    model.to(dtype).save_pretrained(fresh(folder))
    tag(folder)
    model = load_fp32(Gemma3ForCausalLM, folder)
    twin = Twin(Shape.of(model.config), text_weights(model), torch.float64)
    dumps = dump(model, model.model, twin, seed)
    save(dumps, folder / "dumps.safetensors", embed_scale="fp32 square root of hidden_size")
    tokens = prompts(config.vocab_size, seed)[0]
    tensors, described = gradients(twin, tokens, cases)
    save(tensors, folder / "gradients.safetensors", cases=described)
    if dtype == torch.float32:
        tensors, described = interventions(twin, tokens)
        save(tensors, folder / "interventions.safetensors", interventions=described)


def hub_style(config: dict) -> dict:
    """The older configuration layout that google/gemma-3-4b and larger have on the hub."""
    text = dict(config["text_config"])
    rope = text.pop("rope_parameters")
    for key in ("layer_types", "dtype"):
        text.pop(key, None)
    text |= {
        "rope_theta": rope["full_attention"]["rope_theta"],
        "rope_local_base_freq": rope["sliding_attention"]["rope_theta"],
        "rope_scaling": {"factor": rope["full_attention"]["factor"], "rope_type": "linear"},
        "sliding_window_pattern": 6,
    }
    text = {key: value for key, value in text.items() if not key.startswith("_")}
    result = {key: value for key, value in config.items() if key != "dtype"}
    return result | {"text_config": text, "torch_dtype": "float32", "transformers_version": "4.50.0.dev0"}


def make_multimodal(old: Path, new: Path, seed: int) -> None:
    rope = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    text = text_config(rope_parameters=rope, query_pre_attn_scalar=20, vocab_size=308)
    vision = dict(
        model_type="siglip_vision_model", hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, image_size=16, patch_size=8, vision_use_head=False,
    )  # fmt: skip
    config = Gemma3Config(
        text_config=text.to_dict(), vision_config=vision, mm_tokens_per_image=4,
        boi_token_index=301, eoi_token_index=302, image_token_index=303,
    )  # fmt: skip
    model = Gemma3ForConditionalGeneration(config)
    randomise(model, seed)
    model.save_pretrained(fresh(old), max_shard_size="200KB")
    model.save_pretrained(fresh(new), save_original_format=False)
    for folder in (old, new):
        tag(folder)
    assert len(list(old.glob("model-*-of-00002.safetensors"))) == 2, "expected two shards"
    names = json.loads((old / "model.safetensors.index.json").read_text())["weight_map"]
    assert "language_model.model.norm.weight" in names
    assert "model.language_model.norm.weight" in load_file(new / "model.safetensors")
    record = json.loads((old / "config.json").read_text())
    (old / "config.json").write_text(json.dumps(hub_style(record), indent=2) + "\n")

    model, renamed = (load_fp32(Gemma3ForConditionalGeneration, folder) for folder in (old, new))
    for name, value in model.state_dict().items():
        assert torch.equal(value, renamed.state_dict()[name])
    assert model.config.text_config.rope_parameters == renamed.config.text_config.rope_parameters
    text_model = model.model.language_model
    twin = Twin(Shape.of(text_model.config), text_weights(model), torch.float64)
    save(dump(model, text_model, twin, seed), old / "dumps.safetensors", embed_scale="fp32 square root of hidden_size")


def main() -> None:
    here = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=here / "Tests/Fixtures/gemma")
    output = parser.parse_args().output
    torch.manual_seed(0)
    make_causal(output / "causal", text_config(), torch.float32, seed=1, cases="abcde")
    bf16 = text_config(
        hidden_size=40, intermediate_size=56, num_key_value_heads=1, query_pre_attn_scalar=24, vocab_size=301
    )
    make_causal(output / "causal-bf16", bf16, torch.bfloat16, seed=2, cases="a")
    make_multimodal(output / "multimodal", output / "multimodal-new-keys", seed=3)
    make_configs(fresh(output / "configs"), VERSION)


if __name__ == "__main__":
    main()
