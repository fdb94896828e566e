"""A layout that amsx does not have: the recipe of CONTRIBUTING.md, followed by `test_recipe.py`.

    videos.csv              one line per video: id,subset,seconds per snippet,labels joined by "|"
    <id>.features.npy       (n, D)

There are no segments.
"""

from dataclasses import dataclass
from pathlib import Path

from amsx.data.arrays import write_array
from amsx.data.layouts.shared.annotation_json import Entry
from amsx.data.layouts.shared.assembly import ListedVideo, assemble, open_features
from amsx.data.layouts.shared.layout import FilePolicies, Layout
from amsx.data.layouts.shared.snippet_time import median_snippet
from amsx.data.layouts.shared.two_streams import joined, split_option, split_streams
from amsx.data.videos import Dataset, Timebase


@dataclass(frozen=True, kw_only=True)
class Options(FilePolicies):
    """What can be said to the reader."""

    split: bool | None = None  # take the halves of the columns as rgb and flow; None: where there are 2048
    snippet_seconds: float | None = None  # from one snippet to the next; None: what the first line says


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return (root / "videos.csv").is_file()


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    rows = [line.split(",") for line in (root / "videos.csv").read_text().splitlines()]
    listed = [
        ListedVideo(
            name,
            "test" if subset == "test" else "train",
            Entry(subset, tuple(filter(None, labels.split("|"))), ()),
            {"features": root / f"{name}.features.npy"},
        )
        for name, subset, _, labels in rows
    ]
    opened, notes = open_features(listed, options)
    opened, split_notes = split_streams(opened, options.split)
    timebase = Timebase(options.snippet_seconds or float(rows[0][2]))
    notes += split_notes
    return assemble(root, LAYOUT.name, opened, lambda _: timebase, unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout."""
    seconds = median_snippet(dataset)
    lines = [f"{v.id},{v.subset},{seconds},{'|'.join(v.labels)}\n" for v in dataset.videos]
    (root / "videos.csv").write_text("".join(lines))
    for video in dataset.videos:
        write_array(root / f"{video.id}.features.npy", joined(dataset, video))
    return Options(split=split_option(dataset))


LAYOUT = Layout(
    name="flat_folder",
    holds="videos.csv with <id>.features.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    needs_duration=False,
    labels_apart=True,
    one_snippet_duration=True,
)
