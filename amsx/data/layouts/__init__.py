"""One reader per layout on users' disks.

A layout is a module with `HOLDS` (what its folder holds, in words), `detect(root) -> bool` and
`read(root, *, <options>) -> Dataset`; its name is the module's.
"""

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from amsx.data.layouts import action_former, bas_net
from amsx.data.videos import Dataset

LAYOUTS: tuple[ModuleType, ...] = (bas_net, action_former)


def read_dataset(root: str | Path, layout: str | None = None, **options: Any) -> Dataset:
    """The data set in the folder `root`, read by the layout of that name, or by the one that recognizes it.

    Options are those of the layout's `read`. FileNotFoundError where there is no folder; ValueError where no
    layout or more than one recognizes it, or the name is unknown; TypeError for an option that the layout
    does not have.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}")
    module = _recognized(root) if layout is None else _named(layout)
    known = [name for name in inspect.signature(module.read).parameters if name != "root"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"layout {_name(module)} has no option {unknown[0]!r}; it has {', '.join(known)}")
    dataset: Dataset = module.read(root, **options)
    return dataset


def _recognized(root: Path) -> ModuleType:
    found = [module for module in LAYOUTS if module.detect(root)]
    if not found:
        known = "; ".join(f"{_name(module)}: {module.HOLDS}" for module in LAYOUTS)
        raise ValueError(f"{root} holds no known layout. Known are {known}")
    if len(found) > 1:
        raise ValueError(f"{root} could be any of {', '.join(map(_name, found))}; give layout")
    return found[0]


def _named(layout: str) -> ModuleType:
    for module in LAYOUTS:
        if _name(module) == layout:
            return module
    raise ValueError(f"unknown layout {layout!r}, expected one of {', '.join(map(_name, LAYOUTS))}")


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
