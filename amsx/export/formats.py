"""The formats to which a branch can be exported: how each is written, and how it is run to check what was written.

A file holds the branch, and a JSON object about it under the name `amsx`: in the metadata of ONNX, as the extra file
`amsx.json` of TorchScript and `torch.export`.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amsx.export import Target

Run = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # features and lengths to a CAS and probabilities
INPUTS = ("features", "lengths")
OUTPUTS = ("cas", "probabilities")
METADATA = "amsx"


@dataclass(frozen=True)
class Format:
    """One of the formats."""

    write: Callable[[nn.Module, tuple[Tensor, Tensor], Mapping[str, Any], Path], None]  # branch, example, metadata
    load: Callable[[Path], Run]
    packages: tuple[str, ...] = ()  # what must be installed
    suffix: str = ""  # what the file's name must end in


def _write_onnx(branch: nn.Module, example: tuple[Tensor, Tensor], about: Mapping[str, Any], path: Path) -> None:
    program = torch.onnx.export(
        _program(branch, example), dynamo=True, input_names=INPUTS, output_names=OUTPUTS, verbose=False
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    shape: Any = program.model.graph.inputs[0].shape
    program.rename_axes({shape[0]: "batch", shape[1]: "snippets"})
    program.model.metadata_props[METADATA] = json.dumps(about)
    program.save(path, external_data=False)


def _load_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        cas, probs = session.run(OUTPUTS, dict(zip(INPUTS, (features.numpy(), lengths.numpy()), strict=True)))
        return torch.from_numpy(cas), torch.from_numpy(probs)

    return run


def _write_torchscript(branch: nn.Module, example: tuple[Tensor, Tensor], about: Mapping[str, Any], path: Path) -> None:
    trace: Any = torch.jit.trace  # torch gives it no types, nor torch.jit.load
    traced = trace(branch, example, check_trace=False)
    torch.jit.save(traced, path, _extra_files={f"{METADATA}.json": json.dumps(about)})


def _load_torchscript(path: Path) -> Run:
    load: Any = torch.jit.load
    run: Run = load(path)
    return run


def _write_torch_export(
    branch: nn.Module, example: tuple[Tensor, Tensor], about: Mapping[str, Any], path: Path
) -> None:
    torch.export.save(_program(branch, example), path, extra_files={f"{METADATA}.json": json.dumps(about)})


def _load_torch_export(path: Path) -> Run:
    run: Run = torch.export.load(path).module()
    return run


def _program(branch: nn.Module, example: tuple[Tensor, Tensor]) -> torch.export.ExportedProgram:
    """The graph of a branch for any number of videos and snippets."""
    batch, snippets = torch.export.Dim("batch"), torch.export.Dim("snippets")
    return torch.export.export(branch, example, dynamic_shapes=({0: batch, 1: snippets}, {0: batch}))


FORMATS: Mapping[Target, Format] = {
    "onnx": Format(_write_onnx, _load_onnx, ("onnx", "onnxscript", "onnxruntime")),
    "torchscript": Format(_write_torchscript, _load_torchscript),
    "torch-export": Format(_write_torch_export, _load_torch_export, suffix=".pt2"),
}


def check_target(target: Target, out: Path) -> None:
    """ImportError where a package that `target` needs is not installed, ValueError where `out` has the wrong suffix."""
    if not out.name.endswith(FORMATS[target].suffix):
        raise ValueError(f"{out}: torch reads such files only under names that end in {FORMATS[target].suffix}")
    missing = [name for name in FORMATS[target].packages if find_spec(name) is None]
    if missing:
        raise ImportError(f"exporting to {target} needs {', '.join(missing)}: pip install 'amsx[onnx]'")


@contextmanager
def quiet() -> Iterator[None]:
    """Within the context, torch's exporters do not warn: what they made is checked on inputs of other shapes."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
