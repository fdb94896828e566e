"""BaS-Net's layout (also of WTAL-Uncertainty-Modeling and CoLA).

    gt.json                          {"database": {id: {"subset": "train" or "test", "annotations": [...]}}}
    split_train.txt, split_test.txt            one video id per line
    features/{train,test}/<stream>/<id>.npy    (n, D); streams are usually rgb and flow

The split files decide which videos there are and in which subset; where both are absent, `gt.json` does.
Nothing in the files says how long a snippet is. These projects' features have 16 frames at 25 fps: 0.64 s.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from amsx.data.layouts.annotations import Entry, read_database
from amsx.data.layouts.assembly import Listed, Opened, Policy, assemble, open_features, some
from amsx.data.layouts.timing import seconds_per_snippet
from amsx.data.videos import Dataset, Subset, Timebase, stream_order

SNIPPET_SECONDS = 16 / 25
SUBSETS = get_args(Subset)
HOLDS = "gt.json with split_{train,test}.txt or features/{train,test}/<stream>/<id>.npy"


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    if not (root / "gt.json").is_file():
        return False
    if any((root / "features" / subset).is_dir() for subset in SUBSETS):
        return True
    # ACM-Net's layout has splits, too, but <subset>/<id>.npy
    arrays_by_subset = any((root / subset).is_dir() for subset in SUBSETS)
    return not arrays_by_subset and any((root / f"split_{subset}.txt").is_file() for subset in SUBSETS)


def read(
    root: Path,
    *,
    streams: Sequence[str] | None = None,
    snippet_seconds: float | None = None,
    missing: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `streams` picks stream folders (default: all there are). `snippet_seconds` is the time from one snippet to
    the next; by default 0.64, or what `timing.seconds_per_snippet` derives where the annotation blatantly
    contradicts that. `missing` and `unlabelled` say whether listed videos without features, and training
    videos without labels, are errors or left out and noted. A split file that names a video twice, or one
    that `gt.json` lacks, or a video that is in both splits, is a ValueError. Videos of `gt.json` in neither
    split are left out and noted.
    """
    entries = read_database(root / "gt.json")
    subsets, notes = _subsets(root, entries)
    names = _streams(root, streams)
    listed = [
        Listed(
            name,
            subset,
            entries[name],
            {stream: root / "features" / subset / stream / f"{name}.npy" for stream in names},
        )
        for name, subset in subsets.items()
    ]
    opened, found = open_features(listed, missing)
    notes += found
    if snippet_seconds is None:
        snippet_seconds, note = _snippet_seconds(root, opened)
        notes += [note] if note else []
    timebase = Timebase(snippet_seconds)
    return assemble(root, "bas_net", opened, lambda _: timebase, unlabelled=unlabelled, notes=notes)


def _subsets(root: Path, entries: dict[str, Entry]) -> tuple[dict[str, Subset], list[str]]:
    """The subset of every video that is listed, and notes."""
    files = {subset: root / f"split_{subset}.txt" for subset in SUBSETS}
    if not any(path.is_file() for path in files.values()):
        odd = [f"{name} ({entry.subset})" for name, entry in entries.items() if entry.subset not in SUBSETS]
        if odd:
            raise ValueError(f"{root / 'gt.json'}: expected the subset train or test, but not so: {some(odd)}")
        note = "no split_train.txt or split_test.txt; the subsets are those of gt.json"
        return {name: entry.subset for name, entry in entries.items()}, [note]  # type: ignore[misc]
    subsets: dict[str, Subset] = {}
    notes = []
    for subset, path in files.items():
        if not path.is_file():
            notes.append(f"no {path.name}: no {subset} videos")
            continue
        for name in path.read_text(encoding="utf-8").split():
            if name in subsets:
                raise ValueError(f"{path}: video {name!r} is listed twice (here or in the other split)")
            if name not in entries:
                raise ValueError(f"{path}: video {name!r} is not in {root / 'gt.json'}")
            subsets[name] = subset
    if not subsets:
        raise ValueError(f"{root}: its split files list no video")
    left_out = [name for name in entries if name not in subsets]
    if left_out:
        notes.append(f"left out: {len(left_out)} videos of gt.json that no split file lists: {some(left_out)}")
    moved = [name for name, subset in subsets.items() if entries[name].subset != subset]
    if moved:
        notes.append(f"{len(moved)} videos are in another subset in gt.json; the split files decide: {some(moved)}")
    return subsets, notes


def _streams(root: Path, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The stream folders to read."""
    folders = [path for subset in SUBSETS for path in (root / "features" / subset).glob("*") if path.is_dir()]
    there = stream_order({path.name for path in folders})
    if not there:
        expected = root / "features" / "{train,test}" / "{rgb,flow}" / "<id>.npy"
        raise FileNotFoundError(f"no features under {root / 'features'}, expected {expected}")
    if wanted is None:
        return there
    unknown = sorted(set(wanted) - set(there))
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(f"streams {list(wanted)}: expected one or more of {list(there)}, each once")
    return tuple(wanted)


def _snippet_seconds(root: Path, opened: Sequence[Opened]) -> tuple[float, str | None]:
    train = [video for video in opened if video.subset == "train" and video.entry.segments]
    last_ends = [max(segment.end for segment in video.entry.segments) for video in train]
    try:
        return seconds_per_snippet([video.length for video in train], last_ends, SNIPPET_SECONDS)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error


def write(dataset: Dataset, root: Path) -> None:
    """Write `dataset` into the new or empty folder `root` in this layout, features as float32.

    ValueError where the layout cannot hold it: snippets other than 0.64 s from second 0 on, which it does not
    record. FileExistsError where `root` holds something.
    """
    odd = [video.id for video in dataset.videos if video.timebase != Timebase(SNIPPET_SECONDS)]
    if odd:
        raise ValueError(f"BaS-Net's layout has snippets of {SNIPPET_SECONDS} s from second 0, unlike {some(odd)}")
    bare = [video.id for video in dataset.videos if {s.label for s in video.segments} != set(video.labels)]
    if bare:
        raise ValueError(f"BaS-Net's layout has a segment for every label, unlike {some(bare)}")
    if root.exists() and any(root.iterdir()):
        raise FileExistsError(f"{root} is not empty")
    database = {}
    for video in dataset.videos:
        for name, stream in video.streams.items():
            path = root / "features" / video.subset / name / f"{video.id}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, stream.load(), allow_pickle=False)
        annotations = [{"label": s.label, "segment": [str(s.start), str(s.end)]} for s in video.segments]
        database[video.id] = {"subset": video.subset, "annotations": annotations}
    for subset in SUBSETS:
        lines = "".join(f"{video.id}\n" for video in dataset.subset(subset))
        (root / f"split_{subset}.txt").write_text(lines, encoding="utf-8")
    (root / "gt.json").write_text(json.dumps({"database": database}) + "\n", encoding="utf-8")
