"""Folders of video_features: streams by the ends of names, and their times by the files of timestamps."""

import json

import numpy as np
import pytest

from amsx.data.layouts import read_dataset

FRAMES = (905, 1003, 1200, 1411)  # at 25 a second


def make(root):
    """I3D in stacks of 16 frames and CLIP for every fifth frame."""
    rng = np.random.default_rng(0)
    database = {}

    def save(extractor, name, key, array):
        path = root / extractor / f"{name}_{key}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)

    for i, frames in enumerate(FRAMES):
        name, stacks = f"v{i}", (frames - 17) // 16 + 1
        for key, width in (("rgb", 4), ("flow", 4)):
            save("i3d", name, key, rng.random((stacks, width)))
        save("i3d", name, "timestamps_ms", (16 + 16 * np.arange(stacks)) * 40.0)
        save("clip", name, "clip", rng.random((-(-frames // 5), 3)))
        save("clip", name, "timestamps_ms", np.arange(-(-frames // 5)) * 200.0)
        for extractor in ("i3d", "clip"):
            save(extractor, name, "fps", np.array(25.0))
        entry = {"subset": "train", "duration": frames / 25, "annotations": [{"label": "ab"[i % 2], "segment": [2, 9]}]}
        database[name] = entry
    (root / "annotation.json").write_text(json.dumps({"database": database}))


def test_streams_of_several_extractors_have_the_times_that_are_written_beside_them(tmp_path):
    make(tmp_path)
    data = read_dataset(tmp_path)
    assert data.dims == {"rgb": 4, "flow": 4, "clip": 3}
    for video in data.videos:
        times = {name: (t.snippet_seconds, t.offset) for name in video.streams for t in [video.timebase_of(name)]}
        assert times["clip"] == pytest.approx((0.2, 0))
        assert times["rgb"] == times["flow"] == pytest.approx((0.64, 0))
    assert "clip: times of snippets from the files _timestamps_ms.npy beside the features" in data.notes


def test_stacks_that_overlap_are_centred_where_they_are(tmp_path):
    make(tmp_path)
    for path in (tmp_path / "i3d").glob("*_timestamps_ms.npy"):
        rows = len(np.load(path))
        np.save(path, (64 + 16 * np.arange(rows)) * 40.0)  # stacks of 64 frames every 16
        for key in ("rgb", "flow"):
            features = path.with_name(path.name.replace("timestamps_ms", key))
            np.save(features, np.load(features)[: rows - 3])
        np.save(path, np.load(path)[: rows - 3])
    timebase = read_dataset(tmp_path).videos[0].timebase_of("rgb")
    assert timebase.to_seconds(0.5) == pytest.approx(32 / 25)


def test_options_count_more_than_timestamps(tmp_path):
    make(tmp_path)
    data = read_dataset(tmp_path, stride={"clip": 5}, num_frames={"clip": 10})
    assert data.videos[0].timebase_of("clip").offset == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        (lambda t: t[:-1], "timestamps for .* rows of features, expected one a row"),
        (lambda t: t[::-1], "expected timestamps in milliseconds that grow"),
        (lambda t: np.where(np.arange(len(t)) > 20, t + 9000, t), "not evenly spread"),
        (None, "while other videos have one"),
    ],
)
def test_timestamps_that_do_not_fit_are_refused_by_file(tmp_path, stamps, message):
    make(tmp_path)
    path = tmp_path / "clip" / "v1_timestamps_ms.npy"
    if stamps is None:
        path.unlink()
    else:
        np.save(path, stamps(np.load(path)))
    with pytest.raises(ValueError, match=rf"v1_timestamps_ms\.npy.*{message}"):
        read_dataset(tmp_path)
