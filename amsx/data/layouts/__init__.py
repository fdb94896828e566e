"""The registry of layouts: how data sets lie in folders on users' disks, one module per layout.

Such a module exports a `Layout` of the name `LAYOUT`, with the functions that recognize, read and write a folder and
with what such a folder can hold; `shared` has what several of them have in common.

What becomes of data that is not as it should be, in every layout. A note is in `Dataset.notes` and is printed by every
command; "skip" leaves the video out and notes how many and which.

| what | outcome |
| --- | --- |
| features missing | FileNotFoundError, or missing="skip"; W-TALC, whose bundle has a place for each: ValueError |
| features of a video that is not listed | left out and noted |
| a file truncated, of another kind, empty, of the wrong rank | ValueError, or broken="skip" |
| the same where one file holds many videos (W-TALC, A2CL-PT, HDF5) | truncated: ValueError; one video's: as above |
| arrays of several crops, (snippets, crops, channels) or with crops first | ValueError, or say with crops= which |
| arrays that lie (channels, snippets) | ValueError, or say with transpose= how they lie |
| streams of different lengths | up to 2 snippets cut to the shortest, noted; beyond, ValueError or broken="skip" |
| streams of different lengths in most videos | rates of their own, derived or given by stream; else ValueError |
| streams that end at different times | ValueError from 2 of the longer snippets on |
| streams or widths that differ from video to video | ValueError |
| NaN or infinite values | ValueError with file and row when the features are loaded; `amsx data` lists them |
| a pickle that asks for more than plain values | ValueError that says for what |
| a training video without a label | ValueError, or unlabelled="skip"; of a table of labels: left out and noted |
| a training video that shows no action, as a table of labels can say | kept as a negative and noted |
| a test video without one | kept and noted; A2CL-PT, whose annotation lists hundreds: left out and noted |
| a label that no training video has | kept as ground truth, no class, noted |
| a label that the layout's own list of classes lacks | ValueError |
| a segment past the video's end or before its start | kept as annotated; noted from 2 snippets on |
| a segment of no length | left out, its label kept, noted |
| a segment that ends before it starts, or is not two numbers | ValueError, as in the evaluation |
| a label that is a list | its segment counts under each of the labels |
| a label that is null, blank or another kind of value than text or an integer | ValueError, as in the evaluation |
| two spellings of one key (`fps`, `frame_rate`) that disagree | ValueError that names both |
| a segment labelled Ambiguous | counted, left out and noted; the label is no class |
| an id twice in annotation, split files, file names or bundles | ValueError |
| a listed video that the annotation lacks | ValueError |
| an annotated video that no split file lists | left out and noted |
| a subset of an unknown name | ValueError, or say with subsets= what it is |
| a video of which the annotation names no subset | that of a list beside it, noted; else ValueError |
| two sources of labels or subsets that disagree | the reader says which counts, or an option does; noted |
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from numbers import Real
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from amsx.data.extraction_record import ExtractionRecord
from amsx.data.layouts import (
    a2cl_pt,
    acm_net,
    action_former,
    activity_net,
    bas_net,
    cmcs,
    dgam,
    labels,
    ms_tcn,
    opentad,
    wtalc,
)
from amsx.data.layouts.shared.layout import POLICIES, Layout
from amsx.data.layouts.shared.stream_options import PerStream
from amsx.data.videos import Dataset

# A line for each layout, in the order in which messages and help texts list them.
LAYOUTS: tuple[Layout[Any], ...] = (
    bas_net.LAYOUT,
    acm_net.LAYOUT,
    action_former.LAYOUT,
    wtalc.LAYOUT,
    a2cl_pt.LAYOUT,
    cmcs.LAYOUT,
    dgam.LAYOUT,
    ms_tcn.LAYOUT,
    opentad.LAYOUT,
    activity_net.LAYOUT,
    labels.LAYOUT,
)

# Precedence where several layouts recognize a folder. A JSON file and arrays are all that tells the general ones, and
# folders of other layouts hold these, too: every other layout that recognizes the folder wins over them, except the
# equals, whose folder may well be a general one. Where several layouts are left, the user must say which it is.
GENERAL = frozenset({"action_former", "opentad", "activity_net"})
EQUALS = frozenset({"bas_net"})


def layout_names() -> tuple[str, ...]:
    """The names of all layouts, which `read_dataset` and `amsx.data.convert.convert` take."""
    return tuple(layout.name for layout in LAYOUTS)


def named_layout(name: str) -> Layout[Any]:
    """The layout of that name; ValueError where there is none."""
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise ValueError(f"unknown layout {name!r}, expected one of {', '.join(layout_names())}")


def matching_layouts(root: Path) -> tuple[Layout[Any], ...]:
    """The layouts that the folder `root` may be in, after precedence."""
    matching = [layout for layout in LAYOUTS if layout.detect(root)]
    if any(layout.name not in GENERAL | EQUALS for layout in matching):
        matching = [layout for layout in matching if layout.name not in GENERAL]
    return tuple(matching)


def read_dataset(root: str | Path, layout: str | None = None, **options: Any) -> Dataset:
    """Read the data set in the folder `root`, in the layout of that name or in the one that recognizes the folder.

    The options are the fields of the layout's `Options`; a path among them counts from the working directory, or from
    `root` where nothing is there. FileNotFoundError where there is no folder, or no file that an option names;
    ValueError where no layout or more than one recognizes it, or the name is unknown; TypeError for an option that the
    layout does not have.
    """
    root = Path(root)
    chosen = _layout_of(root, layout)
    known = _option_names(chosen)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"layout {chosen.name} has no option {unknown[0]!r}; it has {', '.join(known)}")
    hints = get_type_hints(chosen.options)
    paths = {}
    for name, value in options.items():
        kinds = set(get_args(hints[name]))
        by_stream = isinstance(value, Mapping) and kinds == set(get_args(PerStream))
        if kinds >= {float, NoneType} and not _is_number(value) and not by_stream:
            raise TypeError(f"option {name} of layout {chosen.name} must be a number, got {value!r}")
        if Path in kinds and value is not None:
            paths[name] = _given_path(name, Path(value), root)
    dataset = chosen.read(root, chosen.options(**{**options, **paths}))
    return replace(dataset, extraction=ExtractionRecord.read(root), options=options)


def read_leniently(root: str | Path, layout: str | None = None, **options: Any) -> Dataset:
    """Read what can be read: like `read_dataset`, with every policy that `options` do not give set to "skip".

    The policies are `missing`, `broken` and `unlabelled`, of which a layout has two or three.
    """
    policies = [name for name in _option_names(_layout_of(Path(root), layout)) if name in POLICIES]
    return read_dataset(root, layout, **{**dict.fromkeys(policies, "skip"), **options})


def _option_names(layout: Layout[Any]) -> list[str]:
    """The names of a layout's options, those that every layout has last."""
    shared = (*POLICIES, "transpose", "crops", "crop_axis")
    names = [field.name for field in fields(layout.options)]
    return sorted(names, key=lambda name: shared.index(name) if name in shared else -1)


def _given_path(option: str, path: Path, root: Path) -> Path:
    """Where the file or folder is that an option names: `path` itself or, where nothing is there, `path` in `root`."""
    for place in (path, root / path):
        if place.exists():
            return place
    raise FileNotFoundError(f"{option}: no such file or folder: {path}, neither here nor in {root}")


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, Real) and not isinstance(value, bool))


def _layout_of(root: Path, name: str | None) -> Layout[Any]:
    """The layout of that name, or the one that recognizes the folder; errors as in `read_dataset`."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise FileNotFoundError(f"no folder {root}: it {what}; expected the folder that holds features and annotation")
    if name is not None:
        return named_layout(name)
    matching = matching_layouts(root)
    if not matching:
        known = "; ".join(f"{layout.name}: {layout.holds}" for layout in LAYOUTS)
        raise ValueError(f"{root} holds no known layout. Known are {known}")
    if len(matching) > 1:
        raise ValueError(f"{root} could be any of {', '.join(layout.name for layout in matching)}; give layout")
    return matching[0]
