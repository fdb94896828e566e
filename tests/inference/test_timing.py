"""Where snippets lie in time is said or known, and never guessed."""

import pytest

from amsx.data.videos import Timebase
from amsx.inference.timing import Timing, timebase_of

RUN = Timebase(0.64)
SHIFTED = Timebase(0.16, offset=0.24)
NOTHING = Timing()


@pytest.mark.parametrize(
    ("given", "stated", "run", "expected"),
    [
        (NOTHING, NOTHING, RUN, RUN),
        (NOTHING, NOTHING, SHIFTED, SHIFTED),
        (Timing(offset=1), NOTHING, SHIFTED, Timebase(0.16, 1)),
        (Timing(snippet_seconds=0.5), NOTHING, RUN, Timebase(0.5)),
        (Timing(fps=30, stride=15), NOTHING, RUN, Timebase(0.5)),
        (Timing(fps=30, stride=15, snippet_seconds=0.5), NOTHING, None, Timebase(0.5)),
        (Timing(stride=15), Timing(fps=30), RUN, Timebase(0.5)),
        (NOTHING, Timing(fps=30, stride=15, offset=0), SHIFTED, Timebase(0.5)),
        (Timing(snippet_seconds=0.16), NOTHING, SHIFTED, SHIFTED),
        (Timing(snippet_seconds=0.5, offset=0), NOTHING, SHIFTED, Timebase(0.5)),
        (Timing(fps=29.97), Timing(fps=30000 / 1001, stride=16), RUN, Timebase(16 / 29.97)),
    ],
)
def test_what_is_said_counts_and_the_run_fills_in(given, stated, run, expected):
    found = timebase_of(given, stated, run, "x.npy", "it is not recorded")
    assert found.snippet_seconds == pytest.approx(expected.snippet_seconds)
    assert found.offset == expected.offset


@pytest.mark.parametrize(
    ("given", "stated", "run", "message"),
    [
        (NOTHING, NOTHING, None, "nothing says how long a snippet is: it is not recorded; give snippet_seconds"),
        (Timing(fps=25), NOTHING, RUN, "fps is 25, but stride is not known; give stride .*--stride"),
        (NOTHING, Timing(stride=16), RUN, "stride is 16, but fps is not known; give fps"),
        (Timing(fps=25), Timing(fps=30), RUN, "the options say fps = 25, but its file says 30"),
        (Timing(snippet_seconds=1), Timing(fps=25, stride=16), RUN, "snippet_seconds = 1 contradicts a stride of 16"),
        (Timing(snippet_seconds=0.5), NOTHING, SHIFTED, "first snippet starts at 0.24 s.* give offset"),
    ],
)
def test_doubt_is_an_error(given, stated, run, message):
    with pytest.raises(ValueError, match=rf"^x\.npy: .*{message}"):
        timebase_of(given, stated, run, "x.npy", "it is not recorded")


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "25", True])
def test_numbers_that_are_none(value):
    with pytest.raises(ValueError, match="fps must be a positive number"):
        Timing(fps=value)
    if value not in (0, -1):
        with pytest.raises(ValueError, match="offset must be a finite number"):
            Timing(offset=value)
