"""Checkpoints that cannot carry code: safetensors with a JSON header, replaced as a whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from amsx.files import written_whole

FORMAT = "amsx"  # the metadata key that holds the header


def save(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, kind: str) -> None:
    """Write `tensors` and the JSON values of `header` to `path`; a crash leaves the old file or the new one.

    `kind` says what the file is ("checkpoint", "activations") and is asked for again by `load`.
    """
    metadata = {FORMAT: json.dumps({"kind": kind, "version": 1, **header})}
    with written_whole(path) as temporary:
        try:
            save_file({k: v.detach().contiguous().cpu() for k, v in tensors.items()}, temporary, metadata)
        except SafetensorError as error:  # a full disk, a folder that cannot be written to
            raise OSError(f"{path} could not be written ({error})") from error  # `written_whole` reads its number


def load(
    path: Path, *, kind: str, device: torch.device | str = "cpu", prefix: str = ""
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The header that `save` wrote, and its tensors whose names begin with `prefix`; no others are read.

    FileNotFoundError when there is no such file, ValueError when it is truncated, of another format, or of
    another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no {kind} at {path}")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            metadata = file.metadata() or {}
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 (not a mapping)
            tensors = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a complete safetensors file ({error}); expected an amsx {kind}") from error
    try:
        header = json.loads(metadata[FORMAT])
        found = (header["kind"], header["version"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{path} is a safetensors file but was not written by amsx; expected its {kind}") from None
    if found != (kind, 1):
        raise ValueError(f"{path} holds {found[0]!r} version {found[1]}, expected {kind!r} version 1")
    return tensors, header
