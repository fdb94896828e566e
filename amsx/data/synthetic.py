"""A small synthetic set of untrimmed videos: actions with a core and flanks, amid clutter, in two streams.

The features of snippet t in a stream are, like those after the last ReLU of a network,

    x_t = relu(bias + sum_k a_k(t) u_k + noise_t),

with fixed random directions u_k and activities a_k(t) of

- the video's **scene**, all along; each class prefers one scene, so context says something about the label
  and nothing about when;
- a **nuisance** of the video's own, all along: the camera, the person;
- **actions**: an instance is a core between two flanks, all three annotated as one segment. The core shows
  the class direction. The flanks show little of it, and a direction that two classes share (the run-up of two
  kinds of jump);
- **clutter**, annotated as nothing: episodes of other directions, as long and as strong as actions, in videos
  of any class; some are **look-alikes**, the shared flank direction without an action.

Noise is correlated in time. The edges of actions fall between the edges of snippets; a snippet on an edge has
its share.

Why a branch trained on video labels alone tends to be incomplete here: the cores suffice to tell a video's
label, so the loss is low once they stand out, and what little the flanks show of the class stays below the
threshold. Why the sampler could help: it gives low activations more of the time axis, flanks among them, so
that the pooled evidence has to come from them, too. Why it need not: background and clutter get more of the
time axis, too, and look-alikes make the shared direction a bad guide. A method sees the features and the
video's labels; which snippets are core, flank or clutter is used here to draw them and goes nowhere else.

The default strengths were chosen by looking at the base branch alone: that it finds the actions (mAP near 95
at tIoU 0.1) and not their extent (near 30 at 0.6). So its incompleteness is built in; what the other branch
makes of it is not.

The result (`amsx reproduce synthetic --table 3 --seeds 5`, five trainings on the set of seed 0; mean mAP after
the last iteration): a second branch and the sampler help on every stream and fused (A < B < C); all of AMS is best on
`flow` alone, not better than C on `rgb`, and below C fused. So the set shows the sampler's gain, and not the whole of
the paper's ordering.

Limits. Each of these is an assumption of the generator, not a finding about videos:

- Incompleteness has one cause here, a weak class direction in the flanks, on both sides of one core. Real actions also
  have several discriminative moments, or none.
- The flanks of two classes look alike, but no flank looks like background. Where an action fades out gradually, an
  annotator's boundary is arbitrary; here it is a step, known to the tenth of a second.
- Directions are the same in every instance (no variety of views) and random, so nearly orthogonal: classes are as
  separable as the dimension allows, and a linear classifier is all that is needed.
- Strengths multiply whole instances, and noise has the same size everywhere: no motion blur, cuts or empty shots.
- Training and test videos come from one distribution, every class about equally often, labels without an error; the
  features were not learned from the training labels, as those of fine-tuned networks are.
- Instances of one video do not overlap, their durations are uniform within a factor of 3.5, and at least a quarter of
  a video is background: no THUMOS14-like tail of very short actions in very long videos.
- Both streams change at the same instant and differ in strengths alone, so late fusion has it easy.
- Strengths were set with the base branch in view (above). A set on which it were complete would show no gain at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amsx.data.features import FeatureArray
from amsx.data.videos import Dataset, Segment, Subset, Timebase, Video

SYNTHETIC = "synthetic"  # the layout of the set, and DATA's name for it


@dataclass(frozen=True)
class StreamConfig:
    """How strongly one stream shows what happens. Strengths are norms; 1 is a core in `flow`."""

    dim: int = 64  # D, channels
    core: float = 1.0  # the class direction in the core of an instance
    flank_own: float = 0.2  # the class direction in its flanks
    flank_shared: float = 0.6  # in the flanks, the direction that two classes share
    scene: float = 0.3  # the scene, all along
    nuisance: float = 0.4  # what only this video has, all along
    clutter: float = 0.8  # clutter episodes
    noise: float = 1.4  # norm of the noise of a snippet


def _streams() -> dict[str, StreamConfig]:
    """Appearance (rgb) shows the scene more strongly than the action, motion (flow) the action."""
    return {
        "rgb": StreamConfig(core=0.8, flank_own=0.15, flank_shared=0.5, scene=0.7, nuisance=0.6),
        "flow": StreamConfig(),
    }


@dataclass(frozen=True)
class SyntheticConfig:
    """What the synthetic set holds. Lengths and durations are in snippets."""

    seed: int = 0
    classes: int = 6
    train_videos: int = 90
    test_videos: int = 60
    length: tuple[int, int] = (60, 160)  # shortest and longest video
    instances: tuple[int, int] = (1, 4)  # fewest and most per video
    duration: tuple[float, float] = (8.0, 28.0)  # shortest and longest, of instances and of episodes of clutter
    core_share: tuple[float, float] = (0.25, 0.5)  # least and greatest share of an instance that is its core
    second_label: float = 0.25  # probability that a video with two or more instances has two classes
    clutter: tuple[int, int] = (1, 4)  # fewest and most episodes of clutter per video
    look_alike: float = 0.3  # probability that an episode of clutter shows a shared flank direction
    clutter_kinds: int = 6  # number of directions of other clutter
    scenes: int = 4  # number of scene directions
    own_scene: float = 0.6  # probability that a video plays in the scene its class prefers
    spread: float = 0.25  # standard deviation of the log strength of instances and episodes
    background: float = 0.25  # least share of a video that is neither action nor clutter
    correlation: float = 0.6  # between the noise of neighbouring snippets
    bias: float = 0.05  # added before the ReLU, in units of one channel's noise
    snippet_seconds: float = 0.64
    streams: Mapping[str, StreamConfig] = field(default_factory=_streams)

    def __post_init__(self) -> None:
        for name in ("classes", "train_videos", "clutter_kinds", "scenes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name, least in (
            ("length", 1),
            ("instances", 1),
            ("duration", 2),
            ("core_share", 0),
            ("clutter", 0),
        ):
            low, high = getattr(self, name)
            if not least <= low <= high:
                raise ValueError(f"{name} must be a range from at least {least}, got {(low, high)}")
        if self.core_share[1] > 1:
            raise ValueError(f"core_share must be within 0..1, got {self.core_share}")
        if self.duration[0] > (1 - self.background) * self.length[0]:
            raise ValueError(f"length {self.length} leaves no room for an instance of {self.duration[0]} snippets")


@dataclass(frozen=True)
class _Episode:
    """What happens in [start, end) on the snippet-edge axis; `label` is None for clutter."""

    start: float
    end: float
    core: tuple[float, float]  # start and end of the core; all of it for clutter
    strength: float
    label: int | None
    direction: int  # of clutter: below `clutter_kinds` a direction of its own, from there on a shared flank direction


def make_dataset(config: SyntheticConfig | None = None) -> Dataset:
    """Make the set of `config` in memory. Equal configurations give equal sets."""
    config = config or SyntheticConfig()
    names = tuple(f"action_{c + 1:02d}" for c in range(config.classes))
    directions = {
        name: _directions(config, stream, np.random.default_rng([config.seed, 0, i]))
        for i, (name, stream) in enumerate(config.streams.items())
    }
    videos = []
    for subset, count, number in (("train", config.train_videos, 1), ("test", config.test_videos, 2)):
        for i in range(count):
            rng = np.random.default_rng([config.seed, number, i])
            videos.append(_video(config, names, directions, subset, i, rng))  # type: ignore[arg-type]
    classes = sorted({label for video in videos if video.subset == "train" for label in video.labels})
    note = f"synthetic features (seed {config.seed}); see amsx/data/synthetic.py for what is in them"
    return Dataset(None, SYNTHETIC, tuple(classes), tuple(videos), (note,), options=_changed(config))


def _changed(config: SyntheticConfig) -> dict[str, Any] | None:
    """The fields of `config` that are not at their defaults; None where its streams are among them."""
    if config.streams != _streams():
        return None
    values = {field.name: getattr(config, field.name) for field in fields(SyntheticConfig) if field.name != "streams"}
    default = SyntheticConfig()
    return {name: value for name, value in values.items() if value != getattr(default, name)}


def _directions(
    config: SyntheticConfig, stream: StreamConfig, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Random unit vectors: "own" for each class, "shared" for each two, "clutter" for each kind, "scene" for each."""
    counts = {
        "own": config.classes,
        "shared": (config.classes + 1) // 2,
        "clutter": config.clutter_kinds,
        "scene": config.scenes,
    }
    return {name: _unit(rng.standard_normal((count, stream.dim))) for name, count in counts.items()}


def _video(
    config: SyntheticConfig,
    names: tuple[str, ...],
    directions: Mapping[str, Mapping[str, NDArray[np.float64]]],
    subset: Subset,
    number: int,
    rng: np.random.Generator,
) -> Video:
    n = int(rng.integers(config.length[0], config.length[1] + 1))
    first = number % config.classes  # every class occurs
    episodes = _episodes(config, n, first, rng)
    scene = first % config.scenes if rng.random() < config.own_scene else int(rng.integers(config.scenes))
    timebase = Timebase(config.snippet_seconds)
    segments = []
    for episode in episodes:
        if episode.label is not None:
            # Annotators round times to tenths of a second.
            start, end = np.round(timebase.to_seconds([episode.start, episode.end]), 1)
            segments.append(Segment(float(start), float(end), names[episode.label]))
    streams = {
        name: FeatureArray(_features(config, stream, directions[name], n, scene, episodes, rng))
        for name, stream in config.streams.items()
    }
    return Video(
        id=f"synthetic_{subset}_{number:04d}",
        subset=subset,
        streams=streams,
        labels=tuple(sorted({segment.label for segment in segments})),
        segments=tuple(segments),
        timebase=timebase,
        duration=float(timebase.to_seconds(n)),
    )


def _episodes(config: SyntheticConfig, n: int, first: int, rng: np.random.Generator) -> list[_Episode]:
    """Draw actions and clutter for a video of n snippets, in random order with random gaps; class `first` occurs."""
    count = int(rng.integers(config.instances[0], config.instances[1] + 1))
    labels: list[int | None] = [first] * count
    if count > 1 and config.classes > 1 and rng.random() < config.second_label:
        second = (first + int(rng.integers(1, config.classes))) % config.classes
        labels[1:] = [second, *(second if rng.random() < 0.5 else first for _ in labels[2:])]
    labels += [None] * int(rng.integers(config.clutter[0], config.clutter[1] + 1))
    durations = rng.uniform(*config.duration, size=len(labels))
    durations[0] = min(durations[0], (1 - config.background) * n)
    room = (1 - config.background) * n
    kept = [i for i in range(len(labels)) if durations[: i + 1].sum() <= room]  # what fits, actions first
    order = rng.permutation(kept)
    gaps = rng.dirichlet(np.ones(len(order) + 1)) * (n - durations[order].sum())
    ends = np.cumsum(gaps[:-1] + durations[order])
    episodes = []
    for i, end in zip(order.tolist(), ends.tolist(), strict=True):
        start, label = end - durations[i], labels[i]
        core, direction = (start, end), 0
        if label is None:
            look_alike = rng.random() < config.look_alike
            shared = (config.classes + 1) // 2
            direction = int(rng.integers(config.clutter_kinds))
            if look_alike:
                direction = config.clutter_kinds + int(rng.integers(shared))
        else:
            share = rng.uniform(*config.core_share)
            core_start = start + rng.uniform(0.2, 0.8) * (1 - share) * durations[i]
            core = (core_start, core_start + share * durations[i])
        strength = float(np.exp(config.spread * rng.standard_normal()))
        episodes.append(_Episode(start, end, core, strength, label, direction))
    return episodes


def _features(
    config: SyntheticConfig,
    stream: StreamConfig,
    directions: Mapping[str, NDArray[np.float64]],
    n: int,
    scene: int,
    episodes: list[_Episode],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """The features of one stream of one video, (n, D)."""
    constant = stream.scene * directions["scene"][scene]
    constant = constant + stream.nuisance * _unit(rng.standard_normal(stream.dim))
    x = np.tile(constant, (n, 1))
    others = np.concatenate([directions["clutter"], directions["shared"]])
    for episode in episodes:
        inside = episode.strength * _share(n, episode.start, episode.end)[:, None]
        if episode.label is None:
            x += inside * stream.clutter * others[episode.direction]
            continue
        core = episode.strength * _share(n, *episode.core)[:, None]
        own, shared = directions["own"][episode.label], directions["shared"][episode.label // 2]
        x += core * stream.core * own
        x += (inside - core) * (stream.flank_own * own + stream.flank_shared * shared)
    channel = stream.noise / np.sqrt(stream.dim)
    x += channel * _noise(n, stream.dim, config.correlation, rng) + config.bias * channel
    return np.asarray(np.maximum(x, 0), dtype=np.float32)


def _share(n: int, start: float, end: float) -> NDArray[np.float64]:
    """(n,): the share of each snippet that lies in [start, end)."""
    edges = np.arange(n, dtype=np.float64)
    return np.asarray(np.clip(np.minimum(edges + 1, end) - np.maximum(edges, start), 0.0, 1.0))


def _noise(n: int, dim: int, correlation: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, D) unit normal noise; neighbours in time have the given correlation."""
    noise = rng.standard_normal((n, dim))
    for t in range(1, n):
        noise[t] = correlation * noise[t - 1] + np.sqrt(1 - correlation**2) * noise[t]
    return noise


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
