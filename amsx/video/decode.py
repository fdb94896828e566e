"""Frames of a video file at a constant rate, decoded forward once with PyAV (FFmpeg comes inside its package)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from amsx.video.extractors import FrameSize

if TYPE_CHECKING:
    import av

LONGEST_GAP = 600.0  # seconds without a frame; a longer gap is a broken timestamp, not a still picture
MOST_PIXELS = 1 << 27  # of a frame; a header that promises more is broken
# Containers and raw streams that are decoded. Playlists and scripts, which name other files, are not among them.
FORMATS = (
    "aiff,apng,asf,av1,avi,avs,avs2,avs3,cavsvideo,dirac,dv,dvd,flv,gif,gxf,h261,h263,h264,hevc,ivf,ivr,m4v,matroska,mjpeg,"
    "mov,mpeg,mpegts,mpegvideo,mxf,nsv,nut,nuv,obu,ogg,rm,roq,swf,vc1,vivo,vvc,webm,wtv,xmv,yuv4mpegpipe"
)


class VideoError(ValueError):
    """A file of which no frame can be had, or whose timestamps make no sense. The message names the file."""


@dataclass
class Video:
    """An opened video file. `frames` reads it; afterwards the other fields are known."""

    path: Path
    duration: float = 0.0  # seconds from the first frame to the end of the last
    decoded: int = 0  # frames that the file holds
    notes: list[str] = field(default_factory=list)  # what was odd about the file, in sentences

    def frames(self, fps: float, sizes: Sequence[FrameSize]) -> Iterator[tuple[NDArray[np.uint8], ...]]:
        """The frames at the times 0, 1 / fps, 2 / fps, ... from the first frame, each in every one of `sizes`.

        Each is (H, W, 3), uint8 RGB. At each time it is the frame whose timestamp is nearest, of two that are equally
        near the earlier one: frames are repeated or left out where the file's rate is another or varies. A rotation
        that the file states is applied. VideoError where the file has no frame.
        """
        import av

        try:
            container = av.open(
                str(self.path),
                options={"format_whitelist": FORMATS, "protocol_whitelist": "file"},
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"{self.path} cannot be opened as a video: {_words(error)}") from error
        with container:
            stream = self._video_stream(container)
            shaper = _Shaper(sizes)
            before: _Timed | None = None
            step = 0  # how many frames have been given out
            for frame in self._timed(container, stream):
                if before is not None:
                    middle = (before.time + frame.time) / 2
                    pictures = None
                    while step / fps <= middle:
                        pictures = pictures or shaper.shaped(before)
                        yield pictures
                        step += 1
                before = frame
            if before is None:
                raise VideoError(f"{self.path} holds no frame that can be decoded" + self._why())
            self.duration = before.time + before.seconds
            pictures = shaper.shaped(before)
            while step == 0 or step / fps < self.duration - 0.5 / fps:
                yield pictures
                step += 1
            self._compare_with_header(container, stream)

    def _video_stream(self, container: "av.container.InputContainer") -> Any:
        streams = [s for s in container.streams.video if not s.disposition & s.disposition.__class__.attached_pic]
        if not streams:
            what = "an audio file, perhaps with a cover picture" if container.streams.audio else "no video stream"
            raise VideoError(
                f"{self.path} cannot be used: it is {what}" if "audio" in what else f"{self.path} has {what}"
            )
        if len(streams) > 1:
            self.notes.append(f"The file has {len(streams)} video streams, of which the first is read.")
        stream = streams[0]
        if stream.codec_context is None:
            raise VideoError(f"{self.path}: no decoder for its video stream is in this FFmpeg")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MOST_PIXELS:
            raise VideoError(
                f"{self.path}: its header promises frames of {width} x {height} pixels, more than {MOST_PIXELS} in all"
            )
        stream.thread_type = "AUTO"
        return stream

    def _timed(self, container: "av.container.InputContainer", stream: Any) -> Iterator["_Timed"]:
        """Every frame that can be decoded, in the order of presentation, with times from the first frame on."""
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        usual = 1 / rate if rate > 0 else 0.0
        first: float | None = None
        last: _Timed | None = None
        untimed = repeated = 0
        for frame in self._decoded(container, stream):
            self.decoded += 1
            if frame.time is None:
                untimed += 1
                if usual == 0:
                    raise VideoError(f"{self.path} has neither timestamps nor a frame rate, so no frame has a time")
                time = 0.0 if last is None else last.time + usual
            else:
                first = frame.time - (0.0 if last is None else last.time + usual) if first is None else first
                time = frame.time - first
            if last is not None and time <= last.time:
                repeated += 1
                continue
            if last is not None and time - last.time > LONGEST_GAP:
                raise VideoError(
                    f"{self.path}: no frame between {last.time:.1f} s and {time:.1f} s; the timestamps are broken "
                    f"(the longest gap that is taken is {LONGEST_GAP:g} s)"
                )
            own = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
            seconds = own or usual or (time - last.time if last is not None else 0.0)
            last = _Timed(frame, time, seconds)
            yield last
        if untimed:
            self.notes.append(f"{untimed} frames have no timestamp; by the header's rate they are {usual:.4g} s apart.")
        if repeated:
            self.notes.append(f"{repeated} frames do not come after the frame before them and are left out.")

    def _decoded(self, container: "av.container.InputContainer", stream: Any) -> Iterator["av.VideoFrame"]:
        """Frames as the decoder gives them; what cannot be decoded is left out and counted."""
        import av

        broken = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.FFmpegError, OSError) as error:
                self.notes.append(f"The file cannot be read to its end: {_words(error)}.")
                break
            if packet.is_corrupt:
                broken += 1
            try:
                yield from packet.decode()
            except (av.FFmpegError, ValueError):
                broken += 1
        if broken:
            self.notes.append(f"{broken} packets are damaged; what could be decoded of them is used.")

    def _compare_with_header(self, container: "av.container.InputContainer", stream: Any) -> None:
        if stream.duration and stream.time_base:
            stated = float(stream.duration * stream.time_base)
        elif container.duration and len(container.streams) == 1:
            stated = container.duration / 1e6
        else:
            return
        if abs(stated - self.duration) > max(1.0, 0.02 * stated):
            self.notes.append(f"The header says {stated:.1f} s, and the frames last {self.duration:.1f} s.")

    def _why(self) -> str:
        return f" ({' '.join(self.notes)})" if self.notes else ""


@dataclass(frozen=True)
class _Timed:
    frame: "av.VideoFrame"
    time: float  # seconds from the first frame
    seconds: float  # how long it is shown if it is the last


class _Shaper:
    """Resizes, turns and crops frames to each of some sizes, all frames alike: the first frame decides the shape."""

    def __init__(self, sizes: Sequence[FrameSize]) -> None:
        self.sizes = sizes
        self.shape: tuple[int, int] | None = None  # (width, height) of the first frame, before it is turned

    def shaped(self, timed: _Timed) -> tuple[NDArray[np.uint8], ...]:
        frame = timed.frame
        self.shape = self.shape or (frame.width, frame.height)
        turns = round(frame.rotation / 90) % 4
        made: dict[tuple[int, int], NDArray[np.uint8]] = {}
        pictures = []
        for size in self.sizes:
            wanted = _resized(self.shape, size.short_side)
            if wanted not in made:
                plain: NDArray[Any] = frame.reformat(*wanted, format="rgb24", interpolation="BILINEAR").to_ndarray()
                made[wanted] = np.ascontiguousarray(np.rot90(plain, turns)) if turns else plain
            pictures.append(_cropped(made[wanted], size.crop))
        return tuple(pictures)


def _resized(shape: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    width, height = shape
    if short_side is None:
        return width, height
    scale = short_side / min(width, height)
    return max(short_side, round(width * scale)), max(short_side, round(height * scale))


def _cropped(picture: NDArray[np.uint8], crop: int | None) -> NDArray[np.uint8]:
    if crop is None:
        return picture
    top, left = (picture.shape[0] - crop) // 2, (picture.shape[1] - crop) // 2
    return picture[top : top + crop, left : left + crop]


def _words(error: Exception) -> str:
    """What FFmpeg says, without its number and the path."""
    return str(getattr(error, "strerror", None) or error).rstrip(".")
