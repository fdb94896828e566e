"""Data in one layout written as another: the same records, or said what is lost; whole, or nothing at all."""

import json

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.convert import convert
from amsx.data.features import FeatureArray
from amsx.data.layouts import layout_names, read_dataset
from amsx.data.videos import Dataset, Segment, Timebase, Video

TARGETS = tuple(name for name in layout_names() if name != "ms_tcn")  # cannot hold two labels at once; see its test


def assert_same(a, b):
    assert {v.id for v in a.videos} == {v.id for v in b.videos} and a.classes == b.classes and a.dims == b.dims
    found = {v.id: v for v in b.videos}
    for video in a.videos:
        other = found[video.id]
        assert (video.subset, video.labels) == (other.subset, other.labels)
        assert sorted(video.segments, key=str) == sorted(other.segments, key=str)
        assert other.timebase.snippet_seconds == pytest.approx(video.timebase.snippet_seconds)
        assert other.timebase.offset == pytest.approx(video.timebase.offset)
        for name, stream in video.streams.items():
            np.testing.assert_array_equal(stream.load(), other.streams[name].load())


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("layout", ["bas_net", "acm_net", "wtalc", "dgam"])
def test_side_by_side_snippets_go_into_every_layout_without_loss(tmp_path, layout, to):
    getattr(made_up, layout)(tmp_path / "from", made_up.make())
    data = read_dataset(tmp_path / "from")
    made = convert(data, tmp_path / "to", to)
    assert made.options == {} and [x for x in made.lost if "absence of a duration" not in x] == []
    again = read_dataset(tmp_path / "to")
    assert again.layout == to
    assert_same(data, again)


@pytest.mark.parametrize("layout", ["cmcs", "action_former", "opentad", "activity_net"])
def test_sliding_windows_go_into_action_former_without_loss_and_lose_their_offset_elsewhere(tmp_path, layout):
    getattr(made_up, layout)(tmp_path / "from", made_up.make(sliding=True))
    data = read_dataset(tmp_path / "from")
    made = convert(data, tmp_path / "to", "action_former")
    assert made.options == {} and made.lost == ()
    assert_same(data, read_dataset(tmp_path / "to"))
    other = convert(data, tmp_path / "other", "bas_net")
    times, *rest = sorted(other.lost, reverse=True)
    assert times.startswith("the times of snippets of 10 videos, by up to 0.2")
    assert rest == ["the frame rate of 10 videos"]
    assert other.options == {}  # gt.json says the length of a snippet
    assert read_dataset(tmp_path / "other").videos[0].timebase.offset == 0


def tiny(timebase=None, dims=(2, 2), labels=("a",), subset="train", name="v", duration=None):
    streams = {
        stream: FeatureArray(np.random.default_rng(i).random((30, d), dtype="f4"))
        for i, (stream, d) in enumerate(zip(("rgb", "flow"), dims, strict=False))
    }
    video = Video(name, subset, streams, labels, (Segment(0.1, 1.3, "a"),), timebase or Timebase(0.64), duration)
    return Dataset(None, "x", tuple(labels), (video,))


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("timebase", [Timebase(0.64), Timebase(0.4), Timebase(1 / 15)])
def test_narrow_streams_and_other_rates_come_back_with_the_options_that_are_told(tmp_path, to, timebase):
    data = tiny(timebase)
    made = convert(data, tmp_path / "to", to)
    assert [x for x in made.lost if "absence of a duration" not in x] == []
    assert_same(data, read_dataset(tmp_path / "to", **made.options))


@pytest.mark.parametrize("over", ["dgam", "bas_net", "acm_net", "a2cl_pt"])
def test_the_length_of_snippets_survives_layouts_that_do_not_state_it(tmp_path, over):
    data = tiny(Timebase(4 / 15))
    convert(data, tmp_path / "over", over)
    there = read_dataset(tmp_path / "over")  # without the options that were told
    assert there.videos[0].timebase.snippet_seconds == pytest.approx(4 / 15)
    convert(there, tmp_path / "back", "action_former")
    back = read_dataset(tmp_path / "back").videos[0]
    assert (back.timebase.snippet_seconds, back.end) == pytest.approx((4 / 15, 8.0))


def test_what_is_stated_wrong_is_refused_and_what_nothing_states_is_said(tmp_path):
    convert(tiny(Timebase(0.4)), tmp_path / "to", "dgam")
    truth = tmp_path / "to" / "gt.json"
    content = json.loads(truth.read_text())
    truth.write_text(json.dumps({**content, "snippet_seconds": "0.4"}))
    with pytest.raises(ValueError, match=r"snippet_seconds is '0\.4', expected a positive number"):
        read_dataset(tmp_path / "to")
    del content["snippet_seconds"]
    truth.write_text(json.dumps(content))
    data = read_dataset(tmp_path / "to")
    assert data.videos[0].timebase == Timebase(0.64)
    assert "snippet_seconds = 0.64, the usual value, which nothing tests" in data.notes


@pytest.mark.parametrize("timebase", [Timebase(0.5, 0.123), Timebase(0.5, -0.1)])
def test_any_offset_comes_back_from_action_former(tmp_path, timebase):
    data = tiny(timebase, duration=20.0)
    made = convert(data, tmp_path / "to", "action_former")
    assert made.lost == () and "num_frames" in made.options
    assert_same(data, read_dataset(tmp_path / "to", **made.options))


def test_streams_of_unequal_width_become_one_and_that_is_said(tmp_path):
    made = convert(tiny(dims=(3, 2)), tmp_path / "acm", "acm_net")
    assert made.lost == ("the streams {'rgb': 3, 'flow': 2}: they are {'features': 5}",)
    assert convert(tiny(dims=(3, 2)), tmp_path / "bas", "bas_net").lost == ()


def test_labels_without_a_segment_come_back(tmp_path):
    made = convert(tiny(labels=("a", "b")), tmp_path / "to", "bas_net")
    assert made.lost == () and read_dataset(tmp_path / "to").videos[0].labels == ("a", "b")


def test_labels_fewer_than_the_segments_are_lost_and_that_is_said(tmp_path):
    assert convert(tiny(labels=("b",)), tmp_path / "to", "bas_net").lost == ("the video-level labels of 1 videos",)


def test_what_exists_is_not_touched(tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "mine").write_text("x")
    with pytest.raises(FileExistsError, match="not empty"):
        convert(tiny(), tmp_path / "to", "bas_net")
    assert (tmp_path / "to" / "mine").read_text() == "x"
    (tmp_path / "empty").mkdir()
    convert(tiny(), tmp_path / "empty", "bas_net")
    assert json.loads((tmp_path / "empty" / "gt.json").read_text())["database"]["v"]["subset"] == "train"


def test_nothing_is_left_of_a_conversion_that_failed(tmp_path):
    data = tiny()
    data.videos[0].streams["flow"].array[3] = np.nan
    for to in TARGETS:
        with pytest.raises(ValueError, match="NaN"):
            convert(data, tmp_path / "to", to)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../v", "..", "/v", "a//v", "x" * 300])
def test_an_id_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be the name of a file"):
        convert(tiny(name=name), tmp_path / "to", "bas_net")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown layout 'basnet', expected one of bas_net, acm_net"):
        convert(tiny(), tmp_path / "to", "basnet")


@pytest.mark.parametrize(("name", "to"), [("gtea-windows", "bas_net"), ("salads-windows", "action_former")])
def test_real_sets_survive_the_way_there_and_back(shared_data, tmp_path, name, to):
    data = read_dataset(shared_data(name))
    there = convert(data, tmp_path / "there", to)
    moved = read_dataset(tmp_path / "there", **there.options)
    back = convert(moved, tmp_path / "back", data.layout)
    again = read_dataset(tmp_path / "back", **back.options)
    lost = [x for x in (*there.lost, *back.lost) if "absence of a duration" not in x]
    assert [x for x in lost if x.startswith("the frame rate of")] == [f"the frame rate of {len(data.videos)} videos"]
    lost = [x for x in lost if not x.startswith("the frame rate of")]
    if name == "gtea-windows":
        assert lost == []
        assert_same(data, again)
    else:
        assert lost == ["the streams {'rgb': 128, 'flow': 30}: they are {'features': 158}"]
