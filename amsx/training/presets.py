"""Presets, from which a configuration starts: the paper's settings, and settings for small data.

The paper (Section IV-B) gives one set of values for all its data sets, except T and the thresholds of evaluation. The
comment behind each field in config.py names the value's source.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from amsx.data.videos import Dataset, Video
from amsx.localization.fusion import weights_in_words
from amsx.training.config import Config, override

Preset = Literal["thumos14", "activitynet12", "activitynet13", "small"]

NARROW = 512  # a rule of thumb: features with fewer columns in every stream are not I3D's, which have 1024
ACTIVITYNET_TIOU = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # the benchmark averages over these
ACTIVITYNET_CLASSES: dict[int, Preset] = {100: "activitynet12", 200: "activitynet13"}  # number of classes -> preset


def preset(name: Preset) -> Config:
    """The configuration of a preset.

    `thumos14`, `activitynet12` and `activitynet13` are the paper's settings. `small` is for narrow features and few
    videos; its values were chosen on validation folds of training videos, except beta, which was not tuned.
    """
    if name not in get_args(Preset):
        raise ValueError(f"unknown preset {name!r}; expected one of {', '.join(get_args(Preset))}")
    config = Config()
    if name == "thumos14":
        return config
    if name in ("activitynet12", "activitynet13"):  # the paper reports 1.2; 1.3 has the same settings
        return replace(
            config,
            optimization=replace(config.optimization, max_snippets=400),  # T, Section IV-B; no video of 1.2 is longer
            evaluation=replace(config.evaluation, tiou=ACTIVITYNET_TIOU),
        )
    return replace(
        config,
        # On the folds 256 units were better than 128 (more were not tried), and standardizing helped noisy features.
        model=replace(config.model, hidden=256, standardize=True),
        # 1e-4 underfits in 20 epochs of few batches.
        loss=replace(config.loss, cas_classification="binary", cas_weight=0.5, exclusive_targets=True),
        phases=replace(config.phases, supplementary_epochs=20),
        optimization=replace(config.optimization, learning_rate=3e-4),
        # The probabilities sum to one over a video's classes, so where videos have many, each has little.
        sampling=replace(config.sampling, class_threshold=0.1),
        # Outside I3D, rgb need not be the weaker stream: the streams have equal weights.
        localization=replace(config.localization, beta=0.5, class_threshold=0.01),
    )


def for_dataset(
    dataset: Dataset, name: Preset | None = None, settings: Sequence[str] = (), streams: Sequence[str] | None = None
) -> tuple[Config, list[str]]:
    """A configuration for `dataset`, and notes on what it makes of the data and why.

    With `name=None` the data decides the preset: `small` where every stream has fewer than 512 columns, else that of
    the ActivityNet release with the same number of classes (100 or 200), else `thumos14`. T is at most the length of
    the longest training video. `settings` ("sampling.eta=1.0") change the preset's, and `streams` are those that will
    be trained (default: all): the notes are on what they leave.
    """
    notes = []
    if name is None:
        if max(dataset.dims.values()) < NARROW:
            name = "small"
        else:
            name = ACTIVITYNET_CLASSES.get(len(dataset.classes), "thumos14")
        widths = ", ".join(f"{stream} {width}" for stream, width in dataset.dims.items())
        notes.append(
            f"preset {name!r}: {len(dataset.classes)} classes, feature widths are {widths} "
            f"(narrower than {NARROW} takes 'small')"
        )
    training = dataset.subset("train")
    if not training:
        raise ValueError(f"{dataset.origin}: no training videos")
    config = preset(name)
    longest = max(video.length for video in training)
    if longest < config.optimization.max_snippets:
        config = replace(config, optimization=replace(config.optimization, max_snippets=longest))
    config = override(config, settings)
    names = [stream for stream in dataset.stream_names if streams is None or stream in streams]
    return config, [*notes, _on_lengths(config, training), *_on_fusion(config, names)]


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
