"""Presets, from which a configuration starts: the paper's settings, and settings for small data.

The paper (Section IV-B) gives one set of values for all its data sets, except T and the thresholds of evaluation. The
comment behind each field in config.py names the value's source.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal, get_args

from amsx.data.videos import Dataset, Video
from amsx.localization.fusion import weights_in_words
from amsx.training.config import Config, override

Preset = Literal["thumos14", "activitynet12", "activitynet13", "small", "strong", "paper-literal"]

# How far an epoch has to reach, in columns times steps, for the paper's settings to suit. That of THUMOS14 is 13,312:
# 1024 columns, and 13 steps for 200 videos. `python -m benchmarks.preset_choice` shows scores beside it.
LEAST_REACH = 9000
# The learning rate of `small` and `strong` rises where an epoch has few steps: SLOWEST from STEPS on, below in inverse
# proportion to the steps, and at most FASTEST. docs/findings.md has the measurements.
STEPS = 14
SLOWEST, FASTEST = 3e-4, 1e-3
# Where a snippet lasts longer than LONGEST_SHORT (seconds), a row of features has seen much by itself and the CAS is
# sharp: `small` and `strong` take the class's own mean for avg(M), and `strong` does not smooth. Where it lasts longer
# than LONGEST_MIXED, an action is a few rows, and a mixture of two rows blurs where it ends: samples are whole
# snippets, and `strong` has other options (docs/strong.md).
LONGEST_SHORT, LONGEST_MIXED = 0.5, 1.0
ACTIVITYNET_TIOU = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # the benchmark averages over these
ACTIVITYNET_CLASSES: dict[int, Preset] = {100: "activitynet12", 200: "activitynet13"}  # number of classes -> preset


def preset(name: Preset) -> Config:
    """The configuration of a preset.

    `thumos14`, `activitynet12` and `activitynet13` are the paper's settings. `small` is for narrow features and few
    videos; its values were chosen on validation folds of training videos, except beta, which was not tuned. `strong` is
    `small` with options beyond the paper (docs/strong.md). `for_dataset` changes some of their values by the data.
    `paper-literal` has `thumos14`'s settings without what this project adds to the paper's model, the background
    channel; docs/paper.md lists what else the paper leaves open, and which reading this preset takes.
    """
    if name not in get_args(Preset):
        raise ValueError(f"unknown preset {name!r}; expected one of {', '.join(get_args(Preset))}")
    config = Config()
    if name == "thumos14":
        return config
    if name == "paper-literal":
        return replace(config, model=replace(config.model, background=False))
    if name in ("activitynet12", "activitynet13"):  # the paper reports 1.2; 1.3 has the same settings
        return replace(
            config,
            optimization=replace(config.optimization, max_snippets=400),  # T, Section IV-B; no video of 1.2 is longer
            evaluation=replace(config.evaluation, tiou=ACTIVITYNET_TIOU),
        )
    if name == "strong":
        return _strong(preset("small"))
    return replace(
        config,
        # On the folds 256 units were better than 128 (more were not tried), and standardizing helped noisy features.
        model=replace(config.model, hidden=256, standardize=True),
        # 1e-4 underfits in 20 epochs of few batches.
        loss=replace(config.loss, cas_classification="binary", cas_weight=0.5, exclusive_targets=True),
        phases=replace(config.phases, supplementary_epochs=20),
        optimization=replace(config.optimization, learning_rate=SLOWEST),
        # The probabilities sum to one over a video's classes, so where videos have many, each has little.
        sampling=replace(config.sampling, class_threshold=0.1),
        # Outside I3D, rgb need not be the weaker stream: the streams have equal weights. This reading of avg(M) was the
        # best on the folds of both sets with short snippets; `for_dataset` takes another where snippets are long.
        localization=replace(config.localization, beta=0.5, class_threshold=0.01, threshold_of="lower-mean"),
    )


def _strong(small: Config) -> Config:
    """The settings of `small` with what has helped on held-out training videos, though it is not the paper's."""
    return replace(
        small,
        model=replace(small.model, smoothing=2.0),
        localization=replace(small.localization, smoothing=2.0),
    )


def for_dataset(
    dataset: Dataset, name: Preset | None = None, settings: Sequence[str] = (), streams: Sequence[str] | None = None
) -> tuple[Config, list[str]]:
    """A configuration for `dataset`, and notes on what it makes of the data and why.

    With `name=None` the data decides the preset: `small` where the `reach` of an epoch is below `LEAST_REACH`, else
    that of the ActivityNet release with the same number of classes (100 or 200), else `thumos14`. T is at most the
    length of the longest training video. In `small` and `strong` the steps of an epoch decide the learning rate, and
    the length of a snippet where proposals end and how samples are read. `settings` ("sampling.eta=1.0") change what
    came of that, and `streams` are those that will be trained (default: all): the notes are on what they leave.
    """
    training = dataset.subset("train")
    if not training:
        raise ValueError(f"{dataset.origin}: no training videos")
    names = [stream for stream in dataset.stream_names if streams is None or stream in streams]
    notes = []
    if name is None:
        name, reason = _choose(dataset, names)
        notes.append(reason)
    config = preset(name)
    if name in ("small", "strong"):
        config, on_rate = _with_rate(config, reach(dataset, names))
        notes += on_rate
        config, on_snippets = _for_long_snippets(config, training, strong=name == "strong")
        notes += on_snippets
    longest = max(video.length for video in training)
    if longest < config.optimization.max_snippets:
        config = replace(config, optimization=replace(config.optimization, max_snippets=longest))
    config = override(config, settings)
    return config, [*notes, _on_lengths(config, training), *_on_fusion(config, names)]


@dataclass(frozen=True)
class Reach:
    """How far an epoch of training can carry a network on some data at a given learning rate.

    A step of Adam moves every weight by about the learning rate, so it moves what a unit makes of a snippet in
    proportion to the columns that it reads, and an epoch does so for each of its steps. Where both are few, the paper's
    rate and number of epochs leave the network near its initialization.
    """

    videos: int  # that are trained on
    width: int  # columns of the widest stream
    steps: int  # batches of an epoch

    @property
    def value(self) -> int:
        """Columns times steps of an epoch."""
        return self.width * self.steps


def reach(dataset: Dataset, streams: Sequence[str] | None = None) -> Reach:
    """The reach of an epoch on the training videos, of `streams` (default: all), in batches of the paper's size."""
    videos = len(dataset.subset("train"))
    width = max(width for stream, width in dataset.dims.items() if not streams or stream in streams)
    return Reach(videos, width, -(-videos // Config().optimization.batch_size))


def _choose(dataset: Dataset, streams: Sequence[str]) -> tuple[Preset, str]:
    """The preset that the data decides on, and a note on why."""
    classes, of_epoch = len(dataset.classes), reach(dataset, streams)
    count = f"{of_epoch.steps} steps an epoch of {of_epoch.videos} training videos"
    if of_epoch.value < LEAST_REACH:
        name: Preset = "small"
        why = "too few for the paper's learning rate and epochs"
    else:
        name = ACTIVITYNET_CLASSES.get(classes, "thumos14")
        why = f"enough for the paper's settings, and {classes} classes " + (
            "are not ActivityNet's" if name == "thumos14" else f"are those of {name}"
        )
    widths = ", ".join(f"{stream} {dataset.dims[stream]}" for stream in streams)
    return name, (
        f"preset {name!r}: {count}, times {of_epoch.width} columns are {of_epoch.value}; {why} (below {LEAST_REACH} "
        f"takes 'small'; feature widths: {widths}; --preset chooses another)"
    )


def _with_rate(config: Config, of_epoch: Reach) -> tuple[Config, list[str]]:
    """The configuration with the learning rate that so many steps an epoch ask for, and a note where it is another."""
    rate = float(f"{min(max(SLOWEST * STEPS / of_epoch.steps, SLOWEST), FASTEST):.1g}")
    if rate == config.optimization.learning_rate:
        return config, []
    steps = "1 step" if of_epoch.steps == 1 else f"{of_epoch.steps} steps"
    note = f"learning rate {rate:g}: an epoch of {of_epoch.videos} training videos has {steps}"
    return replace(config, optimization=replace(config.optimization, learning_rate=rate)), [note]


def _for_long_snippets(config: Config, training: Sequence[Video], *, strong: bool) -> tuple[Config, list[str]]:
    """The configuration that suits the length of snippets, and a note where they are long."""
    seconds = median(video.timebase.snippet_seconds for video in training)
    if seconds <= LONGEST_SHORT:
        return config, []
    model = replace(config.model, smoothing=0.0)
    late = replace(config.localization, threshold_of="mean", threshold=0.7, smoothing=0.0)
    note = f"a snippet lasts {seconds:.3g} s, over {LONGEST_SHORT:g} s: thresholds go by the class's own mean"
    note += ", no smoothing" if strong else ""
    if seconds <= LONGEST_MIXED:
        return replace(config, model=model, localization=late), [note]
    note += f"; over {LONGEST_MIXED:g} s: samples are whole snippets (sampling.interp_factor=1)"
    if strong:
        note += ", attention, three thresholds with soft NMS, scores by contrast"
        model = replace(model, attention=True)
        late = replace(late, thresholds=(0.5, 0.7, 0.9), nms="soft", nms_sigma=0.3)
        late = replace(late, score="outer-inner-contrast", class_weight=0.2)
    sampling = replace(config.sampling, interp_factor=1)
    return replace(config, model=model, sampling=sampling, localization=late), [note]


def _on_lengths(config: Config, training: Sequence[Video]) -> str:
    """How many snippets of a training video a batch holds."""
    lengths = [video.length for video in training]
    most, sampling = config.optimization.max_snippets, config.optimization.sampling
    longer = sum(length > most for length in lengths)
    if not longer:
        longest = "the longest training video" + ("" if most == max(lengths) else f" has {max(lengths)}")
        return f"T is {most} snippets, {longest}; nothing is cropped"
    how = "are cropped at random" if sampling == "crop" else f"are shown by {most} of their snippets ({sampling})"
    return f"T is {most} snippets; {longer} of {len(lengths)} training videos are longer and {how}"


def _on_fusion(config: Config, streams: Sequence[str]) -> list[str]:
    """How much each of several streams weighs."""
    if len(streams) < 2:
        return []
    weights = weights_in_words(streams, config.localization.stream_weights(streams))
    if config.localization.weights:
        return [f"late fusion: {weights}"]
    if "rgb" not in streams:
        return [f"late fusion: {', '.join(streams)} weigh alike (no stream is called rgb)"]
    rest = ", beta and equal parts of the rest (localization.weights sets one for each)" if len(streams) > 2 else ""
    return [f"late fusion: {weights}{rest}"]
