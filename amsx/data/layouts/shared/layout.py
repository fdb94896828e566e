"""What a layout is: a way in which a data set lies in a folder, and the functions that recognize, read and write it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from amsx.data.videos import Dataset, Video
from amsx.file_names import folder_name_fault, shown, video_file_fault
from amsx.files import is_hidden

Policy = Literal["error", "skip"]
RGB_FLOW = ("rgb", "flow")
AROUND_AN_ID = "v_-flow.npz"  # the most that a layout adds to an id in the name of a file


@dataclass(frozen=True, kw_only=True)
class BundlePolicies:
    """The options of every layout: whether a fault is an error, or its videos are left out ("skip") and noted."""

    broken: Policy = "error"  # videos whose features are of the wrong kind or shape, or cannot be read
    unlabelled: Policy = "error"  # training videos without a label
    # Whether arrays of features are (channels, snippets); None: they are not, and the reader asks where they seem so.
    transpose: bool | None = None
    # What is taken of features of several crops of a video: "mean", or the number of one; None: they are refused.
    crops: Literal["mean"] | int | None = None
    # The axis that counts them: 0 of (crops, snippets, channels), 1 of (snippets, crops, channels); None: it is found.
    crop_axis: int | None = None


@dataclass(frozen=True, kw_only=True)
class FilePolicies(BundlePolicies):
    """The same for layouts in which the features of a listed video may be missing."""

    missing: Policy = "error"  # listed videos without features


POLICIES = ("missing", "broken", "unlabelled")

OptionsT = TypeVar("OptionsT", bound=BundlePolicies)


@dataclass(frozen=True, kw_only=True)
class Layout(Generic[OptionsT]):
    """One layout. The module of a layout exports it as `LAYOUT`."""

    name: str  # on the command line, in messages and in `Dataset.layout`
    holds: str  # what its folder holds, in a few words, for messages
    options: type[OptionsT]  # a frozen dataclass of what can be said to the reader, every field with a default
    detect: Callable[[Path], bool]  # whether a folder looks like this layout
    read: Callable[[Path, OptionsT], Dataset]  # the data set in a folder
    write: Callable[[Dataset, Path], OptionsT]  # fills an empty folder; returns the options to read all of it again

    # What a folder in this layout can hold. What it cannot hold is left out by `write`, and
    # `amsx.data.convert` says so; the round-trip tests hold every layout to what is declared here.
    rgb_flow_only: bool = False  # files are named for the streams rgb and flow, and there can be no other
    stream_rates: bool = False  # streams may have rates of their own
    separate_streams: bool = False  # streams have files of their own; else they lie side by side in one array
    names_files_by_id: bool = True  # the file of a video is called by its id; a slash in it stands for a folder
    lists_ids: bool = (
        False  # ids stand in text files, one a line: none may hold a line end, or begin or end with a space
    )
    needs_labels: bool = False  # cannot hold a set in which no video has a label
    needs_duration: bool = False  # states every video's duration; one that is unknown is made up
    labels_apart: bool = False  # video-level labels are written apart from segments and may be fewer than theirs
    drops_unlabelled_tests: bool = False  # its readers leave out test videos without a label
    one_snippet_duration: bool = False  # one time per snippet for all videos, and no offset
    one_label_a_frame: bool = False  # a label for each frame: no two at once, and none of a video without a segment

    def check(self, dataset: Dataset) -> None:
        """Raise ValueError where this layout cannot hold the data set at all."""
        for name in (video.id for video in dataset.videos if self.names_files_by_id):
            if fault := video_file_fault(name, AROUND_AN_ID):
                raise ValueError(f"video id {shown(name)} cannot be the name of a file: {fault}")
            if any(map(is_hidden, f"{name}.npy".split("/"))):
                raise ValueError(
                    f"video id {name!r} would be the name of a system or backup file, which no reader takes for data"
                )
        unlisted = [video.id for video in dataset.videos if not _fits_a_line(video.id)]
        if self.lists_ids and unlisted:
            raise ValueError(
                f"the layout {self.name} lists ids one a line, so {unlisted[0]!r}, with a line end, outer spaces or "
                "half of a surrogate pair, cannot be read again"
            )
        for name in dataset.stream_names if self.separate_streams else ():
            if fault := folder_name_fault(name):
                raise ValueError(f"stream {shown(name)} cannot be the name of a folder: {fault}")
        for video in dataset.videos if not self.stream_rates else ():
            if video.own_timebases:
                raise ValueError(
                    f"the layout {self.name} holds streams of one rate alone, and in video {shown(video.id)} "
                    f"{next(iter(video.own_timebases))} has another than the rest"
                )
        others = [name for name in dataset.stream_names if name not in RGB_FLOW]
        if self.rgb_flow_only and others:
            raise ValueError(
                f"the layout {self.name} holds the streams {' and '.join(RGB_FLOW)} alone, got {others[0]!r}; "
                "where that is both side by side, read it with split=true"
            )
        for video in dataset.videos if self.one_label_a_frame else ():
            if fault := _frame_label_fault(video):
                raise ValueError(f"the layout {self.name} has one label a frame, and a line for it: {fault}")
        if self.needs_labels and not any(video.labels for video in dataset.videos):
            raise ValueError(f"the layout {self.name} needs labels, and no video has one")


def _frame_label_fault(video: Video) -> str | None:
    """Why frames of a video cannot have one label each."""
    segments = sorted(video.segments, key=lambda segment: segment.start)
    until = None
    for segment in segments:
        if not _fits_a_line(segment.label):
            return f"video {video.id!r} has the label {segment.label!r}, with a line end or outer spaces"
        if until is not None and segment.start < until.end and segment.label != until.label:
            return f"video {video.id!r} has {until.label!r} and {segment.label!r} at {segment.start:g} s"
        until = segment if until is None or segment.end > until.end else until
    return None


def _fits_a_line(name: str) -> bool:
    """Whether a text file with one name a line can hold the name, so that it is read again as it is."""
    return name.strip() == name and not {"\n", "\r"} & set(name) and name.encode("utf-8", "ignore").decode() == name
