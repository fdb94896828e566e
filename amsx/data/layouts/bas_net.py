"""BaS-Net's layout (also of WTAL-Uncertainty-Modeling and CoLA).

    gt.json                          {"database": {id: {"subset": "train" or "test", "annotations": [...]}}}
    split_train.txt, split_test.txt            one video id per line
    features/{train,test}/<stream>/<id>.npy    (n, D); streams are usually rgb and flow

The split files decide which videos there are and in which subset; where both are absent, `gt.json` does.
Nothing in the files says how long a snippet is. These projects' features have 16 frames at 25 fps: 0.64 s.
"""

from collections.abc import Sequence
from pathlib import Path

from amsx.data.layouts.annotations import read_database
from amsx.data.layouts.assembly import Listed, Policy, assemble, open_features, unlisted
from amsx.data.layouts.splits import SUBSETS, split_subsets, usual_rate
from amsx.data.videos import Dataset, Timebase, stream_order

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
    broken: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `streams` picks stream folders (default: all there are). `snippet_seconds` is the time from one snippet to the next;
    by default 0.64, or what `timing.seconds_per_snippet` derives where the annotation blatantly contradicts that.
    `missing`, `broken` and `unlabelled` say whether listed videos without features, with features that cannot be read,
    and training videos without labels, are errors or left out and noted. A split file that names a video twice, or one
    that `gt.json` lacks, or a video that is in both splits, is a ValueError. Videos of `gt.json` in neither
    split are left out and noted.
    """
    entries = read_database(root / "gt.json")
    subsets, notes = split_subsets(root, entries)
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
    files = (path for subset in SUBSETS for name in names for path in (root / "features" / subset / name).glob("*.npy"))
    notes += unlisted(files, (path for video in listed for path in video.paths.values()))
    opened, found = open_features(listed, missing, broken)
    notes += found
    if snippet_seconds is None:
        snippet_seconds, note = usual_rate(root, opened)
        notes += [note] if note else []
    timebase = Timebase(snippet_seconds)
    return assemble(root, "bas_net", opened, lambda _: timebase, unlabelled=unlabelled, notes=notes)


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
