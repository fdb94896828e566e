"""MS-TCN's layout (GTEA, 50Salads, Breakfast; also of ASFormer and others for action segmentation).

    groundTruth/<id>.txt                 a label a frame, one a line
    mapping.txt                          "<number> <label>", one a line
    splits/{train,test}.split<k>.bundle  the videos of fold k, "<id>.txt" one a line
    features/<id>.npy                    (D, n), a column a frame; those of two streams have rgb in the first half

A segment is a run of frames of one label that is no background. No file says how long a frame is: `fps` must be given.
What is written has a column of features for each frame, or for every few where segments begin and end between snippets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from amsx.data.arrays import write_array
from amsx.data.features import FeatureFile
from amsx.data.layouts.shared.annotation_json import Entry
from amsx.data.layouts.shared.assembly import (
    ListedVideo,
    assemble,
    open_features,
    shortened,
    unlisted_features,
)
from amsx.data.layouts.shared.frame_grid import timebases_from_frames
from amsx.data.layouts.shared.layout import FilePolicies, Layout
from amsx.data.layouts.shared.orientation import channels_first
from amsx.data.layouts.shared.snippet_time import median_snippet
from amsx.data.layouts.shared.split_files import SUBSETS
from amsx.data.layouts.shared.two_streams import joined, split_option, split_streams
from amsx.data.videos import Dataset, Segment, Subset, Video
from amsx.file_names import video_file
from amsx.files import read_names, read_text, visible, write_text

BACKGROUND = ("background", "bg", "sil")  # labels that are no action wherever they occur, in lower case
FINEST = 100  # frames that a snippet is written as, at most, so that segments begin and end with frames
ON_GRID = 1e-6  # frames by which a time may miss a frame's edge


@dataclass(frozen=True, kw_only=True)
class Options(FilePolicies):
    """What can be said to the reader."""

    fps: float | None = None  # frames per second of all videos; must be given
    fold: int | None = None  # k of splits/*.split<k>.bundle; None: the only one
    background: str | Sequence[str] | None = None  # the labels that are no action; None: background, bg and SIL
    stride: float | None = None  # frames from one snippet to the next; None: derived from frames and rows
    num_frames: float | None = None  # frames that a snippet spans; None: derived likewise
    split: bool | None = None  # take the halves of the channels as rgb and flow; None: where there are 2048


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return bool(visible(root, "groundTruth/**/*.txt")) and (root / "features").is_dir()


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    if options.fps is None:
        raise ValueError(
            f"{root}: labels are one a frame, and no file says how long a frame is; give fps (GTEA and Breakfast have "
            "15, 50Salads has 30)"
        )
    subsets = _subsets(root, options.fold)
    labels = {name: _labels(root / "groundTruth" / f"{name}.txt") for name in subsets}
    _check_mapping(root / "mapping.txt", labels)
    background, notes = _background(root, {label for own in labels.values() for label in own}, options.background)
    entries = {name: _entry(own, subsets[name], options.fps, background) for name, own in labels.items()}
    files = visible(root / "features", "**/*.npy")
    listed = [
        ListedVideo(name, subsets[name], entry, {"features": root / "features" / f"{name}.npy"})
        for name, entry in entries.items()
    ]
    truth = root / "groundTruth"
    annotated = (path.relative_to(truth).as_posix().removesuffix(".txt") for path in visible(truth, "**/*.txt"))
    unlisted = [name for name in annotated if name not in entries]
    notes += [f"left out: {len(unlisted)} videos that no bundle lists: {shortened(unlisted)}"] if unlisted else []
    notes += unlisted_features(files, (video.paths["features"] for video in listed))
    transpose = _lies_channels_first(listed) if options.transpose is None else options.transpose
    if options.transpose is None and not transpose:
        notes.append("features are (snippets, channels), as their shapes show, and not the usual (channels, snippets)")
    because = "as they are in this layout" if options.transpose is None else "as transpose=true says"
    opened, opening_notes = open_features(listed, replace(options, transpose=transpose), turned_because=because)
    try:
        timebases, time_notes = timebases_from_frames(opened, options.stride, options.num_frames, options.fps)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    opened, split_notes = split_streams(opened, options.split)
    notes += opening_notes + time_notes + split_notes
    return assemble(root, LAYOUT.name, opened, lambda v: timebases[v.id], unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout, as fold 1."""
    seconds = median_snippet(dataset)
    stride = _frames_per_snippet(dataset, seconds)
    fps = stride / seconds
    names = sorted({segment.label for video in dataset.videos for segment in video.segments})
    background = next(word for word in (*BACKGROUND, "no action", "-") if word not in names)
    rows = {video.id: _frame_labels(video, fps, video.length * stride, background) for video in dataset.videos}
    for video in dataset.videos:
        write_array(video_file(root / "features", video.id, ".npy"), joined(dataset, video).T)
        write_text(
            video_file(root / "groundTruth", video.id, ".txt"), "".join(f"{label}\n" for label in rows[video.id])
        )
    for subset in SUBSETS:
        ids = "".join(f"{video.id}.txt\n" for video in dataset.subset(subset))
        write_text(root / "splits" / f"{subset}.split1.bundle", ids)
    mapping = "".join(f"{number} {name}\n" for number, name in enumerate([background, *names]))
    write_text(root / "mapping.txt", mapping)
    used = [background] if any(background in own for own in rows.values()) else []
    return Options(
        fps=fps, background=used, stride=stride, num_frames=stride, split=split_option(dataset), transpose=True
    )


def _subsets(root: Path, fold: int | None) -> dict[str, Subset]:
    """The subset of every video that the bundles of a fold list."""
    folds: dict[int, dict[str, Path]] = {}
    for path in visible(root, "splits/*.split*.bundle"):
        number = path.name.removesuffix(".bundle").rpartition(".split")[2]
        if number.isdecimal():
            folds.setdefault(int(number), {})[path.name.partition(".")[0]] = path
    chosen = fold if fold is not None else next(iter(folds)) if len(folds) == 1 else None
    if chosen not in folds:
        what = f"folds {shortened(map(str, sorted(folds)), 9)}" if folds else "no splits/*.split<k>.bundle"
        raise ValueError(f"{root}: {what}; give fold, the number of one" if folds else f"{root}: {what}")
    subsets: dict[str, Subset] = {}
    for subset in SUBSETS:
        if subset not in folds[chosen]:
            continue
        path = folds[chosen][subset]
        for line in read_names(path):
            name = line.removesuffix(".txt")
            if name in subsets:
                raise ValueError(f"{path}: video {name!r} is listed twice (here or in the other subset)")
            if not video_file(root / "groundTruth", name, ".txt").is_file():
                raise ValueError(f"{path}: video {name!r} has no groundTruth/{name}.txt")
            subsets[name] = subset
    if not subsets:
        raise ValueError(f"{root}: the bundles of fold {chosen} list no video of train or test")
    return subsets


def _labels(path: Path) -> list[str]:
    """The label of every frame."""
    lines = [line.strip() for line in read_text(path).rstrip().split("\n")]
    if "" in lines:
        raise ValueError(f"{path}, line {lines.index('') + 1}: no label; expected one for every frame")
    return lines


def _check_mapping(path: Path, labels: Mapping[str, Sequence[str]]) -> None:
    """Raise ValueError where a label stands in no line of the mapping, if there is one."""
    if not path.is_file():
        return
    known = set()
    for number, line in enumerate(read_names(path), start=1):
        fields = line.split(maxsplit=1)
        if len(fields) != 2 or not fields[0].isdecimal():
            raise ValueError(f"{path}, entry {number}: {line!r}; expected a number and a label")
        known.add(fields[1])
    for name, own in labels.items():
        unknown = sorted(set(own) - known)
        if unknown:
            raise ValueError(f"{path}: lacks the label {unknown[0]!r} of video {name!r}")


def _background(root: Path, present: set[str], given: str | Sequence[str] | None) -> tuple[frozenset[str], list[str]]:
    """The labels that are no action, and notes."""
    if given is None:
        known = frozenset(label for label in present if label.lower() in BACKGROUND)
        if not known:
            raise ValueError(
                f"{root}: none of the labels {shortened(sorted(present), 30)} is known to be no action; give "
                "background, one or a list of them, or [] where every frame shows an action"
            )
        return known, [f"frames labelled {' or '.join(map(repr, sorted(known)))} are taken for background"]
    wanted = [given] if isinstance(given, str) else list(given)
    unknown = sorted(set(wanted) - present)
    if unknown:
        raise ValueError(f"{root}: background {unknown[0]!r} is no label; expected some of {sorted(present)}")
    return frozenset(wanted), []


def _entry(labels: Sequence[str], subset: Subset, fps: float, background: frozenset[str]) -> Entry:
    segments, frame = [], 0
    for label, run in groupby(labels):
        end = frame + len(list(run))
        if label not in background:
            segments.append(Segment(frame / fps, end / fps, label))
        frame = end
    own = tuple(sorted({segment.label for segment in segments}))
    return Entry(subset, own, tuple(segments), duration=len(labels) / fps, frames=len(labels))


def _lies_channels_first(listed: Sequence[ListedVideo]) -> bool:
    """Whether features are (channels, snippets), as MS-TCN's are, unless their shapes show that they are not."""
    shapes, entries = [], []
    for video in listed:
        try:
            shapes.append(FeatureFile.inspect(video.paths["features"]).shape)
        except (FileNotFoundError, ValueError):
            continue  # reported, with its name, when the features are opened
        entries.append(video.entry)
    return not shapes or channels_first(np.array(shapes, dtype=np.int64), entries) is not False


def _frames_per_snippet(dataset: Dataset, seconds: float) -> int:
    """The frames in a snippet of so many seconds with which all segments begin and end on frames, else 16.

    Those of the videos' own frame rate come first, then the fewest.
    """
    edges = np.array([edge for v in dataset.videos for s in v.segments for edge in (s.start, s.end)])
    own = [round(v.fps * seconds) or 1 for v in dataset.videos[:1] if v.fps is not None]
    for count in (*own, *range(1, FINEST + 1)):
        frames = edges * count / seconds
        if (np.abs(frames - np.round(frames)) <= ON_GRID).all():
            return int(count)
    return 16


def _frame_labels(video: Video, fps: float, at_least: int, background: str) -> list[str]:
    """The label of every frame of a video, of `at_least` so many and as many as it lasts or its segments need."""
    last = max((segment.end for segment in video.segments), default=0.0)
    count = round(video.duration * fps) if video.duration is not None else at_least
    labels = [background] * max(count, round(last * fps), 1)
    for segment in video.segments:
        first, end = max(round(segment.start * fps), 0), round(segment.end * fps)
        labels[first:end] = [segment.label] * (end - first)
    return labels


LAYOUT = Layout(
    name="ms_tcn",
    holds="groundTruth/<id>.txt with splits/{train,test}.split<k>.bundle and features/<id>.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    lists_ids=True,
    needs_duration=True,
    one_snippet_duration=True,
    one_label_a_frame=True,
)
