"""Which videos of a ground truth are scored, and how: a subset under any of its spellings, or a list of videos."""

from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amsx.annotations import PREFIX, VideoAnnotation, same_names
from amsx.evaluation.columns import WARNING, listing
from amsx.files import read_names

# A file of "video start end" lines (W-TALC's Ambiguous_test.txt), or video id -> [[start, end]]; seconds
Spans = str | Path | Mapping[str, Sequence[Sequence[float]]]

# A file (names, one a line, the first being class 0; lines "number name", as THUMOS14's detclasslist.txt; or a
# JSON list of names), or the names in order, or number -> name
ClassList = str | Path | Sequence[str] | Mapping[int, str]

Database = Mapping[str, VideoAnnotation]  # by video id

_SPELLINGS = {"training": "train", "val": "validation", "valid": "validation", "testing": "test"}


@dataclass(frozen=True)
class Selection:
    """Which videos are scored, and how their ground truth and the predictions' labels are read.

    Raises ValueError where both a subset and a list of videos are given, TypeError where `exclude` is one string.
    """

    # "train", "validation" or "test" in any usual spelling (Validation, testing, val), or a name of the file's own.
    # None takes the only annotated subset; of several "test", else "validation", and a note says so.
    subset: str | None = None
    # A split file (one id in a line) or ids, in place of a subset
    videos: str | Path | Collection[str] | None = None
    # Ids of videos to leave out
    exclude: Collection[str] = ()
    # Ambiguous spans beside those that the ground truth itself labels "Ambiguous"
    ambiguous: Spans | None = None
    # What integer labels of the predictions stand for, where the ground truth does not say
    labels: ClassList | None = None

    def __post_init__(self) -> None:
        if isinstance(self.exclude, str):
            raise TypeError(f"exclude is the string {self.exclude!r}; expected a collection of video ids")
        if self.videos is not None and self.subset is not None:
            raise ValueError(f"both subset {self.subset!r} and a list of videos are given; expected one of them")


DEFAULT_SELECTION = Selection()


def chosen_videos(selection: Selection, database: Database, name: str) -> tuple[list[str], str | None, list[str]]:
    """The ids of the videos to score, sorted; their subset (None where they are listed or have none); and notes.

    name: what to call the ground truth in messages. An id that is listed without an entry in the ground truth is a
    video without an instance. Raises FileNotFoundError for a missing split file, and ValueError where no video is
    left to choose, or where the subset cannot be told.
    """
    if selection.videos is not None:
        subset = None
        chosen, notes = _listed_videos(selection.videos, database, name)
    else:
        wanted, notes = _choose_subset(database, selection.subset, name)
        chosen = [video for video, entry in database.items() if _subset_of(entry) == wanted]
        subset = wanted or None
    kept = sorted(set(chosen) - set(spelt_as(list(selection.exclude), database, "the ids to exclude")[0].values()))
    if len(kept) < len(chosen):
        notes.append(f"{len(chosen) - len(kept)} videos excluded")
    return kept, subset, notes


def subset_sizes(database: Database) -> str:
    """The subsets of a file and how many videos each has, for messages."""
    counts = Counter(_subset_of(entry) or "(none)" for entry in database.values())
    return ", ".join(f"{subset} ({count} videos)" for subset, count in sorted(counts.items())) or "no video"


def _choose_subset(database: Database, wanted: str | None, name: str) -> tuple[str, list[str]]:
    """The subset to score, and notes on the choice.

    ActivityNet publishes no annotation of its test videos: of several annotated subsets, "test" comes first and
    "validation" next.
    """
    if wanted is not None:
        subset = _normalised(wanted)
        if not any(_subset_of(entry) == subset for entry in database.values()):
            raise ValueError(f"{name}: no video of subset {wanted!r}; the file has {subset_sizes(database)}")
        return subset, []
    annotated = {_subset_of(entry) for entry in database.values() if entry.instances or entry.labels}
    if not annotated:
        raise ValueError(f"{name}: no annotated instance; the file has {subset_sizes(database)}")
    if len(annotated) == 1:
        (subset,) = annotated
    elif "test" in annotated:
        subset = "test"
    elif "validation" in annotated:
        subset = "validation"
    else:
        raise ValueError(f"{name}: no telling which subset to score; name one, the file has {subset_sizes(database)}")
    several = len({_subset_of(entry) for entry in database.values()}) > 1
    return subset, [f"subset {subset!r} chosen; the file has {subset_sizes(database)}"] if several else []


def _listed_videos(videos: str | Path | Collection[str], database: Database, name: str) -> tuple[list[str], list[str]]:
    """The ids of a split file (one in a line) or of a collection, each once, and notes on them."""
    if isinstance(videos, str | Path):
        if not Path(videos).is_file():
            raise FileNotFoundError(f"split file {videos} does not exist")
        listed, origin = read_names(videos), str(videos)
    else:
        listed, origin = [str(video) for video in videos], "the list of videos"
    ids = list(dict.fromkeys(video.strip() for video in listed if video.strip()))
    names, on_names = spelt_as(ids, database, f"the ids of {origin}")
    ids = list(dict.fromkeys(names.values()))
    unknown = [video for video in ids if video not in database]
    if len(unknown) == len(ids):
        raise ValueError(f"{origin} names no video of {name}; it names {listing(ids) or 'none at all'}")
    notes = [f"scored on the {len(ids)} videos that {origin} names", *on_names]
    if unknown:
        notes.append(f"{len(unknown)} of them have no entry in the ground truth, so no instance: {listing(unknown)}")
    return ids, notes


def spelt_as(ids: Sequence[str], known: Container[str], what: str) -> tuple[dict[str, str], list[str]]:
    """What each of `ids` is called among the `known` ids, from which all may differ by ActivityNet's `v_`; and notes.

    Ids that are not among them under either name stay as they are. what: "the ids of FILE", for the notes.
    """
    names, change = same_names(ids, known)
    names = {name: other if other in known else name for name, other in names.items()}
    n_changed = sum(name != other for name, other in names.items())
    if not change:
        other = [name for name in ids if name not in known and _with_or_without_prefix(name) in known]
        if other:
            return names, [
                f"{WARNING}{len(other)} of {what} are unknown to the ground truth, but would be known with or without "
                f"{PREFIX!r} in front, as the others are not: {listing(other)}; expected one spelling in all"
            ]
        return names, []
    done = "added in front of" if change == "added" else "removed from the front of"
    return names, [f"{PREFIX!r} was {done} {n_changed} of {what}, by which alone they differ from the ground truth's"]


def _with_or_without_prefix(name: str) -> str:
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else PREFIX + name


def _subset_of(entry: VideoAnnotation) -> str:
    """The subset of a video in its one spelling: Training -> train, val -> validation; "" for none."""
    return _normalised(entry.subset or "")


def _normalised(subset: str) -> str:
    name = subset.strip().lower()
    return _SPELLINGS.get(name, name)
