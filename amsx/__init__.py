"""Adaptive Mutual Supervision (AMS) for weakly-supervised temporal action localization.

The drop-in ops are here, with `train` and `load`, which trains a run and applies it to new videos; the method and
everything around it live in the subpackages and behind the `amsx` command.

Importing amsx does not import torch, which takes seconds: evaluation, for one, needs NumPy alone. What needs it is
imported when it is asked for. The ops are registered as `torch.ops.amsx` as soon as both torch and amsx have been
imported.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsx.inference.model import load
    from amsx.ops.alignment import align_cas
    from amsx.ops.sampling import adaptive_sample, gather, sampling_timestamps, sampling_weights
    from amsx.training.train import train

__version__ = "0.1.0"  # the one place: pyproject.toml reads it here
__all__ = [
    "__version__",
    "adaptive_sample",
    "align_cas",
    "gather",
    "load",
    "sampling_timestamps",
    "sampling_weights",
    "train",
]

_HOMES = {  # name -> the module that it is imported from when it is asked for
    "adaptive_sample": "amsx.ops.sampling",
    "align_cas": "amsx.ops.alignment",
    "gather": "amsx.ops.sampling",
    "load": "amsx.inference.model",
    "sampling_timestamps": "amsx.ops.sampling",
    "sampling_weights": "amsx.ops.sampling",
    "train": "amsx.training.train",
}


def __getattr__(name: str) -> Any:
    if name == "ops":
        return importlib.import_module("amsx.ops")
    if name not in _HOMES:
        raise AttributeError(f"module 'amsx' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)  # an ordinary attribute from then on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _RegisterAfterTorch:
    """Imports `amsx.ops`, which registers the ops, when the import of torch is done."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != "torch":
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec("torch")
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            importlib.import_module("amsx.ops")

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


if "torch" in sys.modules:
    importlib.import_module("amsx.ops")
else:
    sys.meta_path.insert(0, _RegisterAfterTorch())
