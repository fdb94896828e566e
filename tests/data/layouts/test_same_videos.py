"""The same videos in every layout: recognized by that layout alone, and read to the same records."""

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.convert import convert
from amsx.data.layouts import layout_names, matching_layouts, read_dataset


@pytest.mark.parametrize(
    ("layout", "writer", "options"),
    [
        *((name, name, {}) for name in layout_names() if name != "ms_tcn"),  # cannot hold two labels at once
        ("cmcs", "cmcs_in_text", {"fps": 30.0}),
        ("activity_net", "activity_net_in_one_file", {}),
    ],
)
def test_every_layout_gives_the_same_records(tmp_path, layout, writer, options):
    """Ten videos, as the layout's own projects write them, are recognized and read, written by amsx and read again."""
    sliding = layout in ("cmcs", "action_former", "opentad", "activity_net")
    if writer == "activity_net_in_one_file":
        pytest.importorskip("h5py")
    videos, root = made_up.make(sliding), tmp_path / "theirs"
    root.mkdir()
    getattr(made_up, writer)(root, videos)
    assert [match.name for match in matching_layouts(root)] == [layout]
    data = read_dataset(root, **options)
    assert_true(data, videos, layout, sliding)
    stated = data.videos[0].duration is not None  # where it is not, amsx makes one up
    ours = convert(data, tmp_path / "ours", layout)
    assert [match.name for match in matching_layouts(ours.out)] == [layout]
    assert_true(read_dataset(ours.out, **ours.options), videos, layout, sliding, durations=stated)


def assert_true(data, videos, layout, sliding, durations=True):
    """What was read is what is known of the made-up videos."""
    assert data.layout == layout and data.dims == {"rgb": 1024, "flow": 1024}
    assert data.classes == tuple(sorted({label for v in videos if v.subset == "train" for label in v.labels}))
    assert sorted(v.id for v in data.videos) == sorted(v.id for v in videos)
    by_id, timebase = {v.id: v for v in data.videos}, made_up.OVERLAPPING if sliding else made_up.SIDE_BY_SIDE
    for made in videos:
        video = by_id[made.id]
        assert (video.subset, video.labels) == (made.subset, made.labels)
        assert sorted(video.segments, key=str) == sorted(made.segments, key=str)  # class by class, in text files
        assert video.timebase.snippet_seconds == pytest.approx(timebase.snippet_seconds, rel=1e-3)
        assert video.timebase.offset == pytest.approx(timebase.offset, rel=1e-3)
        if durations and video.duration is not None:
            assert video.duration == pytest.approx(made.duration)
        for stream in ("rgb", "flow"):
            np.testing.assert_array_equal(video.streams[stream].load(), getattr(made, stream).astype("f4"))


@pytest.mark.parametrize("kind", ["npy", "npz", "pt", "csv", "pkl"])
def test_opentad_in_every_kind_of_file(tmp_path, kind):
    videos = made_up.make(sliding=True, width=2, train=2, test=1)
    made_up.opentad(tmp_path, videos, kind)
    data = read_dataset(tmp_path, split=True)
    assert data.layout == "opentad"
    for made, video in zip(videos, data.videos, strict=True):
        np.testing.assert_allclose(video.streams["flow"].load(), made.flow.astype("f4"), rtol=1e-7)


@pytest.mark.parametrize("kind", ["npz", "h5", "pt"])
def test_activity_net_in_every_kind_of_file(tmp_path, kind):
    if kind == "h5":
        pytest.importorskip("h5py")
    videos = made_up.make(sliding=True, width=2, train=2, test=1)
    made_up.activity_net(tmp_path, videos, kind)
    data = read_dataset(tmp_path, split=True)
    assert data.layout == "activity_net" and any("begin with 'v_'" in note for note in data.notes)
    np.testing.assert_array_equal(data.videos[0].streams["rgb"].load(), videos[0].rgb.astype("f4"))


@pytest.mark.parametrize("kind", ["npz", "pt", "pkl"])
def test_broken_files_of_any_kind_are_counted_and_named(tmp_path, kind):
    videos = made_up.make(sliding=True, width=2, train=2, test=1)
    made_up.opentad(tmp_path, videos, kind)
    path = tmp_path / "features" / f"{videos[1].id}.{kind}"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=rf"1 of 3 videos have broken features: .*{videos[1].id}\.{kind}"):
        read_dataset(tmp_path)


def test_files_of_several_kinds_are_refused(tmp_path):
    videos = made_up.make(sliding=True, width=2, train=2, test=1)
    made_up.opentad(tmp_path, videos, "npz")
    (tmp_path / "features" / "x.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"files of several kinds, \.npz, \.pt; expected one"):
        read_dataset(tmp_path)
