"""The ActionFormer layout: timebase, subsets, two streams in one array, and everything that can be amiss."""

import json
from typing import Any

import numpy as np
import pytest

from amsx.data.layouts import read_dataset
from amsx.data.videos import Timebase


def make(root, entries, rows, width=5, folder="features", name="thumos14.json"):
    """`entries`: id -> the JSON entry without annotations given as (label, start, end); `rows`: id -> n."""
    database = {}
    for video, (entry, actions) in entries.items():
        annotations = [{"label": a, "label_id": 0, "segment": [s, e]} for a, s, e in actions]
        database[video] = {**entry, "annotations": annotations}
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps({"version": "x", "database": database}))
    (root / folder).mkdir(parents=True, exist_ok=True)
    for video, n in rows.items():
        np.save(root / folder / f"{video}.npy", np.arange(n * width, dtype="f4").reshape(n, width))
    return root


def thumos_like(**common) -> tuple[Any, Any]:
    """Two training and two test videos of 30 fps with ActionFormer's stride 4 and 16 frames."""
    seconds = {"a": 40.0, "b": 65.2, "c": 120.1, "d": 33.3}
    subsets = {"a": "Validation", "b": "Validation", "c": "Test", "d": "Test"}
    entries = {
        v: ({"subset": subsets[v], "duration": s, "fps": 30.0, **common}, [("run", 1, 2)]) for v, s in seconds.items()
    }
    return entries, {v: (int(s * 30) - 16) // 4 + 1 for v, s in seconds.items()}


def test_thumos14_as_action_former_has_it(tmp_path):
    data = read_dataset(make(tmp_path, *thumos_like()))
    assert (data.layout, data.classes, data.dims) == ("action_former", ("run",), {"features": 5})
    assert [v.id for v in data.subset("train")] == ["a", "b"]  # Validation is the training set
    for video in data.videos:
        i = np.arange(video.length)
        np.testing.assert_allclose(video.timebase.to_seconds(i + 0.5), (i * 4 + 16 / 2) / 30)
        t = np.linspace(0, 30, 7)
        grid = (t * 30 - 16 / 2) / 4  # ActionFormer's own formula: 0 is the centre of the first snippet
        np.testing.assert_allclose(video.timebase.to_snippets(t) - 0.5, grid)
    assert any("subset 'Validation' is the train set" in note for note in data.notes)
    assert any("stride = 4, num_frames = 16, derived" in note for note in data.notes)
    assert data.videos[0].duration == 40.0


def test_a_stride_given_is_taken_and_its_clip_derived_or_usual(tmp_path):
    root = make(tmp_path, *thumos_like())
    data = read_dataset(root, stride=4, num_frames=32)
    assert data.videos[0].timebase == Timebase(4 / 30, 14 / 30)
    assert read_dataset(root, stride=4).videos[0].timebase == Timebase(4 / 30, 6 / 30)
    entries, rows = thumos_like()
    bare = {v: ({"subset": e["subset"], "fps": 30}, actions) for v, (e, actions) in entries.items()}
    root = make(tmp_path / "bare", bare, rows)
    assert read_dataset(root, stride=4).videos[0].timebase == Timebase(4 / 30, 6 / 30)
    with pytest.raises(ValueError, match="neither duration nor frames of 4 videos; give stride: a, b, c, and 1 more"):
        read_dataset(root)


@pytest.mark.parametrize(("window", "stride"), [(32, 16), (50, 25), (64, 8), (16, 4), (16, 16)])
def test_the_window_that_fits_the_data_is_derived(tmp_path, window, stride):
    frames = {f"v{i}": 2400 + 613 * i + 7 * i * i for i in range(12)}
    entries = {
        name: ({"subset": "training", "duration": n / 50, "fps": 50}, [("run", 1, 2)]) for name, n in frames.items()
    }
    data = read_dataset(make(tmp_path, entries, {name: (n - window) // stride + 1 for name, n in frames.items()}))
    assert data.videos[0].timebase.to_seconds(0.5) == pytest.approx(window / 2 / 50)
    assert any(f"stride = {stride}, num_frames = {window}, derived from frames and rows" in n for n in data.notes)


def test_notes_say_of_stride_and_window_each_whether_it_was_given(tmp_path):
    root = make(tmp_path, *thumos_like())
    expected: list[tuple[dict[str, Any], str]] = [
        ({"stride": 4}, "stride = 4, given; num_frames = 16, derived from frames and rows"),
        ({"stride": 4, "num_frames": 16}, "stride = 4, num_frames = 16, given"),
        ({"num_frames": 16}, "stride = 4, derived from frames and rows; num_frames = 16, given"),
    ]
    for options, said in expected:
        assert any(note.startswith(said) for note in read_dataset(root, **options).notes)


@pytest.mark.parametrize("option", ["stride", "num_frames", "fps"])
def test_a_setting_that_is_not_positive_is_refused(tmp_path, option):
    wrong: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=f"{option} must be positive, got 0"):
        read_dataset(make(tmp_path, *thumos_like()), **wrong)


def test_without_fps_snippets_share_the_duration(tmp_path):
    entries = {"a": ({"subset": "training", "duration": 50.0}, [("run", 1, 2)])}
    data = read_dataset(make(tmp_path, entries, {"a": 100}))
    assert data.videos[0].timebase == Timebase(0.5)
    assert any("no fps" in note for note in data.notes)
    assert read_dataset(tmp_path, fps=10).videos[0].timebase == Timebase(0.5)
    for name in ("stride", "num_frames"):
        option: dict[str, Any] = {name: 4}
        with pytest.raises(ValueError, match=f"{name} is in frames; give fps, too"):
            read_dataset(tmp_path, **option)


def test_rows_that_do_not_grow_with_the_durations_are_asked_about(tmp_path):
    seconds, rows = {"a": 50.0, "b": 80.0, "c": 200.0}, {"a": 100, "b": 163, "c": 396}
    entries = {v: ({"subset": "training", "duration": s}, [("run", 1, 2)]) for v, s in seconds.items()}
    data = read_dataset(make(tmp_path / "near", entries, rows))
    assert [v.end for v in data.videos] == pytest.approx([50, 80, 200])
    with pytest.raises(ValueError, match=r"rows and durations do not go together .* give fps and stride"):
        read_dataset(make(tmp_path / "far", entries, {"a": 100, "b": 90, "c": 110}))


def test_fps_given_holds_for_every_video_and_that_is_said(tmp_path):
    root = make(tmp_path, *thumos_like())
    entries, rows = thumos_like()
    data = read_dataset(make(tmp_path, entries, {v: int(n) // 1 for v, n in rows.items()}), fps=30)
    assert not any("fps" in note for note in data.notes)
    data = read_dataset(root, fps=15, stride=2, num_frames=8)
    assert data.videos[0].timebase == Timebase(2 / 15, 3 / 15)
    assert any(
        note.startswith("fps = 15, given; the annotation of 4 videos says otherwise: a, b, c") for note in data.notes
    )


def test_fps_that_contradict_frames_and_durations_are_asked_about(tmp_path):
    entries, rows = thumos_like(frame=0)
    for given, _ in entries.values():
        given["frames"] = round(given["duration"] * 30)
        given["fps"] = 25
        del given["frame"]
    root = make(tmp_path, entries, rows)
    with pytest.raises(
        ValueError, match=r"of 4 of 4 videos contradict .*: a has 1200 frames in 40 s, and fps 25; give fps"
    ):
        read_dataset(root)
    assert read_dataset(root, fps=30).videos[0].timebase == Timebase(4 / 30, 6 / 30)


def test_windows_that_nothing_explains_or_several_are_asked_about(tmp_path):
    def data(window, every, count, **options):
        frames = {f"v{i}": 2403 + 611 * i for i in range(count)}
        entries = {v: ({"subset": "training", "fps": 50, "frames": n}, [("run", 1, 2)]) for v, n in frames.items()}
        folder = tmp_path / f"{window}_{every}_{count}"
        make(folder, entries, {v: (n - window) // every + 1 for v, n in frames.items()})
        return read_dataset(folder, **options)

    with pytest.raises(ValueError, match=r"no one stride explains .*frames per row: .*; give stride and num_frames"):
        data(22, 4, 12)
    with pytest.raises(
        ValueError, match=r"no usual window .* at stride = 4: .* 22 to 25 frames before the end; give num_frames"
    ):
        data(22, 4, 12, stride=4)
    assert data(22, 4, 12, num_frames=22).videos[0].timebase == Timebase(4 / 50, 9 / 50)
    several = r"of 2 videos fit windows of 8 frames every 8 \(num_frames = 8\) and of 16 frames .*; give num_frames"
    with pytest.raises(ValueError, match=several):
        data(8, 8, 2)
    note = "stride = 8, num_frames = 16, given, although frames and rows do not fit them"
    assert any(n.startswith(note) for n in data(22, 4, 12, stride=8, num_frames=16).notes)


def test_num_frames_of_rescaled_features_is_no_window(tmp_path):
    entries, rows = thumos_like()
    with pytest.raises(ValueError, match=r"every video has 100 rows, .* leave num_frames out"):
        read_dataset(make(tmp_path, entries, dict.fromkeys(rows, 100)), num_frames=16)


def test_rescaled_features_cover_the_frames_that_the_annotation_says_they_do(tmp_path):
    """BSN's video_info: the features end before the video does."""
    entries = {
        v: (
            {"subset": "training", "duration_second": n / 30, "duration_frame": n, "feature_frame": n // 16 * 16},
            [("a", 1, 2)],
        )
        for v, n in {"a": 1207, "b": 3009}.items()
    }
    data = read_dataset(make(tmp_path, entries, {"a": 100, "b": 100}))
    assert [v.end for v in data.videos] == pytest.approx([1200 / 30, 3008 / 30])


def test_fps_that_some_videos_lack_must_be_given(tmp_path):
    entries, rows = thumos_like()
    del entries["b"][0]["fps"]
    root = make(tmp_path, entries, rows)
    with pytest.raises(ValueError, match="no fps in the annotation of 1 videos; give fps: b"):
        read_dataset(root)
    assert {v.timebase for v in read_dataset(root, fps=30).videos} == {Timebase(4 / 30, 6 / 30)}


def test_rescaled_features_have_a_rate_per_video(tmp_path):
    entries, rows = thumos_like()
    data = read_dataset(make(tmp_path, entries, dict.fromkeys(rows, 100)))
    assert [v.end for v in data.videos] == pytest.approx([v.duration for v in data.videos])
    assert any("rescaled to 100 rows" in note for note in data.notes)


def entry(subset, labels=True):
    return {"subset": subset, "duration": 100.0, "fps": 1.0}, [("run", 1, 2)] if labels else []


@pytest.mark.parametrize(
    ("entries", "train", "test", "left_out"),
    [
        ({"a": entry("Validation"), "b": entry("Test")}, "a", "b", None),  # THUMOS14
        (
            {"a": entry("training"), "b": entry("validation"), "c": entry("testing", False)},
            "a",
            "b",
            "testing",
        ),
        ({"a": entry("train"), "b": entry("val"), "c": entry("test")}, "a", "c", "val"),
        ({"a": entry("training"), "b": entry("testing")}, "a", "b", None),
        ({"a": entry("training"), "b": entry("validation")}, "a", "b", None),
        ({"a": entry("train"), "b": entry("test", False)}, "a", "b", None),
    ],
)
def test_what_validation_means_follows_from_which_subsets_there_are(tmp_path, entries, train, test, left_out):
    data = read_dataset(make(tmp_path, entries, dict.fromkeys(entries, 100)))
    assert [v.id for v in data.subset("train")] == [train]
    assert [v.id for v in data.subset("test")] == [test]
    skipped = [note for note in data.notes if note.startswith("left out")]
    assert skipped == ([f"left out: subset {left_out!r} (1 videos)"] if left_out else [])


def test_subsets_can_be_said(tmp_path):
    entries = {"a": entry("fold1"), "b": entry("fold2"), "c": entry("fold3")}
    root = make(tmp_path, entries, dict.fromkeys(entries, 100))
    with pytest.raises(ValueError, match=r"unknown subsets \['fold1', 'fold2', 'fold3'\]"):
        read_dataset(root)
    data = read_dataset(root, subsets={"fold1": "train", "fold3": "test"})
    assert [(v.id, v.subset) for v in data.videos] == [("a", "train"), ("c", "test")]
    assert "left out: subset 'fold2' (1 videos)" in data.notes
    for wrong in ({"fold9": "train"}, {"fold1": "validation"}):
        with pytest.raises(ValueError, match="expected 'train' or 'test' for some of"):
            read_dataset(root, subsets=wrong)


def test_a_2048_channel_array_is_rgb_and_flow(tmp_path):
    entries = {"a": entry("training"), "b": entry("validation")}
    root = make(tmp_path, entries, {"a": 100, "b": 100}, width=2048)
    data = read_dataset(root)
    assert data.dims == {"rgb": 1024, "flow": 1024}
    whole = np.load(root / "features/a.npy")
    np.testing.assert_array_equal(data.videos[0].streams["rgb"].load(), whole[:, :1024])
    np.testing.assert_array_equal(data.videos[0].streams["flow"].load(), whole[:, 1024:])
    assert any("2048 channels taken as two streams" in note for note in data.notes)
    assert read_dataset(root, split=False).dims == {"features": 2048}


def test_other_widths_are_split_when_asked(tmp_path):
    entries = {"a": entry("training")}
    assert read_dataset(make(tmp_path / "6", entries, {"a": 100}, width=6), split=True).dims == {
        "rgb": 3,
        "flow": 3,
    }
    with pytest.raises(ValueError, match="5 channels have no two halves"):
        read_dataset(make(tmp_path / "5", entries, {"a": 100}), split=True)


@pytest.mark.parametrize("folder", ["i3d_features", "."])
@pytest.mark.parametrize("name", ["any.json", "annotations/any.json"])
def test_features_may_be_in_any_one_folder_or_beside_the_annotation(tmp_path, folder, name):
    data = read_dataset(make(tmp_path, *thumos_like(), folder=folder, name=name))
    assert len(data.videos) == 4


def test_several_candidates_must_be_told_apart(tmp_path):
    root = make(tmp_path, *thumos_like())
    make(root, *thumos_like(), folder="other", name="second.json")
    with pytest.raises(ValueError, match=r"one candidate for annotation, found .*second\.json.*; give annotation"):
        read_dataset(root)
    with pytest.raises(ValueError, match=r"one candidate for features, found .*; give features"):
        read_dataset(root, annotation=root / "second.json")
    assert len(read_dataset(root, annotation=root / "second.json", features=root / "other").videos) == 4
    assert len(read_dataset(root, annotation="second.json", features="other").videos) == 4  # they lie in the folder
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: third\.json, neither here nor in"):
        read_dataset(root, annotation="third.json", features="other")


def test_file_names_may_have_a_prefix(tmp_path):
    entries, rows = thumos_like()
    root = make(tmp_path / "usual", entries, {f"v_{name}": n for name, n in rows.items()})
    data = read_dataset(root)
    assert [v.id for v in data.videos] == ["a", "b", "c", "d"]
    assert any("names of features begin with 'v_'" in note for note in data.notes)
    root = make(tmp_path / "odd", entries, {f"x_{name}": n for name, n in rows.items()})
    with pytest.raises(FileNotFoundError, match="4 of 4 listed videos lack features"):
        read_dataset(root)
    assert [v.id for v in read_dataset(root, prefix="x_").videos] == ["a", "b", "c", "d"]


def test_missing_features_are_an_error_or_a_counted_skip(tmp_path):
    root = make(tmp_path, *thumos_like())
    (root / "features/b.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 4 listed videos lack features: .*b\.npy"):
        read_dataset(root)
    data = read_dataset(root, missing="skip")
    assert [v.id for v in data.videos] == ["a", "c", "d"]
    assert any("left out: 1 of 4" in note for note in data.notes)


def test_gtea_windows(shared_data):
    data = read_dataset(shared_data("gtea-windows"))
    assert (data.layout, data.dims, len(data.classes)) == ("action_former", {"features": 128}, 10)
    assert (len(data.subset("train")), len(data.subset("test"))) == (219, 85)
    assert {v.timebase for v in data.videos} == {Timebase(1 / 15)}
    assert sum(len(v.segments) for v in data.videos) == 745
    assert all(v.end == pytest.approx(v.duration, abs=1e-3) for v in data.videos)
    assert all(s.end <= v.end + 1e-3 for v in data.videos for s in v.segments)
    assert any("stride = 1, num_frames = 1, derived" in note for note in data.notes)
    assert len(data.notes) == 2
