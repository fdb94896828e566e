"""What the layouts with gt.json and split_{train,test}.txt have in common: BaS-Net's and ACM-Net's.

Nothing in these files says how long a snippet is. These projects' features have 16 frames at 25 fps: 0.64 s.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from amsx.data.layouts.annotations import Entry
from amsx.data.layouts.assembly import Opened, some
from amsx.data.layouts.timing import seconds_per_snippet
from amsx.data.videos import Subset

SNIPPET_SECONDS = 16 / 25
SUBSETS = get_args(Subset)


def split_subsets(root: Path, entries: Mapping[str, Entry]) -> tuple[dict[str, Subset], list[str]]:
    """The subset of every video that the split files list (where both are absent, `gt.json`), and notes.

    ValueError where they list a video twice, or one that `gt.json` lacks, or none.
    """
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
        for name in path.read_text(encoding="utf-8-sig").split():
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


def usual_rate(root: Path, opened: Sequence[Opened]) -> tuple[float, str | None]:
    """Seconds per snippet: the usual, or what the training videos' annotation forces; and a note where it does."""
    train = [video for video in opened if video.subset == "train" and video.entry.segments]
    last_ends = [max(segment.end for segment in video.entry.segments) for video in train]
    try:
        return seconds_per_snippet([video.length for video in train], last_ends, SNIPPET_SECONDS)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
