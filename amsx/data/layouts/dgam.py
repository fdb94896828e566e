"""DGAM's layout.

    {train,test}_data/{rgb,flow}_features/<i>.npy     (n, D), i from 1
    {train,test}_data/{train,test}_labels.npy         (V, C), 1 where video i has the class
    classlist.npy or classlist.txt                    the names of the classes, where it is there
    {train,test}_names.txt, *{train,test}_vid_list.txt    the videos' ids, one per line, where it is there
    gt.json                                           {"database": {id: {"annotations": [...]}}}, where it is there

DGAM numbers videos and classes: without lists of names the videos are called train_1, test_1 and so on, and there are
no segments. What is written has these lists, and gt.json says snippet_seconds. Without that a snippet is 16 frames at
25 fps, 0.64 s, and a note says that nothing tests it where there are no durations.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.data.arrays import as_bytes, read_name_array, write_array
from amsx.data.layouts.shared.annotation_json import Entry, all_labels, annotation, read_database, write_database
from amsx.data.layouts.shared.assembly import ListedVideo, assemble, open_features, shortened, unlisted_features
from amsx.data.layouts.shared.layout import RGB_FLOW, FilePolicies, Layout
from amsx.data.layouts.shared.snippet_time import SNIPPET_SECONDS, median_snippet, stated_seconds, stated_timebase
from amsx.data.layouts.shared.split_files import SUBSETS, write_ids
from amsx.data.videos import Dataset, Subset
from amsx.files import read_names, visible
from amsx.unpickling import load_npy

ALPHABETICAL = "no classlist: the labels' columns are the classes of gt.json in alphabetical order"
GUESSED = 0.1  # share of the videos whose labels may differ from gt.json's where the order of the classes is a guess


@dataclass(frozen=True, kw_only=True)
class Options(FilePolicies):
    """What can be said to the reader."""

    snippet_seconds: float | None = None  # from one snippet to the next; None: 0.64, unless durations contradict


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return any((root / f"{subset}_data" / f"{stream}_features").is_dir() for subset in SUBSETS for stream in RGB_FLOW)


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    database = read_database(root / "gt.json") if (root / "gt.json").is_file() else None
    truth = {} if database is None else database.entries
    labels = {subset: _labels(root, subset) for subset in SUBSETS if (root / f"{subset}_data").is_dir()}
    widths = {rows.shape[1] for rows in labels.values()}
    if len(widths) > 1:
        raise ValueError(f"{root}: the label files have {sorted(widths)} columns, expected the same in each")
    classes, notes = _classes(root, next(iter(widths)), truth)
    notes += database.notes if database is not None else ()
    listed, differing, named = [], [], 0
    streams = [s for s in RGB_FLOW if any((root / f"{subset}_data" / f"{s}_features").is_dir() for subset in labels)]
    for subset, rows in labels.items():
        names = _names(root, subset, len(rows))
        for i, row in enumerate(rows):
            name = names[i] if names else f"{subset}_{i + 1}"
            entry = truth.get(name)
            own = tuple(sorted(classes[c] for c in np.flatnonzero(row)))
            named += entry is not None
            annotated = entry if entry is not None else Entry(subset, (), ())
            described = replace(annotated, subset=subset, labels=own)
            if entry is not None and entry.labels != described.labels:
                differing.append(name)
            folder = root / f"{subset}_data"
            paths = {stream: folder / f"{stream}_features" / f"{i + 1}.npy" for stream in streams}
            listed.append(ListedVideo(name, subset, described, paths))
        if not names:
            notes.append(f"no list of {subset} videos: they are called {subset}_1 to {subset}_{len(rows)}")
    if not named:
        why = "there is no gt.json" if database is None else "gt.json has none of these videos"
        notes.append(f"no segments: {why}")
    if notes and notes[0].startswith(ALPHABETICAL) and named:
        if len(differing) > GUESSED * named:
            raise ValueError(
                f"{root}: there is no classlist, and the labels' columns are not the classes of gt.json in order of "
                f"the alphabet, by the labels of {len(differing)} of {named} videos; give classlist.txt, a name a line"
            )
        notes[0] = f"{ALPHABETICAL}, as the labels of {named - len(differing)} of {named} videos confirm"
    if differing:
        notes.append(
            f"labels differ from those of gt.json in {len(differing)} videos; the label files decide: "
            f"{shortened(differing)}"
        )
    places = [root / f"{subset}_data" / f"{stream}_features" for subset in labels for stream in streams]
    files = (path for place in places for path in visible(place, "*.npy"))
    notes += unlisted_features(files, (path for video in listed for path in video.paths.values()))
    opened, opening_notes = open_features(listed, options)
    notes += opening_notes
    beside = {} if database is None else database.beside
    given, seconds_notes = stated_seconds(options.snippet_seconds, beside, root / "gt.json")
    if isinstance(given, Mapping):
        raise ValueError(
            f"{root}: snippet_seconds is {dict(given)}, expected one number for all streams of this layout"
        )
    timebase = stated_timebase(root, opened, given, SNIPPET_SECONDS)
    notes += seconds_notes
    if given is None and all(video.entry.duration is None for video in opened):
        notes.append(f"snippet_seconds = {SNIPPET_SECONDS:g}, the usual value, which nothing tests")
    return assemble(root, LAYOUT.name, opened, lambda _: timebase, unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout, with the lists of names for which its reader looks."""
    classes = all_labels(dataset)
    for subset in SUBSETS:
        videos = dataset.subset(subset)
        if not videos:
            continue
        folder = root / f"{subset}_data"
        for i, video in enumerate(videos, start=1):
            for name, stream in video.streams.items():
                write_array(folder / f"{name}_features" / f"{i}.npy", stream.load())
        labels = np.array([[label in video.labels for label in classes] for video in videos], dtype=np.float32)
        write_array(folder / f"{subset}_labels.npy", labels)  # (V, C)
        write_ids(root / f"{subset}_names.txt", videos)
    write_array(root / "classlist.npy", as_bytes(classes))
    write_database(root / "gt.json", annotation(dataset), snippet_seconds=median_snippet(dataset))
    return Options(snippet_seconds=median_snippet(dataset))


def _labels(root: Path, subset: Subset) -> NDArray[Any]:
    """(V, C) labels of a subset."""
    candidates = [root / f"{subset}_data" / f"{subset}_labels.npy", root / f"{subset}_labels.npy"]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"no label file {candidates[0]}")
    rows = load_npy(path)
    if rows.ndim != 2 or rows.dtype.kind not in "biuf" or 0 in rows.shape or not np.isin(rows, (0, 1)).all():
        raise ValueError(f"{path}: {rows.dtype} of shape {rows.shape}, expected zeros and ones (videos, classes)")
    return rows


def _classes(root: Path, count: int, truth: dict[str, Entry]) -> tuple[list[str], list[str]]:
    """The names of the classes in the order of the labels' columns, and notes."""
    notes: list[str] = []
    if (root / "classlist.npy").is_file():
        names = read_name_array(root / "classlist.npy")
    elif (root / "classlist.txt").is_file():
        names = read_names(root / "classlist.txt")
    elif len(names := sorted({label for entry in truth.values() for label in entry.labels})) == count:
        notes.append(f"{ALPHABETICAL}, which nothing tests")
    else:
        names = [f"class_{c:0{len(str(count - 1))}d}" for c in range(count)]
        notes.append(f"no classlist: the classes are called {names[0]} to {names[-1]}")
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"{root}: classlist has {len(names)} names, the labels {count} columns")
    return names, notes


def _names(root: Path, subset: Subset, count: int) -> list[str] | None:
    """The videos' ids, where a file lists them."""
    places = [root, root / f"{subset}_data"]
    candidates = [
        p
        for place in places
        for pattern in (f"{subset}_names.txt", f"*{subset}_vid_list.txt")
        for p in visible(place, pattern)
    ]
    if not candidates:
        return None
    names = read_names(candidates[0])
    if len(names) != count:
        raise ValueError(f"{candidates[0]}: lists {len(names)} videos, the label file has {count} rows")
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise ValueError(f"{candidates[0]}: the video id {twice!r} occurs twice")
    return names


LAYOUT = Layout(
    name="dgam",
    holds="{train,test}_data/{rgb,flow}_features/<i>.npy with <subset>_labels.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    names_files_by_id=False,
    rgb_flow_only=True,
    separate_streams=True,
    lists_ids=True,
    needs_labels=True,
    labels_apart=True,
    one_snippet_duration=True,
)
