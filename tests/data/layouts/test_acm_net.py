"""The ACM-Net layout: the split files decide which of gt.json's videos there are."""

import json

import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset


@pytest.fixture
def root(tmp_path):
    made_up.acm_net(tmp_path, made_up.make(width=2, train=3, test=2))
    return tmp_path


def test_videos_that_no_split_file_lists_are_left_out_and_said(root):
    path = root / "gt.json"
    content = json.loads(path.read_text())
    content["database"]["video_test_0000270"] = {"subset": "test", "annotations": []}
    path.write_text(json.dumps(content))
    data = read_dataset(root, split=True)
    assert (len(data.subset("train")), len(data.subset("test"))) == (3, 2)
    assert any("left out: 1 videos of gt.json that no split file lists: video_test_0000270" in n for n in data.notes)


def test_missing_features_are_an_error_or_a_counted_skip(root):
    next(iter((root / "test").glob("*.npy"))).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 5 listed videos lack features: .*\.npy"):
        read_dataset(root)
    assert len(read_dataset(root, missing="skip").videos) == 4


def test_the_rate_can_be_said_and_halves_are_taken_when_asked(root):
    data = read_dataset(root, snippet_seconds=0.5)
    assert data.dims == {"features": 4} and data.videos[0].timebase.snippet_seconds == 0.5
    assert read_dataset(root, split=True).dims == {"rgb": 2, "flow": 2}
