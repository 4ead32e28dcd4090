"""Turns a Gemma 3 GGUF into a Hugging Face folder: config.json, model.safetensors, tokenizer.json.

transformers dequantises the GGUF to fp32 but refuses to save the result, so a fresh model is built from the
configuration without its quantisation record and the weights are copied over. The copy's logits are compared
with the original's bit for bit before anything is written.

    python Tools/export_hf.py model.gguf --fp32 out-fp32 --bf16 out-bf16
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, Gemma3ForCausalLM


def load_gguf(path: Path) -> Gemma3ForCausalLM:
    """The model with its weights dequantised to fp32, eager attention."""
    model = Gemma3ForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    )
    return model.eval()


def without_quantisation(model: Gemma3ForCausalLM, dtype: torch.dtype) -> Gemma3ForCausalLM:
    """The same weights in a model that can be saved."""
    record = model.config.to_dict()
    record.pop("quantization_config", None)
    config = type(model.config).from_dict(record)
    config._attn_implementation = "eager"
    copy = Gemma3ForCausalLM(config)
    copy.load_state_dict(model.state_dict())
    copy.generation_config = model.generation_config
    return copy.to(dtype).eval()


@torch.no_grad()
def check_equal(a: Gemma3ForCausalLM, b: Gemma3ForCausalLM) -> None:
    tokens = torch.arange(2, 40).unsqueeze(0)
    if not torch.equal(a(tokens).logits, b(tokens).logits):
        raise SystemExit("the rebuilt model's logits differ from the loaded one's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--fp32", type=Path, help="folder for the fp32 export")
    parser.add_argument("--bf16", type=Path, help="folder for the bf16 export (weights rounded)")
    arguments = parser.parse_args()
    outputs = [(torch.float32, arguments.fp32), (torch.bfloat16, arguments.bf16)]
    outputs = [(dtype, folder) for dtype, folder in outputs if folder]
    if not outputs:
        parser.error("name at least one of --fp32 and --bf16")

    path = arguments.gguf.resolve()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    for _, folder in outputs:
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save_pretrained(folder)
        print("tokenizer:", folder, flush=True)

    model = load_gguf(path)
    check_equal(model, without_quantisation(model, torch.float32))
    for dtype, folder in outputs:
        without_quantisation(model, dtype).save_pretrained(folder)
        files = sorted(path.name for path in folder.iterdir())
    print(json.dumps({"folder": str(folder), "dtype": str(dtype), "files": files}))


if __name__ == "__main__":
    main()
