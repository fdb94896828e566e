"""Every layout written and read again: what comes back is what went in, or it is said what is lost, and no more is."""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from data.layouts import made_up
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from amsx.data.convert import convert
from amsx.data.layouts import LAYOUTS, layout_names, matching_layouts, read_dataset
from amsx.data.videos import Segment, Timebase

FRAMEWISE = tuple(layout.name for layout in LAYOUTS if layout.one_label_a_frame)  # see test_ms_tcn.py
TARGETS = tuple(name for name in layout_names() if name not in FRAMEWISE)
VALIDATION_IS_TEST = ("a2cl_pt", "cmcs", "opentad", "activity_net")  # as these spell it when they are written


def having(trait):
    """The names of the layouts that declare this trait of `amsx.data.layouts.shared.layout.Layout`."""
    return tuple(layout.name for layout in LAYOUTS if getattr(layout, trait) and layout.name in TARGETS)


ONE_RATE, SEPARATE, RGB_FLOW_ONLY = having("one_snippet_duration"), having("separate_streams"), having("rgb_flow_only")
STATED, LABELS_APART, DROPPING = having("needs_duration"), having("labels_apart"), having("drops_unlabelled_tests")

STREAMS, TIMES, ABSENCE = "the streams", "the times of snippets", "the absence of a duration"
LABELS, TEST_VIDEOS = "the video-level labels", "test videos without a label"
TWO, WIDE, ONE, UNEQUAL = {"rgb": 2, "flow": 2}, {"rgb": 1024, "flow": 1024}, {"features": 3}, {"rgb": 2, "flow": 3}


def test_what_layouts_declare_is_what_they_are_known_for():
    assert set(ONE_RATE) == {"bas_net", "acm_net", "wtalc", "a2cl_pt", "dgam"}
    assert set(SEPARATE) == {"bas_net", "cmcs", "dgam", "labels"} and set(RGB_FLOW_ONLY) == {"cmcs", "dgam"}
    assert set(STATED) == set(TARGETS) - {"bas_net", "acm_net", "a2cl_pt", "dgam", "labels"}
    assert set(LABELS_APART) == {"wtalc", "dgam", "labels"} and set(DROPPING) == {"a2cl_pt"}
    assert set(having("lists_ids")) == {"bas_net", "acm_net", "dgam"}
    assert FRAMEWISE == ("ms_tcn",)
    assert set(having("needs_labels")) == {"a2cl_pt", "dgam"}


def record(video):
    """All of a video but its times and its features."""
    return video.id, video.subset, video.labels, sorted(video.segments, key=str)


def assert_same(a, b):
    assert a.dims == b.dims and a.classes == b.classes
    found = {v.id: v for v in b.videos}
    assert [record(v) for v in a.videos] == [record(found[v.id]) for v in a.videos]
    for video in a.videos:
        other = found[video.id]
        assert other.timebase.snippet_seconds == pytest.approx(video.timebase.snippet_seconds, rel=1e-9)
        assert other.timebase.offset == pytest.approx(video.timebase.offset, rel=1e-9, abs=1e-9)
        for name, stream in video.streams.items():
            assert (stream.load() == other.streams[name].load()).all() and other.streams[name].load().dtype == "f4"


def kinds(lost):
    """What is lost, without how much of it."""
    known = (STREAMS, TIMES, ABSENCE, LABELS, TEST_VIDEOS)
    return {next((kind for kind in known if kind in text), text) for text in lost}


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("dims", [TWO, WIDE])
def test_two_streams_labels_segments_and_durations_come_back_from_every_layout(tmp_path, to, dims):
    data = made_up.usual(dims)
    made = convert(data, tmp_path / "to", to)
    assert made.lost == ()
    assert made.options.get("split", dims is WIDE or to in SEPARATE) is True
    again = read_dataset(tmp_path / "to", **made.options)
    assert again.layout == to
    assert_same(data, again)
    assert {v.id: v.duration for v in again.videos} == {v.id: v.duration for v in data.videos}


@pytest.mark.parametrize("to", [to for to in TARGETS if to not in ONE_RATE])
def test_clips_that_overlap_come_back_where_snippets_are_counted_in_frames(tmp_path, to):
    data = made_up.usual(WIDE, made_up.OVERLAPPING)
    made = convert(data, tmp_path / "to", to)
    assert made.options == {} and made.lost == ()
    assert_same(data, read_dataset(tmp_path / "to"))


@pytest.mark.parametrize("to", ONE_RATE)
def test_where_clips_overlap_and_the_layout_has_one_rate_the_offset_is_lost_and_that_is_said(tmp_path, to):
    made = convert(made_up.usual(WIDE, made_up.OVERLAPPING), tmp_path / "to", to)
    assert made.lost == ("the times of snippets of 5 videos, by up to 0.2 s",)
    assert made.options.get("snippet_seconds", 4 / 30) == 4 / 30


@pytest.mark.parametrize("to", [to for to in TARGETS if to not in RGB_FLOW_ONLY])
def test_one_stream_comes_back(tmp_path, to):
    data = made_up.usual(ONE)
    made = convert(data, tmp_path / "to", to)
    assert made.options == {} and made.lost == ()
    assert_same(data, read_dataset(tmp_path / "to"))


@pytest.mark.parametrize("to", RGB_FLOW_ONLY)
def test_streams_of_other_names_are_refused_where_files_are_named_for_them(tmp_path, to):
    with pytest.raises(
        ValueError, match=f"layout {to} holds the streams rgb and flow alone, got 'features'; .* split=true"
    ):
        convert(made_up.usual(ONE), tmp_path / "below" / "to", to)
    assert list(tmp_path.iterdir()) == []
    data = made_up.usual({"flow": 3})
    made = convert(data, tmp_path / "to", to)
    assert made.lost == ()
    assert_same(data, read_dataset(tmp_path / "to", **made.options))


@pytest.mark.parametrize("to", TARGETS)
def test_streams_of_unequal_width_come_back_from_files_of_their_own_or_become_one(tmp_path, to):
    said = () if to in SEPARATE else ("the streams {'rgb': 2, 'flow': 3}: they are {'features': 5}",)
    assert convert(made_up.usual(UNEQUAL), tmp_path / "to", to).lost == said


@pytest.mark.parametrize("to", [layout.name for layout in LAYOUTS])
@pytest.mark.parametrize(
    ("fps", "stride", "window"), [(15.0, 1, 1), (15.0, 16, 16), (29.97, 4, 16), (23.976, 8, 32), (24.0, 16, 16)]
)
def test_the_frame_rate_stays_or_is_said_to_be_lost(tmp_path, to, fps, stride, window):
    timebase = Timebase(stride / fps, (window - stride) / 2 / fps)
    videos = (
        made_up.video(f"v{n}", dims=TWO, n=n, timebase=timebase, duration=((n - 1) * stride + window) / fps)
        for n in (30, 37, 52)
    )
    data = made_up.dataset(*(replace(video, fps=fps) for video in videos))
    made = convert(data, tmp_path / "to", to)
    said = "the frame rate of 3 videos" in made.lost
    again = read_dataset(tmp_path / "to", to, **made.options)
    kept = all(video.fps == pytest.approx(fps, rel=1e-9) for video in again.videos)
    assert kept != said
    if to in ("action_former", "activity_net", "opentad", "cmcs"):
        assert kept and made.lost == ()
        back = convert(again, tmp_path / "back", "action_former")
        assert all(v.fps == pytest.approx(fps) for v in read_dataset(tmp_path / "back", **back.options).videos)


@pytest.mark.parametrize("to", TARGETS)
def test_durations_are_made_up_where_a_layout_needs_them_and_that_is_said(tmp_path, to):
    made = convert(made_up.usual(TWO, stated=False), tmp_path / "to", to)
    assert made.lost == (() if to not in STATED else ("the absence of a duration of 5 videos",))
    if to in STATED:
        again = read_dataset(tmp_path / "to", **made.options)
        assert all(v.duration == pytest.approx(v.length * 0.64) for v in again.videos)


@pytest.mark.parametrize("to", TARGETS)
def test_labels_that_no_segment_has_come_back_and_those_that_segments_alone_have_are_said_to_be_lost(tmp_path, to):
    more = made_up.dataset(
        made_up.video("v", dims=TWO, labels=("a", "b"), segments=(Segment(0.1, 1.3, "a"),), duration=19.2),
        made_up.video("w", dims=TWO, labels=("b",), segments=(), duration=19.2),
    )
    made = convert(more, tmp_path / "more", to)
    assert made.lost == ()
    assert_same(more, read_dataset(tmp_path / "more", **made.options))
    fewer = made_up.dataset(
        made_up.video("v", dims=TWO, labels=("b",), segments=(Segment(0.1, 1.3, "a"),), duration=19.2)
    )
    made = convert(fewer, tmp_path / "fewer", to)
    assert made.lost == (() if to in LABELS_APART else ("the video-level labels of 1 videos",))
    assert made.options.get("labels", "all") == "all"


@pytest.mark.parametrize("to", TARGETS)
def test_videos_without_a_label_are_left_out_where_the_layout_s_readers_do_and_that_is_said(tmp_path, to):
    data = made_up.dataset(
        made_up.video("v", dims=TWO, duration=19.2),
        made_up.video("w", dims=TWO, labels=(), duration=19.2),
        made_up.video("x", "test", dims=TWO, labels=(), duration=19.2),
    )
    if to == "labels":  # which can say that a training video shows no action
        assert convert(data, tmp_path / "to", to).lost == ()
        return
    said = ("1 training videos without a label", *(["1 test videos without a label"] if to in DROPPING else []))
    assert convert(data, tmp_path / "to", to).lost == said


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("subset", ["train", "test"])
def test_one_subset_alone_comes_back(tmp_path, to, subset):
    data = made_up.dataset(*(made_up.video(f"v{i}", subset, dims=TWO, duration=19.2) for i in range(3)))
    made = convert(data, tmp_path / "to", to)
    assert made.lost == ()
    validation_is_test = to in VALIDATION_IS_TEST and subset == "test"
    assert ("subsets" in made.options) == validation_is_test
    assert_same(data, read_dataset(tmp_path / "to", **made.options))


@pytest.mark.parametrize("to", having("lists_ids"))
@pytest.mark.parametrize("name", ["a\rb", " a", "a\n"])
def test_ids_that_lines_cannot_hold_are_refused_where_they_are_listed(tmp_path, to, name):
    with pytest.raises(ValueError, match=f"the layout {to} lists ids one a line"):
        convert(made_up.dataset(made_up.video(name, dims=TWO)), tmp_path / "to", to)
    assert list(tmp_path.iterdir()) == []
    assert convert(made_up.dataset(made_up.video(name, dims=TWO, duration=1.0)), tmp_path / "to", "wtalc").lost == ()


def test_an_id_that_is_no_unicode_is_refused_where_it_is_listed(tmp_path):
    odd = replace(made_up.video("a", dims=TWO), id="a\udce9")  # of a file whose name is not UTF-8
    with pytest.raises(ValueError, match=r"the layout bas_net lists ids one a line, .* half of a surrogate pair"):
        convert(made_up.dataset(odd), tmp_path / "to", "bas_net")


@pytest.mark.parametrize("to", having("lists_ids"))
def test_ids_with_spaces_are_one_a_line(tmp_path, to):
    data = made_up.dataset(*(made_up.video(f"bench press_{i}", dims=TWO) for i in range(2)))
    assert convert(data, tmp_path / "to", to).lost == ()
    for path in (tmp_path / "to").glob("*.txt"):  # as an editor on Windows saves it
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert {v.id for v in read_dataset(tmp_path / "to", to).videos} == {"bench press_0", "bench press_1"}


@pytest.mark.parametrize("to", TARGETS)
def test_hidden_files_are_no_candidates(tmp_path, to):
    video = made_up.video("v", dims=TWO, n=60, duration=38.4)
    options = convert(made_up.dataset(video), tmp_path / "to", to).options
    for path in [path for path in (tmp_path / "to").rglob("*") if path.is_file()]:
        path.with_name("._" + path.name).write_bytes(b"\0\5\x16\7")
        path.with_name(path.name + "~").write_bytes(b"\0\5\x16\7")
        for folder in ("__MACOSX", ".ipynb_checkpoints"):
            below = tmp_path / "to" / folder / path.name
            below.parent.mkdir(exist_ok=True)
            below.write_bytes(b"\0\5\x16\7")
    assert to in [layout.name for layout in matching_layouts(tmp_path / "to")]
    data = read_dataset(tmp_path / "to", to, **options)
    assert len(data.videos) == 1
    assert not any("not listed" in note for note in data.notes)


def test_an_id_may_begin_with_a_dot_but_not_as_hidden_files_do(tmp_path):
    assert convert(made_up.dataset(made_up.video(".v", dims=TWO)), tmp_path / "to", "bas_net").lost == ()
    with pytest.raises(ValueError, match=r"'\._v' would be the name of a system or backup file"):
        convert(made_up.dataset(made_up.video("._v", dims=TWO)), tmp_path / "again", "bas_net")


@pytest.mark.parametrize("to", having("needs_labels"))
def test_a_set_without_any_label_is_refused_where_that_is_none(tmp_path, to):
    with pytest.raises(ValueError, match=f"the layout {to} needs labels, and no video has one"):
        convert(made_up.dataset(made_up.video("v", "test", dims=TWO, labels=())), tmp_path / "to", to)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=30)
@given(data=made_up.datasets(dims=TWO, consistent=True), to=st.sampled_from(TARGETS))
def test_nothing_is_lost_of_side_by_side_snippets_but_what_a_layout_is_known_to_lose(data, to):
    data = made_up.dataset(*(replace(video, timebase=made_up.SIDE_BY_SIDE) for video in data.videos))
    with tempfile.TemporaryDirectory() as folder:
        made = convert(data, Path(folder) / "to", to)
        assert kinds(made.lost) <= ({TEST_VIDEOS} if to in DROPPING else set() if to not in STATED else {ABSENCE})
        if kinds(made.lost) <= {ABSENCE}:
            assert_same(data, read_dataset(Path(folder) / "to", to, **made.options))


@settings(max_examples=60)
@given(data=made_up.datasets(), to=st.sampled_from(TARGETS))
def test_whatever_is_lost_of_any_data_is_of_the_known_kinds(data, to):
    assume(to not in RGB_FLOW_ONLY or "features" not in data.dims)
    may = {TIMES}  # offsets of several videos that no one grid of frames has
    may |= set() if to not in STATED else {ABSENCE}
    may |= set() if to in SEPARATE else {STREAMS}
    may |= set() if to in LABELS_APART else {LABELS}
    may |= {TEST_VIDEOS} if to in DROPPING else set()
    with tempfile.TemporaryDirectory() as folder:
        made = convert(data, Path(folder) / "to", to)
        assert kinds(made.lost) <= may
        again = read_dataset(Path(folder) / "to", to, **made.options)
        assert {v.id for v in again.videos} <= {v.id for v in data.videos}
        assert (again.dims == data.dims) == (STREAMS not in kinds(made.lost))


@settings(max_examples=30)
@given(
    data=made_up.datasets(dims=TWO, one_timebase=True), to=st.sampled_from(["action_former", "cmcs", "activity_net"])
)
def test_one_timebase_comes_back_from_any_grid_of_frames(data, to):
    timebase = data.videos[0].timebase
    assume(timebase.snippet_seconds + 2 * timebase.offset > 1e-6)  # else a clip would have no frames
    with tempfile.TemporaryDirectory() as folder:
        assert TIMES not in kinds(convert(data, Path(folder) / "to", to).lost)


def test_a_grid_that_begins_long_before_the_video_is_lost_and_that_is_said(tmp_path):
    data = made_up.usual(TWO, Timebase(0.64, -1.0))
    for to in ("action_former", "opentad", "cmcs", "activity_net"):
        assert kinds(convert(data, tmp_path / to, to).lost) == {TIMES}


ODD_IDS = ("a/b", "a/c/b", "-abc", "a b, 'c' #1 50%", "A", "篮球", "v_x")


@pytest.mark.parametrize("to", [layout.name for layout in LAYOUTS])
def test_ids_of_every_kind_survive_and_a_slash_is_a_folder(tmp_path, to):
    data = made_up.dataset(*(made_up.video(name, dims=TWO, n=60, duration=38.4) for name in ODD_IDS))
    made = convert(data, tmp_path / "to", to)
    assert made.lost == ()
    assert_same(data, read_dataset(tmp_path / "to", to, **made.options))
    assert [path.name for path in tmp_path.iterdir()] == ["to"]


@pytest.mark.parametrize("to", ["action_former", "activity_net", "cmcs", "bas_net"])
def test_all_ids_may_have_a_slash_and_none_leads_out_of_the_folder(tmp_path, to):
    data = made_up.dataset(*(made_up.video(f"s{i % 2}/{i}", dims=TWO, n=60, duration=38.4) for i in range(4)))
    made = convert(data, tmp_path / "to", to)
    assert made.lost == ()
    secret = next((tmp_path / "to").rglob("*.np[yz]"))
    (tmp_path / "outside").mkdir()
    shutil.copy(secret, tmp_path / "outside" / secret.name)
    annotation = next((tmp_path / "to").glob("*.json"))
    outside = f"../outside/{secret.name.partition('-')[0].partition('.')[0].removeprefix('v_')}"
    text = annotation.read_text().replace('"s0/0"', json.dumps(outside))
    annotation.write_text(text)
    for split in (tmp_path / "to").glob("*.txt"):
        split.write_text(split.read_text().replace("s0/0", outside))
    with pytest.raises((ValueError, FileNotFoundError)):
        read_dataset(tmp_path / "to", to, **made.options)
