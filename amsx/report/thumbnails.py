"""Small pictures of a video's frames for its timeline: FOLDER/<video id>/*.jpg, in the order of their names."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from amsx.file_names import video_file_fault
from amsx.files import visible

COUNT, HEIGHT = 24, 54  # pictures a video, and their height in pixels: about 40 KB a video
KINDS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def thumbnails(folder: Path, name: str) -> list[tuple[float, int, str]]:
    """(place in the video from 0 to 1, width in pixels, data URI) of frames evenly spread over the video `name`.

    The files themselves are taken to be evenly spread over the video. Empty where the video has none.
    """
    paths = _files(folder, name)
    count = min(COUNT, len(paths))
    chosen = [(2 * i + 1) * len(paths) // (2 * count) for i in range(count)]
    return [(round((i + 0.5) / len(paths), 5), *_small(paths[i])) for i in chosen]


def check_frames(folder: Path, names: Sequence[str]) -> str:
    """A sentence on how many of the videos have frames, empty where all have; ValueError where none has."""
    count = sum(bool(_files(folder, name)) for name in names)
    if not count:
        raise ValueError(f"no frames of the test videos in {folder}; expected e.g. {folder / names[0]}/*.jpg")
    return "" if count == len(names) else f"{folder} has frames of {count} of {len(names)} videos"


def _files(folder: Path, name: str) -> list[Path]:
    if video_file_fault(name):
        return []
    return [path for path in visible(folder / name, "*") if path.suffix.lower() in KINDS]


def _small(path: Path) -> tuple[int, str]:
    try:
        with Image.open(path) as image:
            width = max(1, round(image.width * HEIGHT / image.height))
            small = image.convert("RGB").resize((width, HEIGHT), Image.Resampling.LANCZOS)
    except OSError as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error
    written = io.BytesIO()
    small.save(written, "JPEG", quality=70)
    return width, "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode()
