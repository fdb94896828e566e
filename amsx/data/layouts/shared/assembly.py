"""What the readers of all layouts do alike: open features, reconcile streams, check labels, and note what they did."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amsx.data.features import FeatureArray, FeatureFile
from amsx.data.layouts.shared.annotation_json import Entry
from amsx.data.layouts.shared.layout import Policy
from amsx.data.layouts.shared.orientation import lying_otherwise, oriented
from amsx.data.videos import Dataset, Subset, Timebase, Video
from amsx.records import AMBIGUOUS

CUT = 2  # snippets by which a video's streams may differ in length: flow has a frame less than rgb
LONG = 5.0  # seconds that a video lasts whose one row of features is worth a word
BEYOND = 2  # snippets by which a segment may pass the features' end unmentioned: the last clip is often cut


@dataclass(frozen=True)
class ListedVideo:
    """A video that a layout lists, with what the annotation says of it and where its features should be."""

    id: str
    subset: Subset
    entry: Entry
    paths: Mapping[str, Path]  # stream -> file


@dataclass(frozen=True)
class OpenedVideo:
    """A listed video whose features are there; its streams have the same number of snippets."""

    id: str
    subset: Subset
    entry: Entry
    streams: Mapping[str, FeatureFile | FeatureArray]

    @property
    def length(self) -> int:
        """n, the number of snippets."""
        return next(iter(self.streams.values())).shape[0]


def open_features(
    listed: Sequence[ListedVideo],
    missing: Policy,
    broken: Policy = "error",
    inspect: Callable[[Path], FeatureFile | FeatureArray] = FeatureFile.inspect,
    transpose: bool | None = None,
    turned_because: str = "as transpose=true says",
) -> tuple[list[OpenedVideo], list[str]]:
    """The listed videos with their features opened by `inspect`, which reads headers alone, and notes.

    Where one file holds many videos, a path is <file>/<id>, and `inspect` knows what that means. Missing features, for
    which `inspect` raises FileNotFoundError, are one, or with `missing="skip"` the video is left out and counted. Files
    that cannot be read, and streams that differ by more than 2 snippets, are a ValueError, or with `broken="skip"` the
    video is left out and counted. Streams that differ by at most 2 snippets are cut to the shortest and counted. With
    `transpose`, arrays are (channels, snippets); None asks where they seem so, see `oriented`.
    """
    check_policy("missing", missing)
    check_policy("broken", broken)
    notes: list[str] = []
    absent: dict[str, list[Path]] = {}
    found: dict[str, dict[str, FeatureFile | FeatureArray]] = {}
    unusable, cut = [], []
    for video in listed:
        streams: dict[str, FeatureFile | FeatureArray] = {}
        for name, path in video.paths.items():
            try:
                streams[name] = inspect(path)
            except FileNotFoundError:
                absent.setdefault(video.id, []).append(path)
            except ValueError as error:
                unusable.append(str(error))
                break
        else:
            found[video.id] = streams
    if absent:
        examples = shortened(str(path) for paths in absent.values() for path in paths)
        text = f"{len(absent)} of {len(listed)} listed videos lack features: {examples}"
        if missing == "error":
            raise FileNotFoundError(text + " (the option missing=skip leaves such videos out)")
        if len(absent) == len(listed):
            raise FileNotFoundError(text)
        notes.append(f"left out: {text}")
    found = oriented(found, {video.id: video.entry for video in listed}, transpose)
    notes += [f"features are (channels, snippets), {turned_because}"] if transpose else []
    odd = lying_otherwise(found)
    unusable += odd.values()
    opened = []
    for video in listed:
        if video.id in absent or video.id in odd or video.id not in found:
            continue
        streams = found[video.id]
        lengths = {name: stream.shape[0] for name, stream in streams.items()}
        shortest = min(lengths.values())
        if max(lengths.values()) > shortest + CUT:
            unusable.append(f"video {video.id!r}: streams of {lengths} snippets, expected equal (or {CUT} apart)")
            continue
        if max(lengths.values()) > shortest:
            cut.append(video.id)
        streams = {name: stream.cut(shortest) for name, stream in streams.items()}
        opened.append(OpenedVideo(video.id, video.subset, video.entry, streams))
    if unusable:
        text = f"{len(unusable)} of {len(listed)} videos have broken features: {shortened(unusable)}"
        if broken == "error":
            raise ValueError(text + " (the option broken=skip leaves such videos out)")
        notes.append(f"left out: {text}")
    notes += _forms(opened)
    if cut:
        notes.append(f"streams of unequal length cut to the shortest in {len(cut)} videos: {shortened(cut)}")
    return opened, notes


def _forms(opened: Sequence[OpenedVideo]) -> list[str]:
    """A note on each kind of thing that was left out of files of features because it is none."""
    forms: dict[str, list[str]] = {}
    for video in opened:
        for stream in video.streams.values():
            if stream.form:
                forms.setdefault(stream.form, []).append(video.id)
    return [
        f"not features, in the files of {len(set(ids))} videos: {form} (such as {ids[0]})"
        for form, ids in forms.items()
    ]


def unlisted_features(files: Iterable[Path], listed: Iterable[Path]) -> list[str]:
    """A note where there are features of videos that are not listed."""
    extra = sorted(set(files) - set(listed))
    return (
        [f"left out: {len(extra)} features of videos that are not listed: {shortened(map(str, extra))}"]
        if extra
        else []
    )


def assemble(
    root: Path,
    layout: str,
    opened: Sequence[OpenedVideo],
    timebase: Callable[[OpenedVideo], Timebase],
    *,
    unlabelled: Policy,
    notes: Sequence[str],
) -> Dataset:
    """The data set, with its labels checked and everything unusual noted.

    Training videos without a label are a ValueError, or with `unlabelled="skip"` left out and counted. Labels that
    no training video has are kept as ground truth without being classes, and segments outside their video are kept as
    annotated; both are counted.
    """
    check_policy("unlabelled", unlabelled)
    notes = list(notes)
    bare = [video.id for video in opened if video.subset == "train" and not video.entry.labels]
    if bare:
        text = f"{len(bare)} training videos have no label: {shortened(bare)}"
        if unlabelled == "error":
            raise ValueError(f"{root}: {text} (the option unlabelled=skip leaves them out)")
        notes.append(f"left out: {text}")
    videos = [
        Video(v.id, v.subset, v.streams, v.entry.labels, v.entry.segments, timebase(v), v.entry.duration)
        for v in opened
        if v.entry.labels or v.subset == "test"
    ]
    if not videos:
        raise ValueError(f"{root}: no video is left to read{'; ' if notes else ''}{'; '.join(notes)}")
    training = [video for video in videos if video.subset == "train"]
    classes = {label for video in training or videos for label in video.labels}
    unseen = sorted({label for video in videos for label in video.labels} - classes)
    if unseen:
        notes.append(f"{len(unseen)} labels occur in no training video and cannot be predicted: {shortened(unseen)}")
    tested = {label for video in videos if video.subset == "test" for label in video.labels}
    untested = sorted(classes - tested) if training and tested else []
    if untested:
        notes.append(f"{len(untested)} classes have no test video, so no score shows them: {shortened(untested)}")
    if not training:
        notes.append("there are no training videos; the classes are the labels of the test videos")
    empty = sum(v.entry.empty_segments for v in opened)
    if empty:
        notes.append(f"{empty} segments end where they start; left out, their labels kept")
    ambiguous = sum(v.entry.ambiguous for v in opened)
    if ambiguous:
        notes.append(f"left out: {ambiguous} segments labelled {AMBIGUOUS}")
    outside = [video.id for video in videos if _outside(video)]
    if outside:
        notes.append(f"segments pass the ends of {len(outside)} videos (kept as annotated): {shortened(outside)}")
    single = [video.id for video in videos if video.length == 1 and _lasts(video) > LONG]
    if single:
        notes.append(
            f"{len(single)} videos of more than {LONG:g} s have one row of features, which cannot tell when an action "
            f"happens (features of whole clips?): {shortened(single)}"
        )
    quiet = [video.id for video in videos if not video.labels]
    if quiet:
        notes.append(f"{len(quiet)} test videos have no annotated action: {shortened(quiet)}")
    return Dataset(root, layout, tuple(sorted(classes)), tuple(videos), tuple(notes))


def only_candidate(paths: Sequence[Path], root: Path, option: str) -> Path:
    """The one path; ValueError where there is none, or several of which the reader's `option` must name one."""
    if len(paths) != 1:
        raise candidates_error(paths, root, option)
    return paths[0]


def candidates_error(paths: Sequence[Path], root: Path, option: str) -> ValueError:
    """The error that says which files `option` could mean."""
    candidates = shortened(map(str, paths)) or "none"
    return ValueError(f"{root}: expected one candidate for {option}, found {candidates}; give {option}")


def shortened(items: Iterable[str], count: int = 3) -> str:
    """The first few of `items` as text, and how many more there are; those with line ends and the like are quoted."""
    items = list(items)
    more = f", and {len(items) - count} more" if len(items) > count else ""
    return ", ".join(item if item.isprintable() else repr(item) for item in items[:count]) + more


def check_policy(name: str, value: str) -> None:
    """Raise ValueError unless `value`, given for the policy `name`, is "error" or "skip"."""
    if value not in ("error", "skip"):
        raise ValueError(f"{name} must be 'error' or 'skip', got {value!r}")


def _lasts(video: Video) -> float:
    """Seconds that the video lasts at least, to judge by its duration and its segments."""
    return max([video.duration or 0.0, *(segment.end for segment in video.segments)])


def _outside(video: Video) -> bool:
    end = float(video.timebase.to_seconds(video.length + BEYOND))
    return any(segment.end > end or segment.start < 0 for segment in video.segments)
