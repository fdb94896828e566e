"""One reader per layout on users' disks.

A layout is a module with `HOLDS` (what its folder holds, in words), `detect(root) -> bool` and
`read(root, *, <options>) -> Dataset`; its name is the module's.

What becomes of data that is not as it should be, in every layout. A note is in `Dataset.notes` and is printed by every
command; "skip" leaves the video out and notes how many and which.

| what | outcome |
| --- | --- |
| features missing | FileNotFoundError, or missing="skip"; W-TALC, whose bundle has a place for each: ValueError |
| features of a video that is not listed | left out and noted |
| a file truncated, of another kind, empty, of the wrong rank | ValueError, or broken="skip" |
| the same where one file holds many videos (W-TALC, A2CL-PT, HDF5) | truncated: ValueError; one video's: as above |
| streams of different lengths | up to 2 snippets cut to the shortest, noted; beyond, ValueError or broken="skip" |
| streams or widths that differ from video to video | ValueError |
| NaN or infinite values | ValueError with file and row when the features are loaded; `amsx data` lists them |
| a pickle that asks for more than plain values | ValueError that says for what |
| a training video without a label | ValueError, or unlabelled="skip" |
| a test video without one | kept and noted; A2CL-PT, whose annotation lists hundreds: left out and noted |
| a label that no training video has | kept as ground truth, no class, noted |
| a label that the layout's own list of classes lacks | ValueError |
| a segment past the video's end or before its start | kept as annotated; noted from 2 snippets on |
| a segment of no length | left out, its label kept, noted |
| a segment that ends before it starts, or of no numbers | ValueError |
| an id twice in annotation, split files, file names or bundles | ValueError |
| a listed video that the annotation lacks | ValueError |
| an annotated video that no split file lists | left out and noted |
| a subset of an unknown name | ValueError, or say with subsets= what it is |
| two sources of labels or subsets that disagree | the reader says which counts, or an option does; noted |
"""

import inspect
from numbers import Real
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, get_args, get_type_hints

from amsx.data.layouts import a2cl_pt, acm_net, action_former, activity_net, bas_net, cmcs, dgam, opentad, wtalc
from amsx.data.videos import Dataset

LAYOUTS: tuple[ModuleType, ...] = (
    bas_net,
    acm_net,
    action_former,
    wtalc,
    a2cl_pt,
    cmcs,
    dgam,
    opentad,
    activity_net,
)

POLICIES = ("missing", "broken", "unlabelled")


def read_dataset(root: str | Path, layout: str | None = None, **options: Any) -> Dataset:
    """The data set in the folder `root`, read by the layout of that name, or by the one that recognizes it.

    Options are those of the layout's `read`. FileNotFoundError where there is no folder; ValueError where no
    layout or more than one recognizes it, or the name is unknown; TypeError for an option that the layout
    does not have.
    """
    root = Path(root)
    module = _module(root, layout)
    known = [name for name in inspect.signature(module.read).parameters if name != "root"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"layout {_name(module)} has no option {unknown[0]!r}; it has {', '.join(known)}")
    hints = get_type_hints(module.read)
    for name, value in options.items():
        if set(get_args(hints[name])) == {float, NoneType} and not _is_number(value):
            raise TypeError(f"option {name} of layout {_name(module)} must be a number, got {value!r}")
    dataset: Dataset = module.read(root, **options)
    return dataset


def read_what_can_be(root: str | Path, layout: str | None = None, **options: Any) -> Dataset:
    """As `read_dataset`, but every policy the layout has (missing, broken, unlabelled) is "skip" unless given."""
    policies = [name for name in POLICIES if name in inspect.signature(_module(Path(root), layout).read).parameters]
    return read_dataset(root, layout, **{**dict.fromkeys(policies, "skip"), **options})


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, Real) and not isinstance(value, bool))


def _module(root: Path, layout: str | None) -> ModuleType:
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise FileNotFoundError(f"no folder {root}: it {what}; expected the folder that holds features and annotation")
    return _recognized(root) if layout is None else _named(layout)


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
