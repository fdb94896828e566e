"""A data set written in another layout, whole or not at all, and what that layout could not hold."""

import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from amsx.data.layouts import read_dataset
from amsx.data.layouts.splits import SUBSETS
from amsx.data.layouts.streams import TWO_STREAM
from amsx.data.layouts.timing import CLIP
from amsx.data.videos import Dataset, Timebase, Video

Target = Literal["bas_net", "acm_net", "action_former"]
EXACT = 1e-9  # relative, of times


@dataclass(frozen=True)
class Conversion:
    """What was written."""

    out: Path
    layout: Target
    options: Mapping[str, Any]  # those of the layout's reader that the folder must be read with
    lost: tuple[str, ...]  # what is not the same when the folder is read again with them


def convert(dataset: Dataset, out: Path | str, to: Target) -> Conversion:
    """Write `dataset` into the new or empty folder `out` in the layout `to`, features as float32.

    The folder appears when it is complete: it is written under another name beside `out`, read again and compared,
    then renamed. ValueError where the layout is none of bas_net, acm_net, action_former, an id is no file name, or
    features cannot be used; FileExistsError where `out` holds something.
    """
    out = Path(out)
    if to not in get_args(Target):
        raise ValueError(f"cannot write the layout {to!r}, expected one of {', '.join(get_args(Target))}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} is there and not empty")
    odd = [video.id for video in dataset.videos if Path(video.id).name != video.id]
    if odd:
        raise ValueError(f"video id {odd[0]!r} can be no file name")
    write: dict[Target, Callable[[Dataset, Path], dict[str, Any]]] = {
        "bas_net": _write_bas_net,
        "acm_net": _write_acm_net,
        "action_former": _write_action_former,
    }
    temporary = out.parent / f".{out.name}-{uuid.uuid4().hex[:12]}"
    temporary.mkdir(parents=True)
    try:
        options, again, lost = _read_again(dataset, temporary, to, write[to](dataset, temporary))
        lost += _features_lost(dataset, again)
        if out.exists():
            out.rmdir()
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return Conversion(out, to, options, tuple(lost))


def _write_bas_net(dataset: Dataset, root: Path) -> dict[str, Any]:
    for video in dataset.videos:
        for name, stream in video.streams.items():
            _save(root / "features" / video.subset / name / f"{video.id}.npy", stream.load())
    return _write_splits(dataset, root)


def _write_acm_net(dataset: Dataset, root: Path) -> dict[str, Any]:
    for video in dataset.videos:
        _save(root / video.subset / f"{video.id}.npy", _joined(dataset, video))
    return {**_write_splits(dataset, root), **_split(dataset)}


def _write_action_former(dataset: Dataset, root: Path) -> dict[str, Any]:
    """Of its stride and clip: 16-frame clips at a whole stride where these say the same, else a row per frame."""
    strides = {_sliding_stride(video.timebase) for video in dataset.videos}
    sliding = len(strides) == 1 and None not in strides
    stride = (strides.pop() if sliding else None) or 1
    database = {}
    for video in dataset.videos:
        _save(root / "features" / f"{video.id}.npy", _joined(dataset, video))
        frames = (video.length - 1) * stride + CLIP if sliding else video.length
        entry = {
            "duration": video.end if video.duration is None else video.duration,
            "fps": stride / video.timebase.snippet_seconds,
            "frames": frames,
        }
        database[video.id] = _entry(video, dataset.classes) | entry
    _write_json(root / "annotation.json", database)
    first = dataset.videos[0].timebase
    span = float(CLIP) if sliding else 1 + 2 * first.offset / first.snippet_seconds
    return {"stride": stride, **({"num_frames": span} if span > 0 else {}), **_split(dataset)}


def _write_splits(dataset: Dataset, root: Path) -> dict[str, Any]:
    for subset in SUBSETS:
        lines = "".join(f"{video.id}\n" for video in dataset.subset(subset))
        (root / f"split_{subset}.txt").write_text(lines, encoding="utf-8")
    _write_json(root / "gt.json", {video.id: _entry(video, dataset.classes) for video in dataset.videos})
    return {"snippet_seconds": float(np.median([video.timebase.snippet_seconds for video in dataset.videos]))}


def _entry(video: Video, classes: tuple[str, ...]) -> dict[str, Any]:
    """A video's annotation; a label without a segment gets an empty one, which says the label and no place."""
    ids = {label: i for i, label in enumerate(classes)}
    spans = [(segment.label, segment.start, segment.end) for segment in video.segments]
    spans += [(label, 0.0, 0.0) for label in video.labels if label not in {s.label for s in video.segments}]
    annotations = [
        {"label": label, "segment": [start, end], **({"label_id": ids[label]} if label in ids else {})}
        for label, start, end in spans
    ]
    known = {} if video.duration is None else {"duration": video.duration}
    return {"subset": video.subset, **known, "annotations": annotations}


def _sliding_stride(timebase: Timebase) -> int | None:
    """The whole stride at which clips of 16 frames have this timebase at some frame rate, if there is one."""
    stride = CLIP / (1 + 2 * timebase.offset / timebase.snippet_seconds) if timebase.offset > 0 else 0.0
    return round(stride) if stride >= 1 and abs(stride - round(stride)) < EXACT * CLIP else None


def _joined(dataset: Dataset, video: Video) -> np.ndarray:
    """(n, D) all streams side by side, rgb first."""
    return np.concatenate([video.streams[name].load() for name in dataset.stream_names], axis=1)


def _split(dataset: Dataset) -> dict[str, Any]:
    """The reader's option that tells the streams apart again, where it is needed and there is one."""
    halves = dataset.stream_names == ("rgb", "flow") and len(set(dataset.dims.values())) == 1
    if halves == (sum(dataset.dims.values()) == TWO_STREAM):
        return {}
    return {"split": halves}


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=False)


def _write_json(path: Path, database: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({"version": "amsx", "database": database}) + "\n", encoding="utf-8")


def _read_again(
    dataset: Dataset, root: Path, to: Target, options: dict[str, Any]
) -> tuple[dict[str, Any], Dataset, list[str]]:
    """What was written, read without options where these are not needed; the options, and what is lost."""
    again = read_dataset(root, to, **options, unlabelled="skip")
    lost = _differences(dataset, again)
    try:
        plain = read_dataset(root, to, unlabelled="skip")
    except ValueError:  # the reader says what must be given
        return options, again, lost
    plainly_lost = _differences(dataset, plain)
    worse = len(plainly_lost) > len(lost) or (len(plainly_lost) == len(lost) and plainly_lost != lost)
    return (options, again, lost) if worse else ({}, plain, plainly_lost)


def _differences(dataset: Dataset, again: Dataset) -> list[str]:
    """What a data set and what was read again of it differ in."""
    lost = []
    found = {video.id: video for video in again.videos}
    missing = [video.id for video in dataset.videos if video.id not in found]
    if missing:
        lost.append(f"{len(missing)} training videos without a label")
    if again.dims != dataset.dims:
        lost.append(f"the streams {dataset.dims}: they are {again.dims}")
    pairs = [(video, found[video.id]) for video in dataset.videos if video.id in found]
    for what, differs in {
        "the subset": lambda a, b: a.subset != b.subset,
        "the video-level labels": lambda a, b: a.labels != b.labels,
        "the segments": lambda a, b: sorted(a.segments, key=str) != sorted(b.segments, key=str),
        "the absence of a duration": lambda a, b: a.duration is None and b.duration is not None,
        "the duration": lambda a, b: a.duration is not None and a.duration != b.duration,
    }.items():
        count = sum(differs(a, b) for a, b in pairs)
        if count:
            lost.append(f"{what} of {count} videos")
    shifts = [shift for a, b in pairs if (shift := _shift(a, b)) > EXACT * max(1.0, abs(a.end))]
    if shifts:
        lost.append(f"the times of snippets of {len(shifts)} videos, by up to {max(shifts):.3g} s")
    return lost


def _features_lost(dataset: Dataset, again: Dataset) -> list[str]:
    """Whether the values, all streams of a video side by side, differ."""
    found = {video.id: video for video in again.videos}
    pairs = [(video, found[video.id]) for video in dataset.videos if video.id in found]
    differing = [a.id for a, b in pairs if not np.array_equal(_joined(dataset, a), _joined(again, b))]
    return [f"the features of {len(differing)} videos"] if differing else []


def _shift(a: Video, b: Video) -> float:
    """Seconds by which the times of two videos' snippets differ at most."""
    edges = [0, a.length]
    return float(np.abs(a.timebase.to_seconds(edges) - b.timebase.to_seconds(edges)).max())
