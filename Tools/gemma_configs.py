"""config.json of the five sizes of Gemma 3, shaped like the hub's: newest style for 270m, older for the rest."""

import json
from pathlib import Path

from transformers import Gemma3Config, Gemma3TextConfig

from gemma_twin import Shape

# layers, hidden, heads, kv, head_dim, ffn, query_pre_attn_scalar, window
SIZES = {
    "270m": (18, 640, 4, 1, 256, 2048, 256, 512),
    "1b": (26, 1152, 4, 1, 256, 6912, 256, 512),
    "4b": (34, 2560, 8, 4, 256, 10240, 256, 1024),
    "12b": (48, 3840, 16, 8, 256, 15360, 256, 1024),
    "27b": (62, 5376, 32, 16, 128, 21504, 168, 1024),
}


def make_configs(folder: Path, version: str) -> None:
    """Configurations as sparse as the hub's: those of 4b and up lean on the defaults of Gemma3TextConfig."""
    for name, (layers, hidden, heads, kv, head_dim, ffn, scalar, window) in SIZES.items():
        text = {
            "model_type": "gemma3_text", "hidden_size": hidden, "intermediate_size": ffn,
            "num_hidden_layers": layers, "sliding_window": window,
        }  # fmt: skip
        heads_of = {"num_attention_heads": heads, "num_key_value_heads": kv}
        if hidden < 2560:
            record = text | heads_of | {
                "architectures": ["Gemma3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
                "attn_logit_softcapping": None, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
                "final_logit_softcapping": None, "head_dim": head_dim, "hidden_activation": "gelu_pytorch_tanh",
                "max_position_embeddings": 32768, "query_pre_attn_scalar": scalar, "rms_norm_eps": 1e-6,
                "rope_local_base_freq": 10000, "rope_scaling": None, "rope_theta": 1000000,
                "torch_dtype": "bfloat16", "vocab_size": 262144,
            }  # fmt: skip
            if name == "270m":
                kinds = ["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(layers)]
                record |= {"_sliding_window_pattern": 6, "layer_types": kinds, "use_bidirectional_attention": False}
            else:
                record |= {"sliding_window_pattern": 6}
        else:
            text |= {"rope_scaling": {"factor": 8.0, "rope_type": "linear"}}
            text |= heads_of if name != "4b" else {}
            text |= {"head_dim": head_dim, "query_pre_attn_scalar": scalar} if name == "27b" else {}
            record = {
                "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": 255999,
                "eoi_token_index": 256000, "eos_token_id": [1, 106], "image_token_index": 262144,
                "initializer_range": 0.02, "mm_tokens_per_image": 256, "text_config": text, "torch_dtype": "bfloat16",
                "vision_config": {"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
                                  "model_type": "siglip_vision_model", "num_attention_heads": 16,
                                  "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": False},
            }  # fmt: skip
        config = (Gemma3Config if "text_config" in record else Gemma3TextConfig)(**record)
        shape = Shape.of(config.get_text_config())
        assert (shape.heads, shape.kv_heads, shape.head_dim, shape.scale) == (heads, kv, head_dim, scalar**-0.5)
        record |= {"fixture": "gemma-config", "version": version}
        (folder / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
