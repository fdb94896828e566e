"""ACM-Net's layout (also of ASM-Loc).

    gt.json                          {"database": {id: {"subset", "annotations": [...]}}}; may list more videos
    split_train.txt, split_test.txt  one video id per line
    {train,test}/<id>.npy            (n, 2048), rgb the first half, flow the second

The split files decide which videos there are and in which subset; where both are absent, `gt.json` does.
"""

from pathlib import Path

from amsx.data.layouts.annotations import read_database
from amsx.data.layouts.assembly import Listed, Policy, assemble, open_features, unlisted
from amsx.data.layouts.splits import SUBSETS, split_subsets, usual_rate
from amsx.data.layouts.streams import split_streams
from amsx.data.videos import Dataset, Timebase

HOLDS = "gt.json with {train,test}/<id>.npy"


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    if not (root / "gt.json").is_file():
        return False
    return any(next((root / subset).glob("*.npy"), None) is not None for subset in SUBSETS)


def read(
    root: Path,
    *,
    snippet_seconds: float | None = None,
    split: bool | None = None,
    missing: Policy = "error",
    broken: Policy = "error",
    unlabelled: Policy = "error",
) -> Dataset:
    """Read the layout.

    `split`: take the columns' halves as rgb and flow (default: when there are 2048). `snippet_seconds` is the time from
    one snippet to the next; by default 0.64, or what `timing.seconds_per_snippet` derives where the annotation
    blatantly contradicts that.
    `missing`, `broken` and `unlabelled` say whether listed videos without features, with features that cannot be read,
    and training videos without labels, are errors or left out and noted.
    """
    entries = read_database(root / "gt.json")
    subsets, notes = split_subsets(root, entries)
    listed = [
        Listed(name, subset, entries[name], {"features": root / subset / f"{name}.npy"})
        for name, subset in subsets.items()
    ]
    files = (path for subset in SUBSETS for path in (root / subset).glob("*.npy"))
    notes += unlisted(files, (path for video in listed for path in video.paths.values()))
    opened, opening = open_features(listed, missing, broken)
    opened, splitting = split_streams(opened, split)
    notes += opening + splitting
    if snippet_seconds is None:
        snippet_seconds, note = usual_rate(root, opened)
        notes += [note] if note else []
    timebase = Timebase(snippet_seconds)
    return assemble(root, "acm_net", opened, lambda _: timebase, unlabelled=unlabelled, notes=notes)
