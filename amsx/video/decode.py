"""Frames of a video file at a constant rate, decoded forward once with PyAV (FFmpeg comes inside its package)."""

import errno
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from amsx.video.extractors import FrameSize
from amsx.video.pictures import Shaper

if TYPE_CHECKING:
    import av

LONGEST_GAP = 600.0  # seconds without a frame; a longer gap is a broken timestamp, not a still picture
RESTART = 0.5  # seconds; timestamps that fall back by more start again, by less are out of order
MOST_ELONGATED = 32  # the ratio of a frame's sides; resizing the short one would make the long one huge
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
    _resized: bool = field(default=False, repr=False)  # whether frames have changed their size
    _restarts: int = field(default=0, repr=False)  # how often the timestamps have started again

    def frames(self, fps: float, sizes: Sequence[FrameSize]) -> Iterator[tuple[NDArray[np.uint8], ...]]:
        """The frames at the times 0, 1 / fps, 2 / fps, ... from the first frame, each in every one of `sizes`.

        Each is (H, W, 3), uint8 RGB. The timestamp of every frame is rounded to the nearest of these times, and
        the frame is shown from there until the next frame's, as FFmpeg's filter `fps` does: frames are repeated or left
        out where the file's rate is another or varies. The file's display matrix, which turns and mirrors, is applied.
        VideoError where the file has no frame.
        """
        import av

        try:
            container = av.open(
                str(self.path.absolute()),  # FFmpeg would take what is before a colon for a protocol
                options={"format_whitelist": FORMATS, "protocol_whitelist": "file"},
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"{self.path} cannot be opened as a video: {_words(error)}") from error
        with container:
            stream = self._video_stream(container)
            shaper = Shaper(sizes)
            before: _Timed | None = None
            step = 0  # how many frames have been given out
            for frame in self._timed(container, stream):
                if before is not None:
                    pictures = None
                    while step < _step(frame.time, fps):
                        pictures = pictures or shaper.shaped(before.frame)
                        yield pictures
                        step += 1
                before = frame
            if before is None:
                raise VideoError(f"{self.path} holds no frame that can be decoded" + self._why())
            self.duration = before.time + before.seconds
            pictures = shaper.shaped(before.frame)
            while step == 0 or step < _step(self.duration, fps):
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
        stream.thread_type = "SLICE"  # a thread for each frame loses sound frames beside a damaged one
        return stream

    def _timed(self, container: "av.container.InputContainer", stream: Any) -> Iterator["_Timed"]:
        """Every frame that can be decoded, in the order of presentation, with times from the start of the stream on."""
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        usual = 1 / rate if rate > 0 else 0.0
        in_order = container.format.name == "avi"  # whose times are those of decoding
        shape: tuple[int, int] | None = None
        shift: float | None = None  # what a timestamp is more than the time
        last: _Timed | None = None
        untimed = repeated = 0
        for frame in self._decoded(container, stream):
            self.decoded += 1
            shape = self._check_shape(frame, shape)
            ticks = frame.dts if in_order else frame.pts
            if ticks is None or frame.time_base is None:
                untimed += not in_order  # the last frames of AVI have no time of decoding
                if usual == 0:
                    raise VideoError(f"{self.path} has neither timestamps nor a frame rate, so no frame has a time")
                time = 0.0 if last is None else last.time + usual
            else:
                stamp = float(ticks * frame.time_base)
                if shift is None and last is None:
                    shift = stamp if in_order else self._start(stamp, stream, usual)
                if shift is None or (last is not None and last.time - (stamp - shift) > RESTART):
                    self._restarts += shift is not None
                    shift = stamp - (last.time + last.seconds if last is not None else 0.0)
                time = stamp - shift
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
            self.notes.append(
                f"Frames without a timestamp: {untimed}; by the header's rate they are {usual:.4g} s apart."
            )
        if self._restarts:
            self.notes.append(
                f"The timestamps start again {_times(self._restarts)}, as where recordings are joined; the time runs "
                "on there."
            )
        if repeated:
            self.notes.append(f"Frames left out because they do not come after the frame before them: {repeated}.")

    def _start(self, first: float, stream: Any, usual: float) -> float:
        """The timestamp at which time begins: that of the first frame, or of the stream where its beginning is lost."""
        if stream.start_time is None or not stream.time_base:
            return first
        start = float(stream.start_time * stream.time_base)
        if not 1.5 * usual < first - start <= LONGEST_GAP:
            return first
        self.notes.append(
            f"The first frame that can be decoded comes {first - start:.2f} s after the start of the stream; it stands "
            "for what is before it."
        )
        return start

    def _check_shape(self, frame: "av.VideoFrame", before: tuple[int, int] | None) -> tuple[int, int]:
        """The frame's (width, height); a change is noted, and a shape that cannot be resized is a VideoError."""
        width, height = frame.width, frame.height
        if max(width, height) > MOST_ELONGATED * min(width, height):
            raise VideoError(
                f"{self.path}: frames of {width} x {height} pixels have a shape that cannot be resized; expected sides "
                f"that differ by a factor of at most {MOST_ELONGATED}"
            )
        if before is not None and (width, height) != before and not self._resized:
            self._resized = True
            self.notes.append(
                f"The size of the frames changes from {before[0]} x {before[1]} pixels to {width} x {height}; all are "
                "resized to the shape of the first."
            )
        return width, height

    def _decoded(self, container: "av.container.InputContainer", stream: Any) -> Iterator["av.VideoFrame"]:
        """Frames as the decoder gives them; what cannot be decoded is left out and counted."""
        import av

        packets_damaged = frames_damaged = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.FFmpegError, OSError) as error:
                self.notes.append(f"The file cannot be read to its end: {_words(error)}.")
                break
            damaged = packet.is_corrupt
            try:
                for frame in packet.decode():
                    frames_damaged += frame.is_corrupt
                    yield frame
            except (av.FFmpegError, ValueError):
                damaged = True
            packets_damaged += damaged
        if packets_damaged:
            self.notes.append(f"Damaged packets: {packets_damaged}; what could be decoded of them is used.")
        if frames_damaged:
            self.notes.append(f"Damaged frames, of which the decoder has guessed a part: {frames_damaged}.")

    def _compare_with_header(self, container: "av.container.InputContainer", stream: Any) -> None:
        if self._restarts:  # the header states the times of one recording
            return
        if stream.duration and stream.time_base:
            stated = float(stream.duration * stream.time_base)
        elif container.duration and len(container.streams) == 1:
            stated = container.duration / 1e6
        else:
            return
        begin = max(
            0.0, float((stream.start_time or 0) * (stream.time_base or 0))
        )  # Matroska states the end as duration
        if min(abs(stated - self.duration), abs(stated - begin - self.duration)) > max(1.0, 0.02 * stated):
            self.notes.append(f"The header says {stated:.1f} s, and the frames last {self.duration:.1f} s.")

    def _why(self) -> str:
        return f" ({' '.join(self.notes)})" if self.notes else ""


@dataclass(frozen=True)
class _Timed:
    frame: "av.VideoFrame"
    time: float  # seconds from the first frame
    seconds: float  # how long it is shown if it is the last


def _step(time: float, fps: float) -> int:
    """The number of the step of 1 / fps seconds that is nearest to `time`; of two, the later one."""
    return math.floor(time * fps + 0.5 + 1e-6)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _words(error: Exception) -> str:
    """What FFmpeg says, without its number and the path."""
    if getattr(error, "errno", None) == errno.EINVAL:
        return "its content is of no video format that amsx reads"
    return str(getattr(error, "strerror", None) or error).rstrip(".")
