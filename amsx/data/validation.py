"""A validation split of the training videos, as a data set that holds no test video."""

import re
from collections import Counter
from dataclasses import replace

import numpy as np

from amsx.data.videos import Dataset


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
    groups: dict[str, list[int]] = {}
    for i, video in enumerate(training):
        groups.setdefault(_group_of(video.id, group), []).append(i)
    left = Counter(label for video in training for label in video.labels)
    held: set[int] = set()
    names = sorted(groups)
    for k in np.random.default_rng(seed).permutation(len(names)):
        members = groups[names[k]]
        labels = Counter(label for i in members for label in training[i].labels)
        small_enough = len(held) + len(members) / 2 <= share * len(training)
        if small_enough and all(left[label] > count for label, count in labels.items()):
            left -= labels
            held.update(members)
    if not held:
        raise ValueError(
            f"no group of training videos can be held out: {len(groups)} groups of {len(training)} videos, of which "
            f"{share:.0%} were asked for, and every class must keep a training video"
        )
    videos = tuple(replace(video, subset="test") if i in held else video for i, video in enumerate(training))
    note = f"validation: {len(held)} of {len(training)} training videos held out (seed {seed}, group {group!r})"
    lacking = sorted(set(dataset.classes) - {label for i in held for label in training[i].labels})
    if lacking:
        some = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        note += f"; {len(lacking)} classes have no video among them, so the scores do not show them: {some}"
    return Dataset(dataset.root, dataset.layout, dataset.classes, videos, (*dataset.notes, note))


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
    return replace(dataset, videos=videos, notes=(*dataset.notes, note))


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
