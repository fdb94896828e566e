"""ACM-Net's layout (also of ASM-Loc).

    gt.json                          {"database": {id: {"subset", "annotations": [...]}}}; may list more videos
    split_train.txt, split_test.txt  one video id per line
    {train,test}/<id>.npy            (n, 2048), rgb the first half, flow the second; or two streams in another of the
                                     ways of `amsx.data.layouts.shared.feature_places`

The split files decide which videos there are and in which subset; where both are absent, `gt.json` does.
"""

from dataclasses import dataclass
from pathlib import Path

from amsx.data.arrays import SUFFIXES, write_array
from amsx.data.layouts.shared.annotation_json import read_database
from amsx.data.layouts.shared.assembly import ListedVideo, assemble, open_features
from amsx.data.layouts.shared.feature_places import feature_folders
from amsx.data.layouts.shared.layout import FilePolicies, Layout
from amsx.data.layouts.shared.snippet_time import stated_seconds, usual_timebase, written_seconds
from amsx.data.layouts.shared.split_files import SUBSETS, split_subsets, write_splits
from amsx.data.layouts.shared.split_places import split_places
from amsx.data.layouts.shared.stream_options import PerStream, are_per_stream
from amsx.data.layouts.shared.two_streams import joined, split_option, split_streams
from amsx.data.videos import Dataset
from amsx.file_names import video_file


@dataclass(frozen=True, kw_only=True)
class Options(FilePolicies):
    """What can be said to the reader."""

    snippet_seconds: PerStream = None  # from one snippet to the next; None: 0.64, unless the annotation contradicts
    split: bool | None = None  # take the halves of the columns as rgb and flow; None: where there are 2048


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    if not (root / "gt.json").is_file():
        return False
    return any(feature_folders(root / subset, SUFFIXES) for subset in SUBSETS)


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    database = read_database(root / "gt.json")
    entries = database.entries
    subsets, subset_notes = split_subsets(root, entries)
    seconds, seconds_notes = stated_seconds(options.snippet_seconds, database.beside, root / "gt.json")
    notes = [*database.notes, *subset_notes, *seconds_notes]
    paths, inspect, place_notes = split_places({subset: root / subset for subset in SUBSETS}, subsets, SUFFIXES)
    notes += place_notes
    listed = [ListedVideo(name, subset, entries[name], paths[name]) for name, subset in subsets.items()]
    opened, opening_notes = open_features(listed, options, inspect, own_rates=are_per_stream(seconds))
    opened, split_notes = split_streams(opened, options.split)
    notes += opening_notes + split_notes
    timebase, timebase_notes = usual_timebase(root, opened, seconds)
    notes += timebase_notes
    return assemble(root, LAYOUT.name, opened, lambda _: timebase, unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout."""
    for video in dataset.videos:
        write_array(video_file(root / video.subset, video.id, ".npy"), joined(dataset, video))
    write_splits(dataset, root)
    return Options(snippet_seconds=written_seconds(dataset), split=split_option(dataset))


LAYOUT = Layout(
    name="acm_net",
    holds="gt.json with {train,test}/<id>.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    lists_ids=True,
    one_snippet_duration=True,
)
