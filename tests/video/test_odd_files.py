"""Every broken or odd file has a defined outcome, and docs/video.md tells it."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from torch import Tensor

av = pytest.importorskip("av")

from video.odd_files import FRAMES, ODD_FILES, OddFile, changed, pictures, turned, video  # noqa: E402

from amsx.data.extraction_record import ExtractorIdentity  # noqa: E402
from amsx.video.decode import Video, VideoError  # noqa: E402
from amsx.video.extraction import extract_video  # noqa: E402
from amsx.video.extractors import FrameSize  # noqa: E402
from amsx.video.snippets import snippet_count  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "video.md"


class MeanColour:
    """An extractor that costs nothing."""

    name, width, snippet_frames = "mean-colour", 3, 16
    kind: Literal["rgb", "flow"] = "rgb"
    frame_size = FrameSize(short_side=16)

    def identity(self) -> ExtractorIdentity:
        return ExtractorIdentity(self.name, self.width, {}, None)

    def __call__(self, clips: Tensor) -> Tensor:
        return clips.float().mean(dim=(1, 2, 3))


def test_there_are_many_and_no_name_twice() -> None:
    assert len({odd.name for odd in ODD_FILES}) == len(ODD_FILES) >= 50


@pytest.mark.parametrize("odd", ODD_FILES, ids=lambda odd: odd.name)
def test_a_file_has_its_outcome(odd: OddFile, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / odd.name
    odd.make(path)
    capfd.readouterr()
    if odd.seconds is None:
        with pytest.raises(VideoError, match=odd.says) as error:
            extract_video(path, {"rgb": MeanColour()})
        assert odd.name in str(error.value)
    else:
        extracted = extract_video(path, {"rgb": MeanColour()})
        least, most = odd.seconds if isinstance(odd.seconds, tuple) else (odd.seconds - 0.02, odd.seconds + 0.02)
        assert least <= extracted.duration <= most
        assert extracted.streams["rgb"].shape == (snippet_count(round(extracted.duration * 25), 16), 3)
        assert np.isfinite(extracted.streams["rgb"]).all()
        assert odd.says in " ".join(extracted.notes)
        assert bool(odd.says) == bool(extracted.notes), extracted.notes
    assert capfd.readouterr() == ("", ""), "FFmpeg's own messages are not shown"


def test_the_page_has_a_row_for_each() -> None:
    rows = PAGE.read_text().split("\n")
    missing = [row for odd in ODD_FILES if (row := f"| `{odd.name}` | {odd.what} | {odd.outcome} |") not in rows]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda picture: picture),
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),  # what was to the right is below
        ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
        ((0, -1, 1, 0), lambda picture: np.rot90(picture, 1)),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda picture: picture.transpose(1, 0, 2)),
    ],
)
def test_a_display_matrix_is_applied(matrix: tuple[int, int, int, int], shown: object, tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    changed(turned(*matrix), frames=1)(path)
    (picture,) = next(Video(path).frames(25, [FrameSize()]))
    assert callable(shown)
    expected = shown(next(pictures(1, (48, 64))))
    assert picture.shape == expected.shape
    assert np.corrcoef(picture.ravel(), expected.ravel())[0, 1] > 0.8  # colours are stored at half the resolution


def test_a_name_with_a_colon_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("12:30 match.mp4")
    video(frames=5)(path.absolute())
    assert len(extract_video(path, {"rgb": MeanColour()}).streams["rgb"]) == 1


def test_reordered_frames_in_avi_come_in_order(tmp_path: Path) -> None:
    path = tmp_path / "b.avi"
    video(codec_options={"bf": "2"})(path)
    brightness = [picture[0].mean(axis=-1) for (picture,) in Video(path).frames(25, [FrameSize()])]
    places = [int(np.convolve(row, np.ones(16), "valid").argmax()) for row in brightness[:24]]  # before it wraps
    assert len(brightness) == FRAMES
    assert places == sorted(places) and places[-1] > 40
