"""What the layouts with one annotation in JSON and one file of features per video have in common.

<name>.json              in the folder or its annotations/: {"database": {id: {"subset", "annotations", ...}}}
<features>/<prefix><id>.<kind>    (n, D), in one folder below, or beside the JSON

Two streams, and files of many videos, may be kept in all the ways of `amsx.data.layouts.shared.feature_places`. Frame
rates that the annotation lacks are taken from <id>_fps.npy where such files lie beside the features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amsx.data.arrays import read_array
from amsx.data.layouts.shared.annotation_json import annotation_files, read_database, subset_roles
from amsx.data.layouts.shared.assembly import (
    ListedVideo,
    OpenedVideo,
    assemble,
    only_candidate,
    open_features,
    shortened,
)
from amsx.data.layouts.shared.feature_places import Places, feature_folders, find_places
from amsx.data.layouts.shared.frame_grid import timebases_from_frames
from amsx.data.layouts.shared.given_streams import given_places
from amsx.data.layouts.shared.layout import FilePolicies
from amsx.data.layouts.shared.split_files import has_splits
from amsx.data.layouts.shared.stream_options import PerStream, are_per_stream, for_streams
from amsx.data.layouts.shared.subset_lists import with_listed_subsets
from amsx.data.layouts.shared.timestamps import timebase_of, timestamps_file
from amsx.data.layouts.shared.two_streams import split_streams
from amsx.data.videos import Dataset, Subset, Timebase, stream_order


@dataclass(frozen=True, kw_only=True)
class PerVideoOptions(FilePolicies):
    """What can be said to the readers of these layouts."""

    annotation: Path | str | None = None  # the JSON file, where the folder holds several
    features: Path | str | None = None  # the folder of features (or an HDF5 file), where there are several
    streams: Mapping[str, str] | None = None  # where each stream is: name -> place, see `given_streams`; None: found
    prefix: str | None = None  # precedes the id in the names of features; None: nothing, or "v_" where only that occurs
    stride: PerStream = None  # frames from one snippet to the next; None: derived from frames and rows
    fps: PerStream = None  # frames per second of all videos; None: what the annotation says
    split: bool | None = None  # take the halves of the columns as rgb and flow; None: where there are 2048
    subsets: Mapping[str, Subset] | None = None  # subset as written -> "train" or "test"; None: see `subset_roles`


def has_json_and_features(root: Path, kinds: Sequence[str]) -> bool:
    """Whether there is a JSON file, and a folder with files of one of `kinds`, which are suffixes.

    Split files beside gt.json are of other layouts, which these would not read.
    """
    if (root / "gt.json").is_file() and has_splits(root):
        return False
    return bool(annotation_files(root)) and bool(feature_folders(root, kinds))


def counts_frames(root: Path) -> bool:
    """Whether an annotation counts frames under the key that OpenTAD gives them."""
    # Without NUL bytes, so that the key is seen in UTF-16, too.
    return any(b'"frame"' in path.read_bytes().replace(b"\0", b"") for path in annotation_files(root))


def read_per_video(
    root: Path,
    layout: str,
    kinds: Sequence[str],
    options: PerVideoOptions,
    *,
    key: str | None = None,
    num_frames: PerStream = None,
    window_option: str = "num_frames",
) -> Dataset:
    """Read such a folder.

    `key` names the array in files that hold several; a snippet spans `num_frames` frames, which are derived by default;
    `window_option` is what the layout calls that, see `timebases_from_frames`.
    """
    given = None if options.annotation is None else Path(options.annotation)
    path = given or only_candidate(annotation_files(root), root, "annotation")
    database = read_database(path)
    entries, list_notes = with_listed_subsets(database.entries, root, path)
    roles, role_notes = subset_roles(entries, options.subsets)
    notes = [*database.notes, *list_notes, *role_notes]
    chosen = {name: roles[entry.subset] for name, entry in entries.items() if entry.subset in roles}
    places, names, place_notes = feature_places(root, list(entries), kinds, options, key)
    notes += place_notes
    given_times = {"stride": options.stride, window_option: num_frames, "fps": options.fps}
    listed = [ListedVideo(name, subset, entries[name], places.of(names[name])) for name, subset in chosen.items()]
    opened, opening_notes = open_features(
        listed,
        options,
        places.inspect,
        own_rates=any(map(are_per_stream, given_times.values())) or "where they differ",
    )
    opened, rate_notes = _with_rates(opened, {video.id: places.of(names[video.id]) for video in opened})
    try:
        stamped = _stamped(opened, {video.id: places.of(names[video.id]) for video in opened}, given_times)
        timebases, time_notes = _timebases(opened, given_times, window_option, stamped)
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error
    opened, split_notes = split_streams(opened, options.split)
    notes += opening_notes + rate_notes + time_notes + split_notes
    return assemble(root, layout, opened, lambda v: timebases[v.id], unlabelled=options.unlabelled, notes=notes)


def _timebases(
    opened: Sequence[OpenedVideo],
    given: Mapping[str, PerStream],
    window_option: str,
    stamped: Mapping[str, Mapping[str, Timebase]],
) -> tuple[Mapping[str, Timebase | Mapping[str, Timebase]], list[str]]:
    """Video -> its timebase, or that of each of its streams where these have rates of their own, and notes.

    `stamped` are the timebases that timestamps give, stream -> video -> timebase, which count where they are.
    """
    streams = stream_order({name for video in opened for name in video.streams})
    checked = {option: for_streams(value, streams, option) for option, value in given.items()}
    if not stamped and not any(map(are_per_stream, given.values())) and not any(video.apart for video in opened):
        one = {option: next(iter(values.values()), None) for option, values in checked.items()}
        return timebases_from_frames(opened, one["stride"], one[window_option], one["fps"], window_option)
    timebases: dict[str, dict[str, Timebase]] = {video.id: {} for video in opened}
    notes = []
    for name in streams:
        if name in stamped:
            notes.append(f"{name}: times of snippets from the files _timestamps_ms.npy beside the features")
            for video, timebase in stamped[name].items():
                timebases[video][name] = timebase
            continue
        own = {option: values[name] for option, values in checked.items()}
        having = [video.alone(name) for video in opened if name in video.streams]
        try:
            found, own_notes = timebases_from_frames(
                having, own["stride"], own[window_option], own["fps"], window_option
            )
        except ValueError as error:
            raise ValueError(
                f"the stream {name!r}, which has a rate of its own: {error} (for each stream, e.g. "
                f'stride={{"{name}": 16}})'
            ) from error
        notes += [f"{name}: {note}" for note in own_notes]
        for video, timebase in found.items():
            timebases[video][name] = timebase
    if len(streams) == 1:
        return {video: own[streams[0]] for video, own in timebases.items()}, notes
    return timebases, notes


def _stamped(
    opened: Sequence[OpenedVideo], places: Mapping[str, Mapping[str, Path]], given: Mapping[str, PerStream]
) -> dict[str, dict[str, Timebase]]:
    """Stream -> video -> the timebase by timestamps beside the features, for streams of which no option says times.

    ValueError where some videos of a stream have timestamps and others have none, or where they fit no rows.
    """
    if any(value is not None and not are_per_stream(value) for value in given.values()):
        return {}
    stamped: dict[str, dict[str, Timebase]] = {}
    said = {name for value in given.values() if isinstance(value, Mapping) for name in value}
    for name in stream_order({name for video in opened for name in video.streams if name not in said}):
        files = {v.id: timestamps_file(places[v.id][name], name) for v in opened if name in v.streams}
        absent = [video for video, file in files.items() if not file.is_file()]
        if len(absent) == len(files):
            continue
        if absent:
            raise ValueError(
                f"no file {files[absent[0]]}, while other videos have one; expected one for every video of the stream "
                f"{name!r}, or give stride, num_frames and fps"
            )
        rows = {video.id: video.streams[name].shape[0] for video in opened if name in video.streams}
        stamped[name] = {video: timebase_of(file, rows[video]) for video, file in files.items()}
    return stamped


def feature_places(
    root: Path, ids: Sequence[str], kinds: Sequence[str], options: PerVideoOptions, key: str | None
) -> tuple[Places, dict[str, str], list[str]]:
    """The places of features, what each of `ids` is called there, and notes."""
    called = ids if options.prefix is None else [f"{options.prefix}{name}" for name in ids]
    if options.streams is not None:
        places = given_places(root, options.streams, kinds)
    elif options.features is None:
        places = find_places(root, called, kinds, key=key)
    else:
        folder = Path(options.features)
        inner = feature_folders(folder, kinds) if folder.is_dir() else []
        places = find_places(folder, called, kinds, folders=[folder] if folder in inner else inner or [folder], key=key)
    names, notes = dict(zip(ids, called, strict=True)), list(places.notes)
    if options.prefix is None:
        names, name_notes = places.called(ids)
        notes += name_notes
    return places, names, notes + places.unlisted(names.values())


def _with_rates(
    opened: Sequence[OpenedVideo], places: Mapping[str, Mapping[str, Path]]
) -> tuple[list[OpenedVideo], list[str]]:
    """The videos with the frame rates that <id>_fps.npy beside their features give to entries without one."""
    videos, rated = [], []
    for video in opened:
        entry = video.entry
        stream, place = next(iter(places[video.id].items()))
        file = place.with_name(f"{place.stem.removesuffix(f'_{stream}')}_fps.npy")
        if entry.fps is None and entry.frames is None and file.is_file():
            rate = np.asarray(read_array(file))
            if rate.size != 1 or rate.dtype.kind not in "iuf" or not rate.item() > 0:
                raise ValueError(f"{file}: expected one positive number of frames per second, got {rate!r}")
            entry = replace(entry, fps=float(rate.item()))
            rated.append(video.id)
        videos.append(replace(video, entry=entry))
    note = f"frame rates of {len(rated)} videos from the files _fps.npy beside their features: {shortened(rated)}"
    return videos, [note] if rated else []
