"""gt.json with split_train.txt and split_test.txt, which BaS-Net's and ACM-Net's layouts have in common."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from amsx.annotations import PREFIX, same_names
from amsx.data.layouts.shared.annotation_json import KINDS, Entry, annotation, subset_roles, write_database
from amsx.data.layouts.shared.assembly import shortened
from amsx.data.layouts.shared.snippet_time import written_seconds
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
        known = set().union(*KINDS.values())
        odd = [f"{name} ({e.subset or 'no subset'})" for name, e in entries.items() if e.subset.lower() not in known]
        if odd:
            raise ValueError(
                f"{root}: no split_train.txt or split_test.txt, and subsets in gt.json that are none of "
                f"{', '.join(sorted(known))}: {shortened(odd)}"
            )
        roles, role_notes = subset_roles(entries)
        note = "no split_train.txt or split_test.txt; the subsets are those of gt.json"
        return {name: roles[e.subset] for name, e in entries.items() if e.subset in roles}, [note, *role_notes]
    subsets: dict[str, Subset] = {}
    notes = [f"no {path.name}: no {subset} videos" for subset, path in files.items() if not path.is_file()]
    listed = {subset: read_names(path) for subset, path in files.items() if path.is_file()}
    called, change = same_names([name for names in listed.values() for name in names], entries)
    if change:
        notes.append(f"ids begin with {PREFIX!r} in {'gt.json' if change == 'added' else 'the split files'} alone")
    for subset, names in listed.items():
        for name in names:
            if called[name] in subsets:
                raise ValueError(f"{files[subset]}: video {name!r} is listed twice (here or in the other split)")
            if called[name] not in entries:
                raise ValueError(f"{files[subset]}: video {name!r} is not in {root / 'gt.json'}")
            subsets[called[name]] = subset
    if not subsets:
        raise ValueError(f"{root}: its split files list no video")
    left_out = [name for name in entries if name not in subsets]
    if left_out:
        notes.append(f"left out: {len(left_out)} videos of gt.json that no split file lists: {shortened(left_out)}")
    kinds = {spelled: kind for kind, spellings in KINDS.items() for spelled in spellings}
    stated = {name: entries[name].subset for name in subsets}
    moved = [
        name for name, subset in subsets.items() if kinds.get(stated[name].lower(), stated[name]) not in ("", subset)
    ]
    if moved:
        notes.append(
            f"{len(moved)} videos are in another subset in gt.json; the split files decide: {shortened(moved)}"
        )
    return subsets, notes


def write_splits(dataset: Dataset, root: Path) -> None:
    """Write gt.json and the split files."""
    for subset in SUBSETS:
        write_ids(root / f"split_{subset}.txt", dataset.subset(subset))
    write_database(root / "gt.json", annotation(dataset), snippet_seconds=written_seconds(dataset))


def write_ids(path: Path, videos: Sequence[Video]) -> None:
    """Write a file with the id of one video per line."""
    write_text(path, "".join(f"{video.id}\n" for video in videos))
