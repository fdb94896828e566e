"""Validation splits of the training videos, as data sets that hold no test video."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from amsx.data.features import FeatureArray
from amsx.data.videos import Dataset, HeldOut, Video


def carve(dataset: Dataset, *, share: float = 0.3, group: str | None = None, seed: int = 0) -> Dataset:
    """The training videos as a data set, about `share` of them held out as its "test" videos.

    All videos of a group stay on the same side. `group` is a regular expression that is searched in a video's id. What
    its first capture group matches (the whole match where it has none) names the video's group: the person with
    `(S\\d+)_`, the video that windows were cut from with `(.*)_w\\d+`. With None, every video is a group of its own.

    Groups are held out in a random order that depends on `seed`. A group is passed over where holding it out would
    leave a class without a training video. ValueError where `group` does not match, or where nothing can be held out.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be in (0, 1), got {share}")
    training = dataset.subset("train")
    groups = _groups(training, group)
    names = sorted(groups)
    order = [groups[names[k]] for k in np.random.default_rng(seed).permutation(len(names))]
    held = _held(training, order, share * len(training))
    if not held:
        raise ValueError(
            f"no group of training videos can be held out: {len(groups)} groups of {len(training)} videos, of which "
            f"{share:.0%} were asked for, and every class must keep a training video"
        )
    return _split(dataset, held, f"validation: {{}} held out (seed {seed}, group {group!r})")


def folds(dataset: Dataset, *, count: int, group: str | None = None, seed: int = 0) -> list[Dataset]:
    """The training videos `count` times as a data set, in each of which another part is held out as "test" videos.

    Every group of videos (see `carve`) is held out in one fold, and the folds are stratified by class as far as the
    groups allow: the groups of the rarest class are dealt out first, each to the fold that lacks that class most
    (Sechidis et al., On the Stratification of Multi-Label Data, 2011, for groups). A group stays in training in every
    fold where holding it out would leave a class without a training video. The folds depend on the ids, the labels and
    `seed` alone. ValueError where `group` does not match, and where a fold would hold out nothing.
    """
    if count < 2:
        raise ValueError(f"there must be at least 2 folds, got {count}")
    training = dataset.subset("train")
    groups = _groups(training, group)
    dealt = _dealt([groups[name] for name in sorted(groups)], training, count, np.random.default_rng(seed))
    made = []
    for number, members in enumerate(dealt, start=1):
        held = _held(training, members, len(training))
        if not held:
            raise ValueError(
                f"fold {number} of {count} would hold out nothing: there are {len(groups)} groups of {len(training)} "
                f"training videos (group {group!r}), and every class must keep a training video"
            )
        made.append(_split(dataset, held, f"fold {number} of {count}: {{}} held out (seed {seed}, group {group!r})"))
    return made


def perturbed(dataset: Dataset, mix: float, *, seed: int = 0) -> Dataset:
    """The data set with the features x of its test videos replaced by (1 - mix) x + mix y.

    y are the features of a training video that is drawn for each test video, from a random snippet on, over and over as
    often as x is longer. For held-out training videos whose features were learned from the labels of these very videos:
    such features look better than those of new videos ever do, and settings that are chosen on them fit nothing else.
    `mix` = 0 leaves the data set as it is. All features of the test videos are then in memory.
    """
    if not 0 <= mix < 1:
        raise ValueError(f"the share of another video's features must be in [0, 1), got {mix}")
    if not mix:
        return dataset
    rng = np.random.default_rng(seed)
    training = dataset.subset("train")
    if not training:
        raise ValueError(f"{dataset.origin}: no training videos whose features could be mixed in")

    def mixed(video: Video) -> Video:
        other, begin = training[rng.integers(len(training))], rng.random()
        streams = {}
        for name, stream in video.streams.items():
            own = np.asarray(stream.load(), np.float32)
            theirs = np.asarray(other.streams[name].load(), np.float32)
            rows = (int(begin * len(theirs)) + np.arange(len(own))) % len(theirs)
            streams[name] = FeatureArray((1 - mix) * own + mix * theirs[rows])
        return replace(video, streams=streams)

    videos = tuple(mixed(video) if video.subset == "test" else video for video in dataset.videos)
    note = f"perturbed: features of held-out videos are {1 - mix:g} of their own and {mix:g} of another video's"
    return replace(dataset, videos=videos, notes=(*dataset.notes, note))


def hold_out(dataset: Dataset, share: float, *, seed: int = 0) -> Dataset:
    """The data set with about `share` of its training videos held out as its test videos, stratified by class.

    For a data set without test videos. The classes with the fewest videos come first: of each, as many videos are held
    out as `share` says, of those that already are, too, and at least one stays in training. Videos of no class are a
    class of their own. The choice depends on the ids, the labels and `seed` alone. ValueError where the data set has
    test videos, or where nothing can be held out.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share to hold out must be between 0 and 1, got {share}")
    tested = len(dataset.subset("test"))
    if tested:
        raise ValueError(
            f"{dataset.origin} has {tested} test videos already; a share of the training videos is held out where "
            "there are none"
        )
    members: dict[str | None, list[str]] = {}
    for video in sorted(dataset.videos, key=lambda video: video.id):
        for label in video.labels or (None,):
            members.setdefault(label, []).append(video.id)
    rng = np.random.default_rng(seed)
    labels = {video.id: video.labels or (None,) for video in dataset.videos}
    goal = {label: round(share * len(names)) for label, names in members.items()}
    held: set[str] = set()
    count: Counter[str | None] = Counter()  # of the held-out videos, by class
    for label in sorted(members, key=lambda label: (len(members[label]), label or "")):
        order = [members[label][i] for i in rng.permutation(len(members[label]))]
        # First those that no other class of theirs has enough of.
        for spare in (True, False):
            for name in order:
                others = [own for own in labels[name] if own != label]
                enough = any(count[own] >= goal[own] for own in others)
                last = any(count[own] + 1 >= len(members[own]) for own in labels[name])
                if count[label] < goal[label] and name not in held and not last and not (spare and enough):
                    held.add(name)
                    count.update(labels[name])
    if not held:
        raise ValueError(f"{dataset.origin}: {share:g} of its {len(labels)} training videos is no video of any class")
    videos = tuple(replace(video, subset="test") if video.id in held else video for video in dataset.videos)
    note = f"held out: {len(held)} of {len(videos)} training videos, stratified by class"
    return replace(dataset, videos=videos, notes=(*dataset.notes, note), held_out=HeldOut(share, seed))


def _groups(training: Sequence[Video], group: str | None) -> dict[str, list[int]]:
    """Group -> the indices of its videos in `training`."""
    groups: dict[str, list[int]] = {}
    for i, video in enumerate(training):
        groups.setdefault(_group_of(video.id, group), []).append(i)
    return groups


def _labels(training: Sequence[Video], members: Iterable[int]) -> Counter[str]:
    return Counter(label for i in members for label in training[i].labels)


def _held(training: Sequence[Video], groups: Iterable[Sequence[int]], most: float) -> set[int]:
    """The videos of those groups, in order, that can be held out: about `most` of them, and never a whole class."""
    left = _labels(training, range(len(training)))
    held: set[int] = set()
    for members in groups:
        labels = _labels(training, members)
        if len(held) + len(members) / 2 <= most and all(left[label] > count for label, count in labels.items()):
            left -= labels
            held.update(members)
    return held


def _dealt(
    groups: Sequence[list[int]], training: Sequence[Video], count: int, rng: np.random.Generator
) -> list[list[list[int]]]:
    """The groups of every fold. Groups whose order nothing else decides are dealt out in a random order."""
    rest = [groups[k] for k in rng.permutation(len(groups))]
    wanted = _labels(training, range(len(training)))
    lack = [Counter({label: n / count for label, n in wanted.items()}) for _ in range(count)]
    room = [len(training) / count] * count
    dealt: list[list[list[int]]] = [[] for _ in range(count)]

    def deal(members: list[int], need: Mapping[int, float]) -> None:
        fold = max(range(count), key=lambda k: (round(need[k], 9), round(room[k], 9), -k))
        dealt[fold].append(members)
        room[fold] -= len(members)
        lack[fold].subtract(_labels(training, members))

    while rest:
        showing: dict[str, list[list[int]]] = {}
        for members in rest:
            for label in _labels(training, members):
                showing.setdefault(label, []).append(members)
        if not showing:  # what is left shows no action
            for members in sorted(rest, key=len, reverse=True):
                deal(members, dict(enumerate(room)))
            break
        rarest = min(showing, key=lambda label: (len(showing[label]), label))
        for members in sorted(showing[rarest], key=lambda m: -_labels(training, m)[rarest]):
            deal(members, {k: lack[k][rarest] for k in range(count)})
            rest.remove(members)
    return dealt


def _split(dataset: Dataset, held: set[int], note: str) -> Dataset:
    """The training videos, those of the indices `held` as test videos; "{}" in `note` stands for how many these are."""
    training = dataset.subset("train")
    videos = tuple(replace(video, subset="test") if i in held else video for i, video in enumerate(training))
    note = note.replace("{}", f"{len(held)} of {len(training)} training videos", 1)
    lacking = sorted(set(dataset.classes) - _labels(training, held).keys())
    if lacking:
        some = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        note += f"; {len(lacking)} classes have no video among them, so the scores do not show them: {some}"
    return Dataset(dataset.root, dataset.layout, dataset.classes, videos, (*dataset.notes, note))


def _group_of(name: str, group: str | None) -> str:
    if group is None:
        return name
    try:
        match = re.search(group, name)
    except re.error as error:
        raise ValueError(f"group {group!r} is not a regular expression: {error}") from error
    if match is None:
        raise ValueError(f"group {group!r} matches nothing in the video id {name!r}")
    return match.group(1) if match.groups() else match.group(0)
