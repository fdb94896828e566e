"""Files of weights that users bring: read without running code, and known by their checksum."""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

NESTED = ("state_dict", "model_state_dict", "model")  # where checkpoints of whole trainings keep the weights


def checksum(path: Path, expected: str | None = None) -> str:
    """`sha256:` and the digest of a file; ValueError where another digest was expected."""
    if not path.is_file():
        raise FileNotFoundError(f"no file of weights at {path}")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    found = f"sha256:{digest.hexdigest()}"
    if expected is not None and expected.lower().removeprefix("sha256:") != digest.hexdigest():
        raise ValueError(f"{path} has the checksum {found}; expected sha256:{expected.lower().removeprefix('sha256:')}")
    return found


def read_weights(path: Path) -> dict[str, Tensor]:
    """The named tensors in a checkpoint of PyTorch or a safetensors file; a checkpoint may hold them beside others.

    ValueError where the file is something else, or is a pickle that would run code.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is not a file of tensors alone, which is all that is read: {reason}") from error
    for key in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    tensors: dict[str, Tensor] = {}
    if isinstance(content, Mapping):
        tensors = {name: value for name, value in _items(content) if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(f"{path} holds no named tensors; expected the state dict of a network")
    return tensors


def _items(content: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    return [(str(name), value) for name, value in content.items()]
