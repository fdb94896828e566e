"""Streams with rates of their own: derived from frames and rows, or said by stream; refused where they end apart."""

import json

import numpy as np
import pytest

from amsx.data.convert import convert
from amsx.data.layouts import read_dataset
from amsx.data.videos import Timebase

FRAMES = (905, 1003, 1200, 1411, 1297, 998, 1111, 1204)  # at 25 a second
ROWS = {  # stream -> rows of a video of so many frames
    "rgb": lambda frames: (frames - 16) // 16 + 1,
    "flow": lambda frames: (frames - 16) // 4 + 1,
    "clip": lambda frames: -(-frames // 25),  # a frame a second
}
TIMES = {"rgb": Timebase(0.64), "flow": Timebase(0.16, 0.24), "clip": Timebase(1.0)}


def make(root, streams=tuple(ROWS), place="features/{stream}/{id}.npy", file="annotation.json", about=True):
    rng = np.random.default_rng(0)
    database = {}
    for i, frames in enumerate(FRAMES):
        for width, stream in enumerate(streams, start=3):
            path = root / place.format(stream=stream, id=f"v{i}", subset="train" if i < 5 else "test")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, rng.random((ROWS[stream](frames), width), dtype=np.float32))
        entry = {"subset": "train" if i < 5 else "test", "annotations": [{"label": "ab"[i % 2], "segment": [2, 9]}]}
        database[f"v{i}"] = entry | ({"duration": frames / 25, "fps": 25, "frames": frames} if about else {})
    (root / file).write_text(json.dumps({"database": database}))


def times_of(video):
    return {name: (t.snippet_seconds, t.offset) for name in video.streams for t in [video.timebase_of(name)]}


def expected(*streams):
    return {name: pytest.approx((TIMES[name].snippet_seconds, TIMES[name].offset)) for name in streams}


def test_each_rate_is_derived_from_frames_and_rows(tmp_path):
    make(tmp_path)
    data = read_dataset(tmp_path)
    assert data.dims == {"rgb": 3, "flow": 4, "clip": 5}
    for video, frames in zip(data.videos, FRAMES, strict=True):
        assert times_of(video) == expected("rgb", "flow", "clip")
        assert {name: video.length_of(name) for name in video.streams} == {n: ROWS[n](frames) for n in ROWS}
        assert video.timebase == video.timebase_of("flow") and video.length == video.length_of("flow")
    assert "taken as streams, being folders beside those of rgb or flow: clip" in data.notes
    assert any("a snippet every rgb 0.64 s, flow 0.16 s, clip 1 s" in note for note in data.notes)


def test_rates_can_be_said_for_some_streams_and_derived_for_others(tmp_path):
    make(tmp_path)
    stated = read_dataset(tmp_path, stride={"clip": 25, "flow": 4}, num_frames={"clip": 50})
    times = times_of(stated.videos[0])
    assert times["clip"] == pytest.approx((1.0, 0.5)) and times["flow"] == expected("flow")["flow"]
    with pytest.raises(ValueError, match="expected numbers for some of the streams rgb, flow, clip"):
        read_dataset(tmp_path, stride={"audio": 25})
    with pytest.raises(TypeError, match="stride of rgb must be a number"):
        read_dataset(tmp_path, stride={"rgb": "16"})


def test_one_rate_for_streams_that_differ_contradicts_their_durations(tmp_path):
    make(tmp_path, ("rgb", "flow"))
    with pytest.raises(ValueError, match=r"'rgb' ends at .* s, the others at .* s; expected ends within"):
        read_dataset(tmp_path, stride={"rgb": 8, "flow": 4}, num_frames=16)


def test_where_nothing_shows_the_rates_they_must_be_said(tmp_path):
    place = "features/{subset}/{stream}/{id}.npy"
    make(tmp_path, place=place, file="gt.json", about=False)
    with pytest.raises(ValueError, match="where streams have rates of their own, give the seconds or frames of a"):
        read_dataset(tmp_path)
    with pytest.raises(ValueError, match="lacks the stream 'clip'"):
        read_dataset(tmp_path, snippet_seconds={"rgb": 0.64, "flow": 0.16})
    data = read_dataset(tmp_path, snippet_seconds={"rgb": 0.64, "flow": 0.16, "clip": 1})
    assert {name: seconds for name, (seconds, _) in times_of(data.videos[0]).items()} == {
        "rgb": 0.64,
        "flow": 0.16,
        "clip": 1,
    }


def test_a_video_or_two_with_streams_of_odd_lengths_are_broken_not_of_another_rate(tmp_path):
    make(tmp_path, ("rgb",))
    make(tmp_path, ("rgb", "flow"), place="features/{stream}/{id}.npy")
    for path in (tmp_path / "features" / "flow").iterdir():
        rows = len(np.load(tmp_path / "features" / "rgb" / path.name))
        np.save(path, np.ones((rows if path.stem != "v3" else rows - 9, 2), np.float32))
    with pytest.raises(ValueError, match="1 of 8 videos have broken features: video 'v3': streams of"):
        read_dataset(tmp_path)


def test_only_layouts_that_hold_rates_are_written(tmp_path):
    make(tmp_path / "from")
    data = read_dataset(tmp_path / "from")
    made = convert(data, tmp_path / "to", "bas_net")
    assert made.options == {}  # gt.json says the length of a snippet in each stream
    assert set(made.lost) == {"the times of snippets of 8 videos, by up to 0.24 s", "the frame rate of 8 videos"}
    again = read_dataset(tmp_path / "to", **made.options)
    assert {v.id: v.length for v in again.videos} == {v.id: v.length for v in data.videos}
    with pytest.raises(ValueError, match="the layout action_former holds streams of one rate alone, and in video"):
        convert(data, tmp_path / "other", "action_former")
