"""The OpenTAD layout: its arithmetic of frames, and segments that are no action."""

import json

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset


@pytest.fixture
def root(tmp_path):
    made_up.opentad(tmp_path, made_up.make(sliding=True, width=2, train=3, test=2))
    return tmp_path


def test_seconds_are_those_of_opentad(root):
    data = read_dataset(root, stride=4, offset=8)
    for video in data.videos:
        fps = json.loads((root / "annotations/thumos_14_anno.json").read_text())["database"][video.id]
        rate = fps["frame"] / fps["duration"]
        i = np.arange(video.length)
        np.testing.assert_allclose(video.timebase.to_seconds(i + 0.5), (i * 4 + 8) / rate)
    np.testing.assert_allclose(
        read_dataset(root, stride=4, offset=3).videos[0].timebase.to_seconds(0.5), 3 / rate, 1e-3
    )
    with pytest.raises(ValueError, match="offset must be positive, got 0"):
        read_dataset(root, offset=0)


def test_ambiguous_segments_are_left_out_and_counted(root):
    path = root / "annotations/thumos_14_anno.json"
    content = json.loads(path.read_text())
    name = next(iter(content["database"]))
    before = read_dataset(root)
    content["database"][name]["annotations"] += [{"label": "Ambiguous", "segment": [1, 2]}] * 2
    path.write_text(json.dumps(content))
    data = read_dataset(root)
    assert data.videos[0].segments == before.videos[0].segments and data.classes == before.classes
    assert "left out: 2 segments labelled Ambiguous" in data.notes
