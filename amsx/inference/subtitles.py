"""Detections as subtitles, SubRip (.srt) and WebVTT (.vtt), that name at every moment the actions that go on.

Cues do not overlap: of overlapping cues many players show one alone. Where detections overlap, a cue has a line for
each of them, best first, and a new cue begins wherever one starts or ends.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from amsx.inference.model import Detection


@dataclass(frozen=True)
class Cue:
    """A text that is shown for some time."""

    start: int  # milliseconds
    end: int  # milliseconds, after start
    shown: tuple[Detection, ...]  # best first


def cues(detections: Sequence[Detection]) -> Iterator[Cue]:
    """The cues of detections in any order.

    What is shorter than a millisecond, or before the video begins, is not shown. Of several detections of one class at
    one time, the best is shown.
    """
    spans = [(_milliseconds(d.start), _milliseconds(d.end), d) for d in detections]
    opens: dict[int, list[Detection]] = {}
    closes: dict[int, list[Detection]] = {}
    for start, end, detection in spans:
        if end > start:
            opens.setdefault(start, []).append(detection)
            closes.setdefault(end, []).append(detection)
    active: list[Detection] = []
    pending: Cue | None = None
    edges = sorted({*opens, *closes})
    for edge, following in pairwise(edges):
        for detection in closes.get(edge, ()):
            active.remove(detection)
        active += opens.get(edge, ())
        best: dict[str, Detection] = {}
        for detection in sorted(active, key=lambda d: (-d.score, d.start, d.label)):
            best.setdefault(detection.label, detection)
        shown = tuple(best.values())
        if pending is not None and pending.shown == shown and pending.end == edge:
            pending = Cue(pending.start, following, shown)
            continue
        if pending is not None and pending.shown:
            yield pending
        pending = Cue(edge, following, shown)
    if pending is not None and pending.shown:
        yield pending


def as_srt(detections: Sequence[Detection]) -> str:
    """A SubRip file. The format has no escapes: < and >, which players take for markup, become guillemets."""
    marks = str.maketrans({"<": "\u2039", ">": "\u203a"})
    blocks = [
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_lines(cue, lambda s: s.translate(marks))}\n"
        for number, cue in enumerate(cues(detections), start=1)
    ]
    return "\n".join(blocks)


def as_vtt(detections: Sequence[Detection]) -> str:
    """A WebVTT file, as W3C describes it; &, < and > are escaped."""

    def escaped(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    blocks = [
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_lines(cue, escaped)}\n" for cue in cues(detections)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _lines(cue: Cue, escape: Callable[[str], str]) -> str:
    return "\n".join(f"{escape(' '.join(d.label.split()))} {d.score:.2f}" for d in cue.shown)


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"
