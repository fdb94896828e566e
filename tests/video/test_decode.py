"""Frames come at the rate that was asked for, by their timestamps, turned as the file says."""

from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from video.making import grey, write_video  # noqa: E402

from amsx.video.decode import Video, VideoError  # noqa: E402
from amsx.video.extractors import FrameSize  # noqa: E402

WHOLE = FrameSize()


def levels(video: Video, fps: float) -> list[int]:
    """The mean shade of every frame, in tens."""
    return [round(float(picture.mean()) / 10) for (picture,) in video.frames(fps, [WHOLE])]


def test_a_constant_rate_gives_every_frame_once(tmp_path: Path) -> None:
    video = Video(write_video(tmp_path / "a.mp4", [grey(10 * level) for level in range(1, 21)]))
    assert levels(video, 25) == list(range(1, 21))
    assert video.duration == pytest.approx(20 / 25)
    assert (video.decoded, video.notes) == (20, [])


def test_other_rates_repeat_and_leave_out_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [grey(10 * level) for level in range(1, 21)])
    assert levels(Video(path), 12.5) == list(range(1, 21, 2))
    assert levels(Video(path), 50)[:6] == [1, 1, 2, 2, 3, 3]
    assert len(levels(Video(path), 50)) == 40


def test_a_variable_rate_goes_by_timestamps(tmp_path: Path) -> None:
    # Shade 2 is shown from the second tick to the tenth, which no count of frames tells.
    path = write_video(tmp_path / "a.mkv", [grey(10), grey(20), grey(30), grey(40)], times=[0, 1, 10, 11])
    assert levels(Video(path), 25) == [1, *[2] * 9, 3, 4]


def test_time_begins_with_the_first_frame(tmp_path: Path) -> None:
    video = Video(write_video(tmp_path / "a.mkv", [grey(10), grey(20)], times=[100, 101]))
    assert levels(video, 25) == [1, 2]
    assert video.duration == pytest.approx(2 / 25)


def test_frames_are_resized_and_cropped(tmp_path: Path) -> None:
    picture = grey(0, 60, 120)
    picture[:, 40:80] = 200  # the middle third
    video = Video(write_video(tmp_path / "a.mp4", [picture] * 3))
    sizes = [WHOLE, FrameSize(short_side=30), FrameSize(short_side=30, crop=16)]
    whole, smaller, middle = next(video.frames(25, sizes))
    assert (whole.shape, smaller.shape, middle.shape) == ((60, 120, 3), (30, 60, 3), (16, 16, 3))
    assert middle[:, 2:-2].mean() > 180


@pytest.mark.parametrize(("content", "message"), [(b"", "cannot be opened"), (b"no video" * 99, "cannot be opened")])
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "b.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match=rf"b\.mp4 {message}"):
        next(Video(path).frames(25, [WHOLE]))


def test_a_playlist_cannot_make_it_read_other_files(tmp_path: Path) -> None:
    write_video(tmp_path / "a.ts", [grey(10)] * 5)
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match="cannot be opened"):
        next(Video(playlist).frames(25, [WHOLE]))


def test_a_truncated_file_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(50)]
    path = write_video(tmp_path / "a.avi", frames, codec="mpeg4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = Video(path)
    assert 5 < len(list(video.frames(25, [WHOLE]))) < 45
    assert any("header says" in note or "damaged" in note.lower() or "cannot be read" in note for note in video.notes)
