"""Broken and odd video files, made with PyAV, and what becomes of each: the table that docs/video.md shows."""

import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

FRAMES = 40  # of a file, unless its maker says otherwise; at 25 frames a second, 1.6 s
HEIGHT, WIDTH = 48, 64


@dataclass(frozen=True)
class OddFile:
    """A file, and what becomes of it."""

    name: str  # with the suffix that it has on disk
    what: str  # what is odd about it, as docs/video.md says it
    make: Callable[[Path], None]  # writes it
    seconds: float | tuple[float, float] | None = 1.6  # its duration by amsx, or bounds; None: it is refused
    says: str = ""  # what its note, or the reason for refusing it, holds

    @property
    def outcome(self) -> str:
        """What becomes of it, as docs/video.md says it."""
        if self.seconds is None:
            return "refused"
        length = "what is there" if isinstance(self.seconds, tuple) else f"{self.seconds:.4g} s"
        return f"{length}, with a note" if self.says else length


def write(
    path: Path,
    *,
    codec: str = "libx264",
    frames: int = FRAMES,
    rate: Fraction | int = 25,
    times: Sequence[float] | None = None,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    pixels: str = "yuv420p",
    container: str | None = None,
    audio: float = 0.0,
    videos: int = 1,
    container_options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
) -> None:
    """A picture that moves over noise. times: seconds of every frame; audio: seconds of a second stream."""
    with av.open(str(path), "w", format=container, options=container_options or {}) as out:
        streams: list[Any] = [out.add_stream(codec, rate=rate, options=codec_options or {}) for _ in range(videos)]
        clock = Fraction(1, 1000) if times is not None else 1 / Fraction(rate)
        for stream in streams:
            stream.height, stream.width = size
            stream.pix_fmt, stream.codec_context.time_base = pixels, clock
        sound: Any = out.add_stream("aac", rate=8000) if audio else None
        if sound is not None:
            for packet in _silence(sound, audio):
                out.mux(packet)
        for number, picture in enumerate(pictures(frames, size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if times is None else round(times[number] * 1000)
            frame.time_base = clock
            for stream in streams:
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode())


def pictures(count: int, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    height, width = size
    noise = generator.integers(0, 120, (height, width, 3), np.uint8)
    for number in range(count):
        picture = noise.copy()
        picture[: height // 2, (number * 2) % width : (number * 2) % width + width // 4] = 220
        yield picture


def _silence(stream: Any, seconds: float) -> Iterator[Any]:
    for begin in range(0, round(seconds * 8000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, begin, Fraction(1, 8000)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def video(**how: Any) -> Callable[[Path], None]:
    return lambda path: write(path, **how)


def changed(change: Callable[[bytes], bytes], **how: Any) -> Callable[[Path], None]:
    """A sound file whose bytes are changed."""

    def make(path: Path) -> None:
        write(path, **how)
        path.write_bytes(change(path.read_bytes()))

    return make


def content(data: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(data)

    return make


def up_to(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(len(data) * share)]


def spoiled(begin: float, end: float, value: int | None = None) -> Callable[[bytes], bytes]:
    """Overwrites the bytes between two shares of the file with `value`, or with noise."""

    def change(data: bytes) -> bytes:
        first, last = int(len(data) * begin), int(len(data) * end)
        noise = np.random.default_rng(1).integers(0, 256, last - first, np.uint8).tobytes()
        return data[:first] + (noise if value is None else bytes([value]) * (last - first)) + data[last:]

    return change


def turned(*matrix: int) -> Callable[[bytes], bytes]:
    """Writes a display matrix (a, b, c, d of FFmpeg's `av_display_rotation_set`, in whole turns) into an MP4 file."""

    def change(data: bytes) -> bytes:
        a, b, c, d = (value << 16 for value in matrix)
        place = data.index(b"tkhd") + 4 + 40  # version and flags, times, id, reserved, duration, layer, volume
        return data[:place] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[place + 36 :]

    return change


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        if old not in data:
            raise ValueError(f"the file holds no {old!r}")
        return data.replace(old, new)

    return change


def without_packets(path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        out.start_encoding()


def only_sound(path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("pcm_s16le" if path.suffix == ".wav" else "aac", rate=8000)
        if path.suffix == ".wav":
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
            frame.sample_rate = 8000
            out.mux(stream.encode(frame))
        else:
            out.mux(list(_silence(stream, 1.0)))


def wave_named_video(path: Path) -> None:
    other = path.with_suffix(".wav")
    only_sound(other)
    other.rename(path)


def picture(path: Path) -> None:
    from PIL import Image

    Image.fromarray(next(pictures(1, (HEIGHT, WIDTH)))).save(path, format="png" if path.suffix == ".png" else "jpeg")


def song_with_cover(path: Path) -> None:
    """Sound and one picture that is marked as its cover."""
    with av.open(str(path), "w", format="mp4") as out:
        cover: Any = out.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = HEIGHT, WIDTH, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound: Any = out.add_stream("aac", rate=8000)
        frame = av.VideoFrame.from_ndarray(next(pictures(1, (HEIGHT, WIDTH))), format="rgb24")
        frame.pts = 0
        out.mux([*cover.encode(frame), *cover.encode(None)])
        out.mux(list(_silence(sound, 1.0)))


def joined(*parts: dict[str, Any]) -> Callable[[Path], None]:
    """The bytes of several files, one behind the other."""

    def make(path: Path) -> None:
        data = b""
        for part in parts:
            write(path, **part)
            data += path.read_bytes()
        path.write_bytes(data)

    return make


def archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("video.mp4", b"\0" * 1000)


def without_some_packets(data: bytes) -> bytes:
    """An MPEG transport stream of which every ninth packet of 188 bytes was lost, as in a broadcast."""
    packets = [data[begin : begin + 188] for begin in range(0, len(data), 188)]
    return b"".join(packet for number, packet in enumerate(packets) if number < 9 or number % 9)


def shifted_edit(data: bytes) -> bytes:
    """An MP4 file whose edit list begins 10 frames after the first."""
    place = data.index(b"elst") + 4 + 4 + 4 + 4  # version and flags, entries, duration of the edit
    per_frame = struct.unpack(">I", data[data.index(b"stts") + 16 : data.index(b"stts") + 20])[0]
    (media_time,) = struct.unpack(">i", data[place : place + 4])
    return data[:place] + struct.pack(">i", media_time + 10 * per_frame) + data[place + 4 :]


FAST = {"movflags": "faststart"}
AT_FRONT: dict[str, Any] = {"container_options": FAST}
KEYS: dict[str, Any] = {"codec_options": {"g": "8"}}
STEADY = [number / 25 for number in range(FRAMES)]
GAPS = [0.0, 0.04, 0.4, 0.44, 1.0, 1.04]
PART = (0.04, 1.4)  # seconds: how many frames survive depends on the encoder
HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n"

ODD_FILES = (
    # Not a video at all.
    OddFile("empty.mp4", "zero bytes", content(b""), None, "cannot be opened"),
    OddFile("text.mp4", "a text file", content(b"no video\n" * 500), None, "cannot be opened"),
    OddFile("page.mp4", "the web page of a dead download", content(HTML * 20), None, "cannot be opened"),
    OddFile("noise.mkv", "random bytes", content(np.random.default_rng(2).bytes(20_000)), None, "cannot be opened"),
    OddFile("zeros.avi", "nothing but zeros", content(bytes(20_000)), None, "cannot be opened"),
    OddFile("archive.mp4", "a ZIP archive", archive, None, "cannot be opened"),
    OddFile("photo.mp4", "a JPEG picture", picture, None, "no video format"),
    OddFile("photo.png", "a PNG picture", picture, None, "cannot be opened"),
    OddFile(
        "list.mp4",
        "a playlist that names another file",
        content(b"#EXTM3U\n#EXTINF:1,\na.ts\n"),
        None,
        "cannot be opened",
    ),
    OddFile(
        "frames.mp4",
        "a script that names other files",
        content(b"ffconcat version 1.0\nfile a.ts\n"),
        None,
        "cannot be opened",
    ),
    # Sound.
    OddFile("sound.mp4", "an audio stream alone", only_sound, None, "audio"),
    OddFile("sound.avi", "a WAV file", wave_named_video, None, "cannot be opened"),
    OddFile("cover.mp4", "an audio stream with a cover picture", song_with_cover, None, "cover"),
    OddFile("longer-sound.mp4", "audio that goes on for longer than the video", video(audio=4.0)),
    # Truncated.
    OddFile("half.mp4", "half of an MP4 file whose index is at its end", changed(up_to(0.5)), None, "cannot be opened"),
    OddFile(
        "half-index-first.mp4",
        "60 % of an MP4 file whose index is at its start",
        changed(up_to(0.6), **AT_FRONT),
        PART,
        "header says",
    ),
    OddFile(
        "index-alone.mp4",
        "an MP4 file that ends behind its index",
        changed(lambda data: data[: data.index(b"mdat") + 4], **AT_FRONT),
        None,
        "no frame",
    ),
    OddFile(
        "last-byte.mp4",
        "the last byte is missing",
        changed(lambda data: data[:-1], **AT_FRONT),
        1.6,
        "Damaged packets: 1",
    ),
    OddFile("header.mp4", "the first 40 bytes", changed(up_to(0.01)), None, "cannot be opened"),
    OddFile("half.avi", "80 % of an AVI file", changed(up_to(0.8), codec="mpeg4"), PART, "amaged"),
    OddFile(
        "header.avi",
        "an AVI file's header",
        changed(lambda data: data[: data.index(b"movi") + 4], codec="mpeg4"),
        None,
        "no frame",
    ),
    OddFile("half.mkv", "half of a Matroska file", changed(up_to(0.5)), PART, "header says"),
    OddFile(
        "half.webm",
        "half of a WebM file",
        changed(up_to(0.5), codec="libvpx", codec_options={"cpu-used": "8"}),
        PART,
        "header says",
    ),
    OddFile("half.ts", "half of an MPEG transport stream", changed(up_to(0.5)), PART, ""),
    OddFile("half.flv", "half of a Flash video", changed(up_to(0.5)), PART, "header says"),
    OddFile(
        "half-fragmented.mp4",
        "half of a fragmented MP4 file",
        changed(up_to(0.5), container_options={"movflags": "frag_keyframe+empty_moov"}, **KEYS),
        PART,
        "Damaged",
    ),
    # Damaged in the middle.
    OddFile(
        "damaged.avi",
        "a tenth of an AVI file overwritten by zeros",
        changed(spoiled(0.75, 0.85, 0), codec="mpeg4", **KEYS),
        PART,
        "amaged",
    ),
    OddFile(
        "damaged.mp4",
        "a tenth of an MP4 file overwritten by noise",
        changed(spoiled(0.4, 0.5), **AT_FRONT, **KEYS),
        1.6,
        "amaged",
    ),
    OddFile(
        "damaged.mkv",
        "a tenth of a Matroska file overwritten by zeros",
        changed(spoiled(0.4, 0.5, 0), **KEYS),
        1.6,
        "amaged",
    ),
    OddFile(
        "damaged.webm",
        "a tenth of a WebM file overwritten by noise",
        changed(spoiled(0.4, 0.5), codec="libvpx", codec_options={"g": "8", "cpu-used": "8"}),
        1.6,
        "",
    ),
    OddFile(
        "lost-packets.ts",
        "every ninth packet of a transport stream is lost",
        changed(without_some_packets, **KEYS),
        1.6,
        "Damaged",
    ),
    OddFile(
        "damaged-start.mkv",
        "the first picture is damaged",
        changed(spoiled(0.06, 0.15, 0), **KEYS),
        1.6,
        "after the start",
    ),
    # Few frames.
    OddFile("no-packets.avi", "a video stream without a packet", without_packets, None, "no frame"),
    OddFile("one-frame.mp4", "one frame", video(frames=1), 0.04, ""),
    OddFile("two-frames.mp4", "two frames", video(frames=2), 0.08, ""),
    OddFile("moving.gif", "an animated GIF", video(codec="gif", pixels="rgb8", rate=10, frames=16), 1.6, ""),
    # Sizes and pixels.
    OddFile(
        "large-header.mkv",
        "a header that promises 20000 x 20000 pixels before frames of 320 x 320",
        changed(
            replaced(b"\xb0\x82\x01\x40\xba\x82\x01\x40", b"\xb0\x82\x4e\x20\xba\x82\x4e\x20"),
            codec="mjpeg",
            pixels="yuvj420p",
            size=(320, 320),
            frames=2,
        ),
        0.08,
        "",
    ),
    OddFile("odd-size.mkv", "frames of 63 x 47 pixels", video(codec="ffv1", size=(47, 63), pixels="yuv444p"), 1.6, ""),
    OddFile("tiny.mkv", "frames of 2 x 2 pixels", video(codec="ffv1", size=(2, 2), pixels="yuv444p"), 1.6, ""),
    OddFile(
        "ribbon.mkv",
        "frames of 2000 x 2 pixels",
        video(codec="ffv1", size=(2, 2000), pixels="yuv444p", frames=4),
        None,
        "shape",
    ),
    OddFile(
        "huge-header.avi",
        "a header that promises 65535 x 65535 pixels",
        changed(replaced(struct.pack("<2I", WIDTH, HEIGHT), struct.pack("<2I", 65535, 65535)), codec="rawvideo"),
        None,
        "no frame",
    ),
    OddFile(
        "sizes.ts",
        "frames of another size from the middle on",
        joined({"frames": 20}, {"frames": 20, "size": (96, 64)}),
        1.6,
        "size",
    ),
    OddFile("ten-bit.mkv", "10 bits a colour", video(codec="ffv1", pixels="yuv420p10le"), 1.6, ""),
    OddFile("grey.mkv", "grey frames", video(codec="ffv1", pixels="gray"), 1.6, ""),
    OddFile("alpha.mov", "frames with transparency", video(codec="png", pixels="rgba"), 1.6, ""),
    OddFile("chroma.mp4", "full colour resolution (4:4:4)", video(pixels="yuv444p"), 1.6, ""),
    # Turned.
    OddFile("turned-90.mp4", "turned by 90 degrees by its header", changed(turned(0, 1, -1, 0)), 1.6, ""),
    OddFile("turned-180.mp4", "turned by 180 degrees by its header", changed(turned(-1, 0, 0, -1)), 1.6, ""),
    OddFile("turned-270.mp4", "turned by 270 degrees by its header", changed(turned(0, -1, 1, 0)), 1.6, ""),
    OddFile("mirrored.mp4", "mirrored by its header", changed(turned(-1, 0, 0, 1)), 1.6, ""),
    # Times.
    OddFile("variable.mkv", "a variable rate, with a gap of 0.56 s", video(times=GAPS, frames=len(GAPS)), 1.08, ""),
    OddFile("late-start.mkv", "timestamps that begin at 100 s", video(times=[100 + time for time in STEADY]), 1.6, ""),
    OddFile(
        "negative.nut",
        "timestamps that begin at -0.4 s",
        video(times=[time - 0.4 for time in STEADY], codec="mpeg4", container="nut"),
        1.6,
        "",
    ),
    OddFile(
        "same-times.mkv",
        "pairs of frames with one timestamp",
        video(codec="ffv1", pixels="yuv420p", times=[number // 2 * 0.08 for number in range(FRAMES)]),
        1.56,
        "come after",
    ),
    OddFile(
        "restarted.ts", "two recordings in one file, whose timestamps start again", joined({}, {}), 3.2, "start again"
    ),
    OddFile(
        "long-gap.mkv",
        "a gap of an hour between two frames",
        video(times=[0, 0.04, 0.08, 3600, 3600.04], frames=5),
        None,
        "gap",
    ),
    OddFile("raw.h264", "a bare H.264 stream, without timestamps", video(container="h264"), 1.6, "timestamp"),
    OddFile("raw.m4v", "a bare MPEG-4 stream, without timestamps", video(codec="mpeg4", container="m4v"), 1.6, ""),
    OddFile(
        "b-frames.avi",
        "H.264 with reordered frames in AVI, which has decoding times alone",
        video(codec_options={"bf": "2"}),
        1.6,
        "",
    ),
    OddFile("ntsc.mp4", "30000 / 1001 frames a second", video(rate=Fraction(30000, 1001), frames=48), 1.6016, ""),
    OddFile("slow.mp4", "1 frame a second", video(rate=1, frames=4), 4.0, ""),
    OddFile("fast.mp4", "1000 frames a second", video(rate=1000, frames=200), 0.2, ""),
    OddFile("edit-list.mp4", "an edit list that leaves out the first 10 frames", changed(shifted_edit), 1.2, ""),
    OddFile(
        "delayed.mp4",
        "an edit list that begins 0.5 s before the first frame",
        video(times=[0.5 + time for time in STEADY]),
        1.6,
        "",
    ),
    # Containers.
    OddFile(
        "live.webm",
        "a WebM file without a duration",
        video(codec="libvpx", container_options={"live": "1"}, codec_options={"cpu-used": "8"}),
        1.6,
        "",
    ),
    OddFile("live.mkv", "a Matroska file without a duration", video(container_options={"live": "1"}), 1.6, ""),
    OddFile(
        "no-duration.flv",
        "a Flash video without a duration",
        video(container_options={"flvflags": "no_duration_filesize"}),
        1.6,
        "",
    ),
    OddFile(
        "fragmented.mp4",
        "a fragmented MP4 file, whose index has no duration",
        video(container_options={"movflags": "frag_keyframe+empty_moov"}),
        1.6,
        "",
    ),
    OddFile("matroska.mp4", "a Matroska file with the suffix of another", video(container="matroska"), 1.6, ""),
    OddFile("video.jpg", "an MP4 file with the suffix of a picture", video(container="mp4"), 1.6, ""),
    OddFile("two-videos.mkv", "two video streams", video(videos=2), 1.6, "2 video streams"),
    OddFile(
        "unknown-codec.mp4", "a codec that FFmpeg does not know", changed(replaced(b"avc1", b"zzzz")), None, "decode"
    ),
    OddFile("old.mpg", "MPEG-2", video(codec="mpeg2video"), 1.6, ""),
    OddFile("windows.wmv", "Windows Media Video", video(codec="wmv2"), 1.6, ""),
    OddFile("camera.avi", "Motion JPEG", video(codec="mjpeg", pixels="yuvj420p"), 1.6, ""),
    OddFile(
        "new.mp4",
        "AV1",
        video(codec="libsvtav1", codec_options={"preset": "12", "svtav1-params": "lp=1"}, frames=10),
        0.4,
        "",
    ),
    # Names that FFmpeg would take for something else.
    OddFile(
        "12:30 %03d [a].mp4",
        "a name with a colon, as of a protocol, and with a number, as of a pattern",
        video(),
        1.6,
        "",
    ),
    OddFile("-ümlaut 日本.mp4", "a name that begins with a dash and holds other letters", video(), 1.6, ""),
)
