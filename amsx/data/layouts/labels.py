"""Labels alone: which actions each video shows, beside its features. The plainest layout, and that of `amsx extract`.

labels.{csv,tsv,json}                 a row for each video, see `shared.label_tables`
features/<id>.npy                     (n, D), or features/<stream>/<id>.npy, and all the other ways of
                                      `shared.feature_places`
extraction.json                       what `amsx extract` wrote: the timebase; else say it with options
segments.json                         optional: when the actions happen, as in ActivityNet's annotation. Training
                                      does not read it; test videos are scored by it
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from amsx.data.extraction_record import ExtractionRecord
from amsx.data.layouts.shared.annotation_json import Entry, annotation, read_database, subset_roles, write_database
from amsx.data.layouts.shared.assembly import (
    ListedVideo,
    OpenedVideo,
    assemble,
    only_candidate,
    open_features,
    shortened,
)
from amsx.data.layouts.shared.feature_places import FEATURES, Places, feature_folders
from amsx.data.layouts.shared.label_tables import SUFFIXES, is_label_table, read_label_table
from amsx.data.layouts.shared.layout import Layout, Policy
from amsx.data.layouts.shared.per_video import PerVideoOptions, feature_places
from amsx.data.layouts.shared.stream_options import PerStream, are_per_stream, for_streams
from amsx.data.layouts.shared.subset_lists import with_listed_subsets
from amsx.data.layouts.shared.two_streams import TWO_STREAM, split_streams
from amsx.data.videos import Dataset, Timebase, stream_order
from amsx.file_names import VIDEO_SUFFIXES, video_file, video_file_fault
from amsx.files import visible, write_json, written_whole

KINDS = (".npy", ".npz", ".h5", ".hdf5", ".pt", ".pth", ".pkl", ".pickle")
SEGMENTS_FILE = "segments.json"
DIFFERING = 1e-3  # relative, by which options and extraction.json may differ in the length of a snippet


@dataclass(frozen=True, kw_only=True)
class Options(PerVideoOptions):
    """What can be said to the reader. `annotation` is the table of labels."""

    unlabelled: Policy = "skip"  # most people have videos that nobody has labelled yet
    snippet_seconds: PerStream = None  # from one snippet to the next; None: by fps and stride, or extraction.json


def detect(root: Path) -> bool:
    """Whether `root` looks like this layout."""
    return any(is_label_table(path) for path in _tables(root))


def read(root: Path, options: Options) -> Dataset:
    """Read the layout."""
    given = None if options.annotation is None else Path(options.annotation)
    path = given or only_candidate(_tables(root), root, "annotation")
    table = read_label_table(path)
    names = _plain_ids(table.entries, path)
    entries, segment_notes = _with_segments({names[key]: e for key, e in table.entries.items()}, root / SEGMENTS_FILE)
    entries, list_notes = with_listed_subsets(entries, root, path)
    notes = table.notes
    subsets = options.subsets
    if subsets is None and not any(entry.subset for entry in entries.values()):
        subsets = {"": "train"}
        list_notes.append("no subset is named anywhere: all videos are for training")
    roles, role_notes = subset_roles(entries, subsets)
    notes += segment_notes + list_notes + [note for note in role_notes if not note.startswith("subset ''")]
    chosen = {name: roles[entry.subset] for name, entry in entries.items() if entry.subset in roles}
    if not feature_folders(root, KINDS) and options.features is None and options.streams is None:
        _refuse_videos(root)
    places, called, place_notes = _places(root, list(entries), options)
    listed = [ListedVideo(name, subset, entries[name], places.of(called[name])) for name, subset in chosen.items()]
    opened, opening_notes = open_features(
        listed, options, places.inspect, own_rates=are_per_stream(options.snippet_seconds)
    )
    stated = {names[key]: timebase for key, timebase in table.timebases.items()}
    timebases, time_notes = _timebases(root, opened, options, stated)
    opened, split_notes = split_streams(opened, options.split)
    notes += place_notes + opening_notes + time_notes + split_notes
    return assemble(root, LAYOUT.name, opened, lambda v: timebases[v.id], unlabelled=options.unlabelled, notes=notes)


def write(dataset: Dataset, root: Path) -> Options:
    """Write the layout, with labels.json, and with segments.json where there are segments."""
    table = {
        video.id: {
            "labels": list(video.labels) or (["-"] if video.subset == "train" else []),
            "subset": video.subset,
            **({} if video.duration is None else {"duration": video.duration}),
            "snippet_seconds": video.timebase.snippet_seconds,
            "offset": video.timebase.offset,
        }
        for video in dataset.videos
    }
    write_json(root / "labels.json", table)
    if any(video.segments for video in dataset.videos):
        timed = replace(dataset, videos=tuple(replace(v, labels=()) for v in dataset.videos if v.segments))
        write_database(root / SEGMENTS_FILE, annotation(timed))
    for video in dataset.videos:
        for stream, features in video.streams.items():
            with written_whole(video_file(root / FEATURES / stream, video.id, ".npy")) as temporary:
                np.save(temporary, features.load())
    return Options(split=False if TWO_STREAM in dataset.dims.values() else None)


def _tables(root: Path) -> list[Path]:
    """The files that may be the table of labels."""
    return [path for path in visible(root, *(f"labels{suffix}" for suffix in SUFFIXES)) if is_label_table(path)]


def _plain_ids(listed: Iterable[str], path: Path) -> dict[str, str]:
    """The id of every listed video: `a.mp4` names the video `a`."""
    plain: dict[str, str] = {}
    for name in listed:
        file = PurePosixPath(name)
        own = str(file.with_suffix("")) if file.suffix.lower() in VIDEO_SUFFIXES else name
        plain[name] = own
    own_names = list(plain.values())
    for name, own in plain.items():
        if own != name and own_names.count(own) > 1:
            raise ValueError(f"{path}: {name!r} and another row are both of the video {own!r}")
    return plain


def _places(root: Path, ids: Sequence[str], options: Options) -> tuple[Places, dict[str, str], list[str]]:
    """The places of features, what each of `ids` is called there, and notes.

    The folders in features/ are streams where a listed video has features/<stream>/<id>.npy, as `amsx extract` writes
    it; ids may have slashes there. Else features are looked for as in other layouts.
    """
    own = Places(root / FEATURES)
    if options.features is None and options.streams is None and options.prefix is None:
        for folder in visible(root / FEATURES, "*"):
            for name in ids if folder.is_dir() else ():
                if not video_file_fault(name, ".npy") and video_file(folder, name, ".npy").is_file():
                    own.add(folder.name, name, video_file(folder, name, ".npy"))
    if not own.streams:
        return feature_places(root, ids, KINDS, options, None)
    return own, {name: name for name in ids}, []


def _with_segments(entries: Mapping[str, Entry], path: Path) -> tuple[dict[str, Entry], list[str]]:
    """The entries with the segments of segments.json, where it is there, and notes."""
    if not path.is_file():
        return dict(entries), []
    database = read_database(path)
    known = {name: entry for name, entry in database.entries.items() if name in entries}
    unknown = [name for name in database.entries if name not in entries]
    notes = list(database.notes)
    if unknown:
        notes.append(f"left out: {len(unknown)} videos of {path.name} that no row lists: {shortened(unknown)}")
    merged = dict(entries)
    more = []
    for name, timed in known.items():
        entry = entries[name]
        if {segment.label for segment in timed.segments} - set(entry.labels):
            more.append(name)
        duration = timed.duration if entry.duration is None else entry.duration
        merged[name] = replace(entry, segments=timed.segments, ambiguous=timed.ambiguous, duration=duration)
    if more:
        notes.append(
            f"{path.name} has segments of labels that the table lacks in {len(more)} videos (training goes by the "
            f"table): {shortened(more)}"
        )
    return merged, notes


def _timebases(
    root: Path, opened: Sequence[OpenedVideo], options: Options, stated: Mapping[str, Timebase]
) -> tuple[Mapping[str, Timebase | Mapping[str, Timebase]], list[str]]:
    """The timebase of every video or of each of its streams, and notes; ValueError where nothing says it."""
    if are_per_stream(options.stride) or are_per_stream(options.fps):
        raise ValueError(f"{root}: streams of different rates are said by snippet_seconds, a number for each stream")
    if are_per_stream(options.snippet_seconds):
        streams = stream_order({name for video in opened for name in video.streams})
        apart = for_streams(options.snippet_seconds, streams, "snippet_seconds")
        each = {name: Timebase(seconds) for name, seconds in apart.items() if seconds is not None}
        return {video.id: each for video in opened}, []
    given, stride, fps = map(_number, (options.snippet_seconds, options.stride, options.fps))
    if given is None and fps is not None and stride is not None:
        given = stride / fps
    record = ExtractionRecord.read(root)
    if record is not None:
        if given is not None and abs(given / record.snippet_seconds - 1) > DIFFERING:
            raise ValueError(
                f"{root}: the options say {given:g} s a snippet, and extraction.json {record.snippet_seconds:g} s; "
                "leave the options out, or remove extraction.json if the features are not those it tells of"
            )
        note = f"snippet_seconds = {record.snippet_seconds:g}, by extraction.json"
        return {video.id: Timebase(record.snippet_seconds) for video in opened}, [note]
    if given is not None:
        return {video.id: Timebase(given) for video in opened}, []
    if all(video.id in stated for video in opened):
        return dict(stated), []
    rates = {video.id: fps or video.entry.fps for video in opened}
    if stride is not None and all(rates.values()):
        return {name: Timebase(stride / rate) for name, rate in rates.items() if rate}, []
    durations = {video.id: video.entry.duration for video in opened}
    if opened and all(durations.values()) and stride is None and not any(rates.values()):
        note = "each video's snippets share its duration evenly"
        return {v.id: Timebase(v.entry.duration / v.length) for v in opened if v.entry.duration}, [note]
    raise ValueError(
        f"{root}: nothing says how long a snippet lasts; give fps and stride (frames from one snippet to the next), or "
        "snippet_seconds, or the duration of every video in the table"
    )


def _number(value: PerStream) -> float | None:
    return value if value is None or isinstance(value, float | int) else None


def _refuse_videos(root: Path) -> None:
    """ValueError where the folder holds videos in place of features."""
    videos = [path for path in visible(root, "*", "*/*") if path.suffix.lower() in VIDEO_SUFFIXES]
    if videos:
        raise ValueError(
            f"{root} holds labels and videos ({shortened([str(videos[0])])}), and no features; extract them first: "
            f"amsx extract {videos[0].parent} --out {root}"
        )


LAYOUT = Layout(
    name="labels",
    holds="labels.{csv,tsv,json} with the labels of every video, and features/<id>.npy or features/<stream>/<id>.npy",
    options=Options,
    detect=detect,
    read=read,
    write=write,
    separate_streams=True,
    labels_apart=True,
)
