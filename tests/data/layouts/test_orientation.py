"""Arrays that lie (channels, snippets): asked about where the videos show it, and turned by an option."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset

SLIDING = ("cmcs", "action_former", "opentad", "activity_net")
LAYOUTS = ("bas_net", "acm_net", "wtalc", "a2cl_pt", "dgam", *SLIDING)


class Turned(made_up.Made):
    """A video whose joint features are turned, too."""

    @property
    def joint(self):
        return np.concatenate([self.rgb, self.flow], axis=0)


def turned(video):
    values = {name: getattr(video, name) for name in Turned.__dataclass_fields__}
    return Turned(**{**values, "rgb": video.rgb.T, "flow": video.flow.T})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_channels_before_snippets_are_asked_about_in_every_layout(tmp_path, layout):
    videos = made_up.make(layout in SLIDING, width=3, train=3, test=2)
    getattr(made_up, layout)(tmp_path, list(map(turned, videos)))
    width = 3 if layout in ("bas_net", "dgam", "cmcs") else 6
    with pytest.raises(
        ValueError, match=rf"seem to be \(channels, snippets\): \({width}, \d+\) of '.*give transpose=true"
    ):
        read_dataset(tmp_path)
    options: dict[str, Any] = {} if width == 3 else {"split": True}
    data = read_dataset(tmp_path, transpose=True, **options)
    assert "features are (channels, snippets), as transpose=true says" in data.notes
    by_id = {video.id: video for video in data.videos}
    for made in videos:
        for stream in ("rgb", "flow"):
            np.testing.assert_array_equal(by_id[made.id].streams[stream].load(), getattr(made, stream).astype("f4"))
    with pytest.raises(ValueError, match="expected the same streams and widths in every video"):
        window = {"offset": 8} if layout == "opentad" else {"num_frames": 16}
        options = {"stride": 4, **window} if layout in SLIDING else {}
        read_dataset(tmp_path, transpose=False, **options)


def save(root, shapes, **entry):
    """Features of the given shapes, of videos with the same annotation."""
    videos = [made_up.video(f"v{i}", dims={"rgb": 1}) for i in range(len(shapes))]
    made = [made_up.Made(v.id, "train", v.segments, 0, 0, np.ones(1), np.ones(1)) for v in videos]
    keys = {key: lambda _, value=value: value for key, value in entry.items()}
    made_up.write_json(root / "anno.json", made_up.database(made, ("training", "validation"), **keys))
    for video, shape in zip(videos, shapes, strict=True):
        made_up.save(root / "features" / f"{video.id}.npy", np.ones(shape, "f4"))


@pytest.mark.parametrize(
    ("shapes", "entry"),
    [
        ([(6, 100), (6, 102)], {"duration": 100.0}),  # the first axis is as long in all videos
        ([(2047, 100)], {"duration": 10.0, "fps": 10.0}),  # more rows than frames
        ([(2047, 100)] * 3, {"duration": 10.0}),  # more rows than any rate gives
        ([(64, 1000)] * 3, {"duration": 40.0, "fps": 25.0}),  # a column for each frame
        ([(2047, 1, 100)] * 2, {"duration": 10.0, "fps": 10.0}),
    ],
)
def test_frames_and_durations_show_it_where_shapes_do_not(tmp_path, shapes, entry):
    save(tmp_path, shapes, **entry)
    with pytest.raises(ValueError, match="give transpose=true where they are, or transpose=false where they are not"):
        read_dataset(tmp_path)
    assert [v.length for v in read_dataset(tmp_path, transpose=True).videos] == [shape[-1] for shape in shapes]


@pytest.mark.parametrize(
    ("shapes", "entry"),
    [
        ([(100, 6), (102, 6)], {"duration": 4.0}),
        ([(100, 2047)], {"duration": 4.0, "fps": 25.0}),
        ([(100, 100)] * 3, {"duration": 4.0, "fps": 25.0}),
        ([(100, 64)] * 3, {"duration": 40.0, "fps": 10.0}),
        ([(100, 64)] * 3, {"duration": 40.0}),
    ],
)
def test_snippets_before_channels_are_read_without_a_question(tmp_path, shapes, entry):
    save(tmp_path, shapes, **entry)
    assert [v.length for v in read_dataset(tmp_path).videos] == [shape[0] for shape in shapes]


def test_one_array_that_lies_otherwise_is_named_and_can_be_skipped(tmp_path):
    save(tmp_path, [(100, 6), (120, 6), (6, 110), (130, 6)], duration=100.0, fps=1.0)
    with pytest.raises(ValueError, match=r"'v2': shape \(6, 110\) where others have 6 channels; is it \(channels, sn"):
        read_dataset(tmp_path)
    assert [v.id for v in read_dataset(tmp_path, broken="skip", stride=1, num_frames=1).videos] == ["v0", "v1", "v3"]


def test_an_option_that_is_no_truth_value_is_refused(tmp_path):
    save(tmp_path, [(100, 6), (120, 6)], duration=100.0, fps=1.0)
    with pytest.raises(ValueError, match="transpose must be true or false, got 'yes'"):
        read_dataset(tmp_path, transpose="yes")


@pytest.mark.parametrize("kind", ["numbers", "objects"])
def test_bundles_of_videos_of_one_length_are_one_array(tmp_path, kind):
    videos = [replace(v, rgb=v.rgb[:40], flow=v.flow[:40]) for v in made_up.make(width=2, train=3, test=2)]
    made_up.wtalc(tmp_path, videos)
    joint = np.stack([v.joint for v in videos])
    joint = joint.astype(object) if kind == "objects" else joint
    np.save(tmp_path / "Thumos14reduced-I3D-JOINTFeatures.npy", joint, allow_pickle=True)
    data = read_dataset(tmp_path, split=True, snippet_seconds=0.64)
    for made, video in zip(videos, data.videos, strict=True):
        np.testing.assert_array_equal(video.streams["flow"].load(), made.flow.astype("f4"))


def test_one_row_for_a_long_video_is_worth_a_word(tmp_path):
    save(tmp_path, [(1, 6), (1, 6), (120, 6)], duration=100.0)
    note = "2 videos of more than 5 s have one row of features, which cannot tell when an action happens"
    assert any(text.startswith(note) for text in read_dataset(tmp_path).notes)
    save(tmp_path / "short", [(1, 6), (1, 6)], duration=1.5)
    assert not any("one row" in text for text in read_dataset(tmp_path / "short").notes)
