"""Writes safetensors files whose bytes depend on nothing but their content."""

import json
from pathlib import Path

import safetensors.numpy
import safetensors.torch
import torch


def save(tensors: dict, path: Path, metadata: dict[str, str]) -> None:
    """safetensors, from NumPy or PyTorch, with metadata in alphabetical order (the library's own order varies)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if any(isinstance(value, torch.Tensor) for value in tensors.values()):
        data = safetensors.torch.save({name: value.contiguous() for name, value in tensors.items()}, metadata)
    else:
        data = safetensors.numpy.save(tensors, metadata)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
