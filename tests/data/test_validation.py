"""Validation splits: whole groups of training videos are held out, and every class keeps a training video."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from amsx.data.features import FeatureArray
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.validation import carve, folds, perturbed
from amsx.data.videos import Dataset, Timebase, Video


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return make_dataset(SyntheticConfig(classes=3, train_videos=16, test_videos=2, length=(30, 50)))


def test_a_carved_set_holds_out_whole_groups_of_training_videos(dataset):
    named = replace(dataset, videos=tuple(
        replace(video, id=f"p{i % 5}_{video.id}") for i, video in enumerate(dataset.videos)
    ))  # fmt: skip
    carved = carve(named, share=0.4, group=r"(p\d)_", seed=1)
    assert {video.id for video in carved.videos} == {video.id for video in named.subset("train")}
    assert carved.classes == named.classes
    sides = [{video.id[:2] for video in carved.subset(side)} for side in ("train", "test")]
    assert sides[0].isdisjoint(sides[1])
    assert 0.2 <= len(carved.subset("test")) / len(carved.videos) <= 0.6
    assert {label for video in carved.subset("train") for label in video.labels} == set(named.classes)
    assert carve(named, share=0.4, group=r"(p\d)_", seed=1) == carved
    assert carve(named, share=0.4, group=r"(p\d)_", seed=2).subset("test") != carved.subset("test")


@pytest.mark.parametrize("seed", range(5))
def test_every_class_keeps_a_training_video(dataset, seed):
    carved = carve(dataset, share=0.9, seed=seed)
    counts = [sum(label in video.labels for video in carved.subset("train")) for label in carved.classes]
    assert np.min(counts) >= 1
    lacking = set(carved.classes) - {label for video in carved.subset("test") for label in video.labels}
    assert (f"{len(lacking)} classes have no video among them" in carved.notes[-1]) == bool(lacking)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 1.0}, r"share must be in \(0, 1\), got 1.0"),
        ({"group": "nobody"}, "group 'nobody' matches nothing in the video id"),
        ({"group": "("}, "is not a regular expression"),
        ({"group": "synthetic"}, "no group of training videos can be held out: 1 groups"),
    ],
)
def test_what_cannot_be_carved(dataset, options, message):
    with pytest.raises(ValueError, match=message):
        carve(dataset, **options)


def labelled(**videos: str) -> Dataset:
    """Training videos of these ids, each with the classes whose letters are given, and a test video."""
    streams = {"rgb": FeatureArray(np.zeros((4, 2), np.float32))}
    made = [Video(name, "train", streams, tuple(sorted(labels)), (), Timebase(1.0)) for name, labels in videos.items()]
    test = Video("test", "test", streams, ("a",), (), Timebase(1.0))
    return Dataset(None, "memory", tuple(sorted(set("".join(videos.values())))), (*made, test))


def test_every_group_is_held_out_once_and_the_classes_are_spread():
    videos = {f"p{i}_{j}": "a" if i < 6 else "ab" for i in range(9) for j in range(2)} | {"p9_0": ""}
    made = folds(labelled(**videos), count=3, group=r"(p\d+)_")
    held = [fold.subset("test") for fold in made]
    names = [{video.id.split("_")[0] for video in part} for part in held]
    assert Counter(name for part in names for name in part) == Counter(f"p{i}" for i in range(10))
    assert [sum("b" in video.labels for video in part) for part in held] == [2, 2, 2]
    assert sorted(len(part) for part in held) == [6, 6, 7]
    for fold in made:
        assert "test" not in {video.id for video in fold.videos}
        assert len(fold.videos) == len(videos)


def test_folds_depend_on_the_seed_alone(dataset):
    first, again, other = (folds(dataset, count=4, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert [fold.subset("test") for fold in first] != [fold.subset("test") for fold in other]
    assert "fold 2 of 4: " in first[1].notes[-1]


def test_the_only_group_of_a_class_stays_in_training():
    made = folds(labelled(x0="a", x1="a", y0="a", y1="a", z0="ab"), count=2, group=r"(\w)\d")
    assert all("b" in {label for video in fold.subset("train") for label in video.labels} for fold in made)
    assert not any(video.id == "z0" for fold in made for video in fold.subset("test"))
    assert "1 classes have no video among them" in made[0].notes[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 1}, "at least 2 folds, got 1"),
        ({"count": 4}, "fold 4 of 4 would hold out nothing: there are 3 groups of 3 training videos"),
        ({"count": 2, "group": "nobody"}, "group 'nobody' matches nothing in the video id"),
    ],
)
def test_folds_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        folds(labelled(x="a", y="a", z="a"), **options)


def test_held_out_features_are_mixed_with_those_of_a_training_video():
    def video(name, subset, value, rows):
        return Video(name, subset, {"rgb": FeatureArray(np.full((rows, 2), value))}, ("a",), (), Timebase(1.0))

    made = Dataset(None, "memory", ("a",), (video("x", "train", 8.0, 3), video("y", "test", 4.0, 7)))
    mixed = perturbed(made, 0.25)
    assert mixed.videos[0] is made.videos[0]
    features = mixed.videos[1].streams["rgb"].load()
    assert features.shape == (7, 2)
    assert np.all(features == 5.0)
    assert "0.75 of their own and 0.25 of another video's" in mixed.notes[-1]
    assert perturbed(made, 0) is made
    with pytest.raises(ValueError, match=r"must be in \[0, 1\), got 1"):
        perturbed(made, 1)
