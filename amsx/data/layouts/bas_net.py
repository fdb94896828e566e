"""BaS-Net's layout (also of WTAL-Uncertainty-Modeling and CoLA).

    gt.json                          {"database": {id: {"subset": "train" or "test", "annotations": [...]}}}
    split_train.txt, split_test.txt            one video id per line
    features/{train,test}/<stream>/<id>.npy    (n, D); streams are usually rgb and flow; or features/ in another of the
                                               ways of `amsx.data.layouts.shared.feature_places`

The split files decide which videos there are and in which subset; where both are absent, `gt.json` does. They may name
no video twice and none that `gt.json` lacks; videos of `gt.json` in neither of them are left out and noted. Nothing in
these projects' files says how long a snippet is. Their features have 16 frames at 25 fps: 0.64 s. What is written says
it as snippet_seconds in gt.json.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amsx.data.arrays import SUFFIXES, write_array
from amsx.data.features import FeatureFile
from amsx.data.layouts.shared.annotation_json import read_database
from amsx.data.layouts.shared.assembly import ListedVideo, assemble, open_features, unlisted_features
from amsx.data.layouts.shared.feature_places import Stream, feature_folders
from amsx.data.layouts.shared.layout import FilePolicies, Layout
from amsx.data.layouts.shared.snippet_time import stated_seconds, usual_timebase, written_seconds
from amsx.data.layouts.shared.split_files import SUBSETS, has_splits, split_subsets, write_splits
from amsx.data.layouts.shared.split_places import split_places
from amsx.data.layouts.shared.stream_options import PerStream, are_per_stream
from amsx.data.layouts.shared.two_streams import split_streams
from amsx.data.videos import Dataset, Subset, stream_order
from amsx.file_names import video_file
from amsx.files import visible


@dataclass(frozen=True, kw_only=True)
class Options(FilePolicies):
    """What can be said to the reader."""

    streams: Sequence[str] | None = None  # the stream folders to read; None: all there are
    snippet_seconds: PerStream = None  # from one snippet to the next; None: 0.64, unless the annotation contradicts
    split: bool | None = None  # without stream folders: the halves of the columns are rgb and flow; None: of 2048


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    if not (root / "gt.json").is_file():
        return False
    if any((root / "features" / subset).is_dir() for subset in SUBSETS):
        return True
    # ACM-Net's layout has splits, too, but <subset>/<id>.npy
    arrays_by_subset = any((root / subset).is_dir() for subset in SUBSETS)
    return not arrays_by_subset and has_splits(root)


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    database = read_database(root / "gt.json")
    entries = database.entries
    subsets, subset_notes = split_subsets(root, entries)
    seconds, seconds_notes = stated_seconds(options.snippet_seconds, database.beside, root / "gt.json")
    notes = [*database.notes, *subset_notes, *seconds_notes]
    names = _streams(root, options.streams)
    if names:
        paths, inspect, place_notes = _in_stream_folders(root, names, subsets)
    else:
        paths, inspect, place_notes = split_places(_folders(root), subsets, SUFFIXES)
    notes += place_notes
    listed = [ListedVideo(name, subset, entries[name], paths[name]) for name, subset in subsets.items()]
    opened, opening_notes = open_features(listed, options, inspect, own_rates=are_per_stream(seconds))
    if not names:
        opened, split_notes = split_streams(opened, options.split)
        notes += split_notes
    notes += opening_notes
    timebase, timebase_notes = usual_timebase(root, opened, seconds)
    notes += timebase_notes
    return assemble(root, LAYOUT.name, opened, lambda _: timebase, unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout."""
    for video in dataset.videos:
        for name, stream in video.streams.items():
            write_array(video_file(root / "features" / video.subset / name, video.id, ".npy"), stream.load())
    write_splits(dataset, root)
    return Options(snippet_seconds=written_seconds(dataset))


def _streams(root: Path, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the stream folders to read; none where features lie otherwise."""
    folders = [path for subset in SUBSETS for path in visible(root / "features" / subset, "*") if path.is_dir()]
    known = stream_order({path.name for path in folders})
    if wanted is None:
        return known
    unknown = sorted(set(wanted) - set(known))
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(f"streams {list(wanted)}: expected one or more of {list(known)}, each once")
    return tuple(wanted)


def _in_stream_folders(
    root: Path, streams: Sequence[str], subsets: Mapping[str, Subset]
) -> tuple[dict[str, dict[str, Path]], Callable[[Path], Stream], list[str]]:
    """The places of features in folders for streams, as `split_places` returns them."""
    paths = {
        name: {stream: video_file(root / "features" / subset / stream, name, ".npy") for stream in streams}
        for name, subset in subsets.items()
    }
    folders = [root / "features" / subset / stream for subset in SUBSETS for stream in streams]
    files = (path for folder in folders for path in visible(folder, "**/*.npy"))
    return paths, FeatureFile.inspect, unlisted_features(files, (p for own in paths.values() for p in own.values()))


def _folders(root: Path) -> dict[Subset, Path]:
    """The folder of features of each subset, which may be one for both; FileNotFoundError where there are none."""
    features = root / "features"
    folders = {subset: features / subset if (features / subset).is_dir() else features for subset in SUBSETS}
    if not any(feature_folders(folder, SUFFIXES) for folder in folders.values()):
        expected = features / "{train,test}" / "{rgb,flow}" / "<id>.npy"
        raise FileNotFoundError(f"no features under {features}, expected {expected}")
    return folders


LAYOUT = Layout(
    name="bas_net",
    holds="gt.json with split_{train,test}.txt or features/{train,test}/<stream>/<id>.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    stream_rates=True,
    separate_streams=True,
    lists_ids=True,
    one_snippet_duration=True,
)
