"""gt.json with split_train.txt and split_test.txt, which BaS-Net's and ACM-Net's layouts have in common."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from amsx.data.layouts.shared.annotation_json import Entry, annotation, write_database
from amsx.data.layouts.shared.assembly import shortened
from amsx.data.videos import Dataset, Subset, Video
from amsx.files import read_names, write_text

SUBSETS: tuple[Subset, ...] = get_args(Subset)


def has_splits(root: Path) -> bool:
    """Whether there is a split file."""
    return any((root / f"split_{subset}.txt").is_file() for subset in SUBSETS)


def split_subsets(root: Path, entries: Mapping[str, Entry]) -> tuple[dict[str, Subset], list[str]]:
    """The subset of every video that the split files list (where both are absent, `gt.json`), and notes.

    ValueError where the split files list a video twice, list one that `gt.json` lacks, or list none.
    """
    files = {subset: root / f"split_{subset}.txt" for subset in SUBSETS}
    if not has_splits(root):
        odd = [
            f"{name} ({entry.subset or 'no subset'})" for name, entry in entries.items() if entry.subset not in SUBSETS
        ]
        if odd:
            raise ValueError(f"{root / 'gt.json'}: expected the subset train or test, but not so: {shortened(odd)}")
        note = "no split_train.txt or split_test.txt; the subsets are those of gt.json"
        return {name: entry.subset for name, entry in entries.items()}, [note]  # type: ignore[misc]
    subsets: dict[str, Subset] = {}
    notes = []
    for subset, path in files.items():
        if not path.is_file():
            notes.append(f"no {path.name}: no {subset} videos")
            continue
        for name in read_names(path):
            if name in subsets:
                raise ValueError(f"{path}: video {name!r} is listed twice (here or in the other split)")
            if name not in entries:
                raise ValueError(f"{path}: video {name!r} is not in {root / 'gt.json'}")
            subsets[name] = subset
    if not subsets:
        raise ValueError(f"{root}: its split files list no video")
    left_out = [name for name in entries if name not in subsets]
    if left_out:
        notes.append(f"left out: {len(left_out)} videos of gt.json that no split file lists: {shortened(left_out)}")
    moved = [name for name, subset in subsets.items() if entries[name].subset not in ("", subset)]
    if moved:
        notes.append(
            f"{len(moved)} videos are in another subset in gt.json; the split files decide: {shortened(moved)}"
        )
    return subsets, notes


def write_splits(dataset: Dataset, root: Path) -> None:
    """Write gt.json and the split files."""
    for subset in SUBSETS:
        write_ids(root / f"split_{subset}.txt", dataset.subset(subset))
    write_database(root / "gt.json", annotation(dataset))


def write_ids(path: Path, videos: Sequence[Video]) -> None:
    """Write a file with the id of one video per line."""
    write_text(path, "".join(f"{video.id}\n" for video in videos))
