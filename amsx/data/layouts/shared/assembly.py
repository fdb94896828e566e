"""What the readers of all layouts do alike: open features, reconcile streams, check labels, and note what they did."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amsx.data.features import FeatureArray, FeatureFile, SeveralCrops
from amsx.data.layouts.shared.annotation_json import Entry
from amsx.data.layouts.shared.crops import Rule, check_crops, one_of_crops
from amsx.data.layouts.shared.layout import BundlePolicies, FilePolicies, Policy
from amsx.data.layouts.shared.orientation import lying_otherwise, oriented
from amsx.data.videos import Dataset, Subset, Timebase, Video, stream_order
from amsx.records import AMBIGUOUS

MOST_DIFFER = 0.5  # share of the videos whose streams must differ in length for it to be a matter of their rates
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
    """A listed video whose features are there.

    Its streams have the same number of snippets, unless each has a rate of its own.
    """

    id: str
    subset: Subset
    entry: Entry
    streams: Mapping[str, FeatureFile | FeatureArray]

    @property
    def length(self) -> int:
        """n, the number of snippets; of the first stream where they have rates of their own."""
        return next(iter(self.streams.values())).shape[0]

    @property
    def apart(self) -> bool:
        """Whether its streams differ in their number of snippets."""
        return len({stream.shape[0] for stream in self.streams.values()}) > 1

    def alone(self, stream: str) -> "OpenedVideo":
        """The video with one of its streams."""
        return replace(self, streams={stream: self.streams[stream]})


def open_features(
    listed: Sequence[ListedVideo],
    options: BundlePolicies,
    inspect: Callable[[Path], FeatureFile | FeatureArray] = FeatureFile.inspect,
    *,
    turned_because: str = "as transpose=true says",
    own_rates: bool | str = False,
) -> tuple[list[OpenedVideo], list[str]]:
    """The listed videos with their features opened by `inspect`, which reads headers alone, and notes.

    `options` are those of the layout's reader; a layout without `missing` has missing features as errors. Where one
    file holds many videos, a path is <file>/<id>, and `inspect` knows what that means. Missing features, for which
    `inspect` raises FileNotFoundError, are one, or with `missing="skip"` the video is left out and counted. Files that
    cannot be read, and streams that differ by more than 2 snippets, are a ValueError, or with `broken="skip"` the video
    is left out and counted. Streams that differ by at most 2 snippets are cut to the shortest and counted. With
    `transpose`, arrays are (channels, snippets); None asks where they seem so, see `oriented`. `crops` and `crop_axis`
    are what is taken of features of several crops of a video, see `amsx.data.layouts.shared.crops`.

    `own_rates` says whether streams have rates of their own, so that they may differ by any number of snippets: True,
    False, or "where they differ", which is in most of the videos with several streams. Where it is False and they
    differ so, the error says how to say it.
    """
    missing: Policy = options.missing if isinstance(options, FilePolicies) else "error"
    broken, transpose, crops, crop_axis = options.broken, options.transpose, options.crops, options.crop_axis
    check_policy("missing", missing)
    check_policy("broken", broken)
    check_crops(crops, crop_axis)
    several: dict[str, dict[str, SeveralCrops]] = {}
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
            except SeveralCrops as error:
                if crops is None:
                    unusable.append(str(error))
                    break
                several.setdefault(name, {})[video.id] = error
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
    if crops is not None:
        notes += _take_crops(found, several, crops, crop_axis)
    found = oriented(found, {video.id: video.entry for video in listed}, transpose)
    notes += [f"features are (channels, snippets), {turned_because}"] if transpose else []
    differ = [_differ(own) for own in found.values() if len(own) > 1]
    if own_rates == "where they differ":
        own_rates = sum(differ) > MOST_DIFFER * len(differ)
    odd = lying_otherwise(found)
    unusable += odd.values()
    opened = []
    for video in listed:
        if video.id in absent or video.id in odd or video.id not in found:
            continue
        streams = found[video.id]
        lengths = {name: stream.shape[0] for name, stream in streams.items()}
        shortest = min(lengths.values())
        if own_rates:
            opened.append(OpenedVideo(video.id, video.subset, video.entry, streams))
            continue
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
            way = " (the option broken=skip leaves such videos out)"
            if sum(differ) > MOST_DIFFER * len(differ):
                way += (
                    "; where streams have rates of their own, give the seconds or frames of a snippet for each, e.g. "
                    'snippet_seconds={"rgb": 0.64, "flow": 0.16}'
                )
            raise ValueError(text + way)
        notes.append(f"left out: {text}")
    notes += _forms(opened)
    if cut:
        notes.append(f"streams of unequal length cut to the shortest in {len(cut)} videos: {shortened(cut)}")
    return opened, notes


def _take_crops(
    found: Mapping[str, dict[str, FeatureFile | FeatureArray]],
    several: Mapping[str, Mapping[str, SeveralCrops]],
    crops: Rule,
    axis: int | None,
) -> list[str]:
    """Add the features that `crops` takes to those of `found`, video -> stream -> features, and return notes.

    In a set with crops, an array of three axes of which one has the length 1 is that of a video of one snippet.
    """
    notes = []
    for name, own in several.items():
        own = {video: error for video, error in own.items() if video in found}
        for video, streams in found.items():
            stream = streams.get(name)
            if stream is not None and len(stream.whole) == 3:
                own[video] = SeveralCrops("", stream.whole, stream.with_crops)
        if own:
            taken, note = one_of_crops(own, crops, axis)
            notes.append(f"{name}: {note}")
            for video, stream in taken.items():
                found[video][name] = stream
    return notes


def _differ(streams: Mapping[str, FeatureFile | FeatureArray]) -> bool:
    """Whether streams differ by more snippets than are cut."""
    lengths = [stream.shape[0] for stream in streams.values()]
    return max(lengths) - min(lengths) > CUT


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
    timebase: Callable[[OpenedVideo], Timebase | Mapping[str, Timebase]],
    *,
    unlabelled: Policy,
    notes: Sequence[str],
) -> Dataset:
    """The data set, with its labels checked and everything unusual noted.

    Training videos without a label are a ValueError, or with `unlabelled="skip"` left out and counted. Labels that
    no training video has are kept as ground truth without being classes, and segments outside their video are kept as
    annotated; both are counted. `timebase` gives the timebase of a video, or that of each of its streams.
    """
    check_policy("unlabelled", unlabelled)
    notes = list(notes)
    bare = [v.id for v in opened if v.subset == "train" and not v.entry.labels and not v.entry.background]
    if bare:
        text = f"{len(bare)} training videos have no label: {shortened(bare)}"
        if unlabelled == "error":
            raise ValueError(f"{root}: {text} (the option unlabelled=skip leaves them out)")
        notes.append(f"left out: {text}")
    kept = [v for v in opened if v.entry.labels or v.entry.background or v.subset == "test"]
    videos = [_video(root, v, timebase(v)) for v in kept]
    notes += _rates_noted(videos)
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
    negatives = [video.id for video in training if not video.labels]
    if negatives:
        notes.append(f"{len(negatives)} training videos show no action, and train as negatives: {shortened(negatives)}")
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
    unplaced = [v.id for v in videos if v.subset == "test" and v.labels and not v.segments]
    if unplaced:
        notes.append(
            f"when actions happen is not known of {len(unplaced)} test videos, which mAP of localization needs: "
            f"{shortened(unplaced)}"
        )
    quiet = [video.id for video in videos if video.subset == "test" and not video.labels]
    if quiet:
        notes.append(f"{len(quiet)} test videos have no annotated action: {shortened(quiet)}")
    return Dataset(root, layout, tuple(sorted(classes)), tuple(videos), tuple(notes))


def _video(root: Path, opened: OpenedVideo, timebase: Timebase | Mapping[str, Timebase]) -> Video:
    """The video; where each stream has a timebase, that of the shortest snippets is the video's.

    Streams that share it are cut to the shortest of them where they differ by at most 2 snippets.
    """
    streams, own = dict(opened.streams), {}
    if isinstance(timebase, Mapping):
        times = timebase
        finest = min(stream_order(streams), key=lambda name: times[name].snippet_seconds)
        shared = [name for name in streams if times[name] == times[finest]]
        shortest = min(streams[name].shape[0] for name in shared)
        if any(streams[name].shape[0] > shortest + CUT for name in shared):
            lengths = {name: streams[name].shape[0] for name in shared}
            raise ValueError(
                f"{root}: video {opened.id!r}: streams of the same rate have {lengths} snippets, expected equal (or "
                f"{CUT} apart)"
            )
        streams |= {name: streams[name].cut(shortest) for name in shared}
        own = {name: times[name] for name in streams if name not in shared}
        timebase = times[finest]
    entry = opened.entry
    try:
        return Video(
            opened.id,
            opened.subset,
            streams,
            entry.labels,
            entry.segments,
            timebase,
            entry.duration,
            own,
            entry.frame_rate,
        )
    except ValueError as error:
        raise ValueError(f"{root}: {error}") from error


def _rates_noted(videos: Sequence[Video]) -> list[str]:
    """A note where streams have rates of their own: which, and what time axis they are fused on."""
    rates: dict[str, set[float]] = {}
    for video in videos:
        for name in stream_order(video.streams) if video.own_timebases else ():
            rates.setdefault(name, set()).add(video.timebase_of(name).snippet_seconds)
    if not rates:
        return []
    listed = [
        f"{name} {min(own):.4g} s" + (f" to {max(own):.4g} s" if max(own) > min(own) * (1 + 1e-6) else "")
        for name, own in rates.items()
    ]
    return [
        f"streams have rates of their own: a snippet every {', '.join(listed)}; they are fused on the time axis of the "
        "shortest snippets"
    ]


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
