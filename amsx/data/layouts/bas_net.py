"""BaS-Net's layout (also of WTAL-Uncertainty-Modeling and CoLA).

    gt.json                          {"database": {id: {"subset": "train" or "test", "annotations": [...]}}}
    split_train.txt, split_test.txt            one video id per line
    features/{train,test}/<stream>/<id>.npy    (n, D); streams are usually rgb and flow

The split files decide which videos there are and in which subset; where both are absent, `gt.json` does. They may name
no video twice and none that `gt.json` lacks; videos of `gt.json` in neither of them are left out and noted. Nothing in
the files says how long a snippet is. These projects' features have 16 frames at 25 fps: 0.64 s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amsx.data.arrays import write_array
from amsx.data.layouts.shared.annotation_json import read_database
from amsx.data.layouts.shared.assembly import ListedVideo, assemble, open_features, unlisted_features
from amsx.data.layouts.shared.layout import FilePolicies, Layout
from amsx.data.layouts.shared.snippet_time import median_snippet, usual_timebase
from amsx.data.layouts.shared.split_files import SUBSETS, split_subsets, write_splits
from amsx.data.videos import Dataset, stream_order
from amsx.file_names import video_file
from amsx.files import visible


@dataclass(frozen=True, kw_only=True)
class Options(FilePolicies):
    """What can be said to the reader."""

    streams: Sequence[str] | None = None  # the stream folders to read; None: all there are
    snippet_seconds: float | None = None  # from one snippet to the next; None: 0.64, unless the annotation contradicts


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    if not (root / "gt.json").is_file():
        return False
    if any((root / "features" / subset).is_dir() for subset in SUBSETS):
        return True
    # ACM-Net's layout has splits, too, but <subset>/<id>.npy
    arrays_by_subset = any((root / subset).is_dir() for subset in SUBSETS)
    return not arrays_by_subset and any((root / f"split_{subset}.txt").is_file() for subset in SUBSETS)


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    database = read_database(root / "gt.json")
    entries = database.entries
    subsets, subset_notes = split_subsets(root, entries)
    notes = [*database.notes, *subset_notes]
    names = _streams(root, options.streams)
    listed = [
        ListedVideo(
            name,
            subset,
            entries[name],
            {stream: video_file(root / "features" / subset / stream, name, ".npy") for stream in names},
        )
        for name, subset in subsets.items()
    ]
    files = (
        path for subset in SUBSETS for name in names for path in visible(root / "features" / subset / name, "**/*.npy")
    )
    notes += unlisted_features(files, (path for video in listed for path in video.paths.values()))
    opened, opening_notes = open_features(listed, options.missing, options.broken, transpose=options.transpose)
    notes += opening_notes
    timebase, timebase_notes = usual_timebase(root, opened, options.snippet_seconds)
    notes += timebase_notes
    return assemble(root, LAYOUT.name, opened, lambda _: timebase, unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout."""
    for video in dataset.videos:
        for name, stream in video.streams.items():
            write_array(video_file(root / "features" / video.subset / name, video.id, ".npy"), stream.load())
    write_splits(dataset, root)
    return Options(snippet_seconds=median_snippet(dataset))


def _streams(root: Path, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the stream folders to read."""
    folders = [path for subset in SUBSETS for path in visible(root / "features" / subset, "*") if path.is_dir()]
    known = stream_order({path.name for path in folders})
    if not known:
        expected = root / "features" / "{train,test}" / "{rgb,flow}" / "<id>.npy"
        raise FileNotFoundError(f"no features under {root / 'features'}, expected {expected}")
    if wanted is None:
        return known
    unknown = sorted(set(wanted) - set(known))
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(f"streams {list(wanted)}: expected one or more of {list(known)}, each once")
    return tuple(wanted)


LAYOUT = Layout(
    name="bas_net",
    holds="gt.json with split_{train,test}.txt or features/{train,test}/<stream>/<id>.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    separate_streams=True,
    lists_ids=True,
    one_snippet_duration=True,
)
