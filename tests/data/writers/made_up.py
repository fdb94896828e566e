"""Small data sets to be written, drawn at random or not, of which no layout's peculiarity is assumed."""

import numpy as np
from hypothesis import strategies as st

from amsx.data.features import FeatureArray
from amsx.data.videos import Dataset, Segment, Timebase, Video

SIDE_BY_SIDE = Timebase(0.64)
OVERLAPPING = Timebase(4 / 30, 6 / 30)  # clips of 16 frames every 4 frames at 30 fps: the first is centred at frame 8


def video(name, subset="train", *, dims, n=30, labels=("a",), segments=None, timebase=SIDE_BY_SIDE, duration=None):
    """A video with a segment of each label, unless others are given."""
    rng = np.random.default_rng([n, *name.encode()])
    streams = {stream: FeatureArray(rng.standard_normal((n, d)).astype("f4")) for stream, d in dims.items()}
    if segments is None:
        segments = tuple(Segment(0.1 + i, 1.3 + i, label) for i, label in enumerate(labels))
    return Video(name, subset, streams, labels, segments, timebase, duration)


def dataset(*videos):
    training = [v for v in videos if v.subset == "train"]
    return Dataset(None, "made up", tuple(sorted({x for v in training or videos for x in v.labels})), videos)


def usual(dims, timebase=SIDE_BY_SIDE, *, stated=True):
    """Training and test videos of several classes, one of which only a test video has, and of several lengths."""

    def made(name, subset, n, labels):
        duration = n * timebase.snippet_seconds + 2 * timebase.offset + 0.01 if stated else None
        return video(name, subset, dims=dims, n=n, labels=labels, timebase=timebase, duration=duration)

    return dataset(
        made("video_1", "test", 41, ("a", "c")),
        made("v_2", "train", 30, ("a",)),
        made("2", "train", 33, ("a", "b é")),
        made("-x.1", "train", 64, ("b é",)),
        made("y", "test", 50, ("b é",)),
    )


LABELS = st.lists(st.sampled_from(["a", "b c", "é", "Diving/1"]), max_size=3, unique=True).map(sorted).map(tuple)
SECONDS = st.floats(0.01, 4, allow_nan=False)
TIMEBASES = st.one_of(
    st.builds(Timebase, SECONDS),
    st.builds(Timebase, SECONDS, st.floats(-1, 2)),
    st.builds(
        lambda stride, fps: Timebase(stride / fps, (16 - stride) / 2 / fps), st.integers(1, 16), st.floats(5, 60)
    ),
)


@st.composite
def segments(draw, labels):
    """Of any labels of all those in `labels`."""
    if not labels:
        return ()
    starts = draw(st.lists(st.floats(0, 50), max_size=3))
    return tuple(
        Segment(start, start + draw(st.floats(0.1, 9)), draw(st.sampled_from(sorted(labels)))) for start in starts
    )


@st.composite
def datasets(draw, dims=None, one_timebase=False, consistent=False):
    """Of any streams and timebases, unless they are given or shared; `consistent`: segments have the video's labels."""
    dims = dims or draw(st.sampled_from([{"features": 3}, {"rgb": 2, "flow": 2}, {"rgb": 2, "flow": 3}, {"flow": 4}]))
    shared = draw(TIMEBASES) if one_timebase else None
    names = draw(st.lists(st.from_regex(r"[a-z_v.-][a-z0-9_.-]{0,5}", fullmatch=True), min_size=1, max_size=4))
    videos = []
    for name in sorted(set(names) - {".", ".."}) or ["v"]:
        subset = draw(st.sampled_from(["train", "test"]))
        labels = draw(LABELS) or (("a",) if subset == "train" or not videos else ())
        videos.append(
            video(
                name,
                subset,
                dims=dims,
                n=draw(st.integers(1, 40)),
                labels=labels,
                segments=draw(segments(labels if consistent else {*labels, "a", "z"})),
                timebase=shared or draw(TIMEBASES),
                duration=draw(st.one_of(st.none(), st.floats(0.5, 200))),
            )
        )
    return dataset(*videos)
