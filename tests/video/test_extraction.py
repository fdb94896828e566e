"""From video files to a folder of features, resumed and with broken files among them."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

import torch
from torch import Tensor
from video.making import grey, write_video

from amsx.cli import main
from amsx.data.extraction_record import ExtractionRecord, ExtractorIdentity
from amsx.video.extraction import extract_video
from amsx.video.extractors import FrameSize
from amsx.video.files import video_files


class Mean:
    """The mean of every channel over a clip."""

    name, frame_size, snippet_frames = "mean", FrameSize(short_side=32), 4

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.width = 3 if kind == "rgb" else 2

    def identity(self) -> ExtractorIdentity:
        return ExtractorIdentity("mean", self.width, {}, None)

    def __call__(self, clips: Tensor) -> Tensor:
        assert clips.dtype == (torch.uint8 if self.kind == "rgb" else torch.float32)
        return clips.float().mean(dim=(1, 2, 3))


def moving_square(frames: int) -> list[np.ndarray]:
    """A textured square that moves 2 pixels to the right and 1 down in every frame."""
    texture = np.random.default_rng(0).integers(60, 255, (24, 24, 1), np.uint8).repeat(3, axis=2)
    pictures = [grey(30, 64, 96) for _ in range(frames)]
    for i, picture in enumerate(pictures):
        picture[10 + i : 34 + i, 10 + 2 * i : 34 + 2 * i] = texture
    return pictures


def test_rows_follow_the_frames_and_the_flow(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", moving_square(16))
    extractors = {"rgb": Mean("rgb"), "flow": Mean("flow")}
    video = extract_video(path, extractors, stride=4)  # type: ignore[arg-type]
    assert {name: rows.shape for name, rows in video.streams.items()} == {"rgb": (4, 3), "flow": (4, 2)}
    assert video.snippet_seconds == 4 / 25
    right, down = video.streams["flow"].mean(axis=0)
    assert right > 0.05  # the square covers a tenth of the frame
    assert right == pytest.approx(2 * down, rel=0.3)


def test_a_single_frame_has_one_row_and_no_motion(tmp_path: Path) -> None:
    video = extract_video(write_video(tmp_path / "a.mp4", [grey(90)]), {"flow": Mean("flow")})  # type: ignore[dict-item]
    np.testing.assert_array_equal(video.streams["flow"], np.zeros((1, 2), np.float32))


def test_the_command_goes_on_after_broken_files_and_with_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    videos, out = tmp_path / "videos", tmp_path / "DATA"
    (videos / "bend").mkdir(parents=True)
    write_video(videos / "bend" / "a.mp4", moving_square(20))
    (videos / "broken.mp4").write_bytes(b"nothing")
    (videos / "notes.txt").write_text("left out")
    command = ["extract", str(videos), "--out", str(out), "--extractor", "efficientnet-lite0", "--quiet"]
    command += ["--extractor-option", "rgb.frames=1"]
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "1 files without a suffix of videos are left out" in printed.out
    assert "1 of 2 videos" in printed.out
    assert np.load(out / "features" / "rgb" / "bend" / "a.npy").shape == (1, 1280)
    record = ExtractionRecord.read(out)
    assert record is not None
    assert list(record.videos) == ["bend/a"]
    assert record.streams["rgb"].settings == {"frames": 1, "snippet_frames": 16}

    (videos / "broken.mp4").unlink()
    assert main(command) == 0
    assert "1 of them were there already" in capsys.readouterr().out

    assert main([*command, "--stride", "8"]) == 1
    assert "its own and the new ones are stride: 16, 8" in capsys.readouterr().err


def test_ids_are_paths_in_the_folder(tmp_path: Path) -> None:
    for name in ("a/x.mp4", "b/x.avi", "y.MKV", "z.txt", "._y.mkv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found, ignored = video_files([tmp_path])
    assert (list(found), ignored) == (["a/x", "b/x", "y"], 1)
    assert list(video_files([tmp_path / "z.txt"])[0]) == ["z"]
    with pytest.raises(ValueError, match=r"would both have the id 'x'; .*without --flat"):
        video_files([tmp_path], flat=True)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        video_files([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no video in"):
        video_files([tmp_path / "empty"])
