"""The validation split: whole groups of training videos are held out, and every class keeps a training video."""

from dataclasses import replace

import numpy as np
import pytest

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.validation import carve
from amsx.data.videos import Dataset


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
