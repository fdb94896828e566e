"""The streams rgb and flow, and in names of files some others, by the names that folders, files and arrays have."""

import re
from collections.abc import Iterable

WORD = re.compile(r"(?<![a-z])(?:[Oo]ptical)?(rgb|Rgb|RGB|flow|Flow|FLOW)(?![a-z])")
OPTICAL = r"(?:opt(?:ical)?[_.-]?)?"
OTHERS = "r21d|s3d|clip|resnet|timm|vggish"  # further ends of names that video_features gives to files of features
AFFIX = re.compile(
    rf"{OPTICAL}(?P<before>rgb|flow)[_.-](?P<id>.+)|(?P<base>.+?)[_.-](?:{OPTICAL}(?P<after>rgb|flow)|(?P<other>{OTHERS}))",
    re.IGNORECASE,
)


def stream_in(name: str) -> str | None:
    """The stream that a name has as a word: rgb in i3d_rgb, flow in Flow-features; None for neither and for both."""
    words = {word.lower() for word in WORD.findall(name)}
    return words.pop() if len(words) == 1 else None


def stream_of(names: Iterable[str]) -> str | None:
    """The one stream that the parts of a path name, if they name one."""
    streams = {stream for stream in map(stream_in, names) if stream is not None}
    return streams.pop() if len(streams) == 1 else None


def stream_left_open(name: str) -> str:
    """The name with a star in place of its stream, which is the same for rgb and flow: i3d_* of i3d_rgb."""
    return WORD.sub("*", name)


def without_stream(name: str) -> tuple[str, str | None]:
    """A file's name without the stream that it begins or ends with, and the stream: <id>_rgb, <id>-flow, rgb_<id>."""
    match = AFFIX.fullmatch(name)
    if match is None:
        return name, None
    return match["id"] or match["base"], (match["before"] or match["after"] or match["other"]).lower()
