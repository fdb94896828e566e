"""Where the snippets of new features lie in time: what options and files say of it, and what the run knows."""

import math
from dataclasses import dataclass, fields

from amsx.data.videos import Timebase

SAME = 1e-3  # share by which two statements of one number may differ: rates are written as 29.97 and as 30000 / 1001
WAYS = "snippet_seconds, or fps and stride (on the command line --snippet-seconds, or --fps and --stride)"


@dataclass(frozen=True)
class Timing:
    """What somebody says of the time of snippets. None: nothing."""

    fps: float | None = None  # frames per second
    stride: float | None = None  # frames from one snippet to the next
    snippet_seconds: float | None = None  # seconds from one snippet to the next
    offset: float | None = None  # seconds at which the first snippet starts

    def __post_init__(self) -> None:
        for name in ("fps", "stride", "snippet_seconds"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and 0 < value < math.inf):
                raise ValueError(f"{name} must be a positive number, got {value!r}")
        if self.offset is not None and not (_is_number(self.offset) and math.isfinite(self.offset)):
            raise ValueError(f"offset must be a finite number of seconds, got {self.offset!r}")

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return any(getattr(self, field.name) is not None for field in fields(self))

    def joined(self, other: "Timing", names: tuple[str, str]) -> "Timing":
        """What both say together; ValueError, which calls them by `names`, where they say different things."""
        for field in fields(self):
            own, others = getattr(self, field.name), getattr(other, field.name)
            if own is not None and others is not None and not math.isclose(own, others, rel_tol=SAME):
                raise ValueError(f"{names[0]} say {field.name} = {own:g}, but {names[1]} says {others:g}")
        known = {f.name: getattr(self if getattr(self, f.name) is not None else other, f.name) for f in fields(self)}
        return Timing(**known)

    def seconds(self, where: str) -> float | None:
        """Seconds from one snippet to the next; None where nothing is said of it.

        ValueError, which begins with `where`, where that is not enough to tell, or contradicts itself.
        """
        from_frames = None if self.fps is None or self.stride is None else self.stride / self.fps
        if self.snippet_seconds is None and from_frames is None and (self.fps, self.stride) != (None, None):
            known, lacking = ("stride", "fps") if self.fps is None else ("fps", "stride")
            raise ValueError(
                f"{where}: {known} is {getattr(self, known):g}, but {lacking} is not known; give {lacking} "
                f"(on the command line --{lacking})"
            )
        given = self.snippet_seconds
        if given is not None and from_frames is not None and not math.isclose(given, from_frames, rel_tol=SAME):
            raise ValueError(
                f"{where}: snippet_seconds = {given:g} contradicts a stride of {self.stride:g} frames at {self.fps:g} "
                f"fps, which is {from_frames:g} s"
            )
        return from_frames if given is None else given


def timebase_of(given: Timing, stated: Timing, run: Timebase | None, where: str, why_unknown: str) -> Timebase:
    """The timebase of one video: what options (`given`) and its files (`stated`) say together, else the run's.

    ValueError, which begins with `where`, where the two contradict each other, where neither they nor the run say it
    (`why_unknown` is the reason why the run does not), and where the start of the first snippet is in doubt.
    """
    said = given.joined(stated, (f"{where}: the options", "its file"))
    seconds = said.seconds(where)
    if seconds is None:
        if run is None:
            raise ValueError(f"{where}: nothing says how long a snippet is: {why_unknown}; give {WAYS}")
        return run if said.offset is None else Timebase(run.snippet_seconds, said.offset)
    if said.offset is not None:
        return Timebase(seconds, said.offset)
    if run is None or run.offset == 0:
        return Timebase(seconds)
    if math.isclose(seconds, run.snippet_seconds, rel_tol=SAME):
        return Timebase(seconds, run.offset)
    raise ValueError(
        f"{where}: the run's first snippet starts at {run.offset:g} s, for snippets of {run.snippet_seconds:g} s. "
        f"Where it starts for snippets of {seconds:g} s is not known; give offset (on the command line --offset)"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
