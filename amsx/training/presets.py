"""Where a configuration starts: the paper's settings, those for small data, what the data decides."""

from dataclasses import replace
from typing import Literal, get_args

from amsx.data.videos import Dataset
from amsx.training.config import Config

Preset = Literal["paper", "small"]

NARROW = 512  # columns, a rule of thumb; features narrower than this in every stream are not I3D's (1024)


def preset(name: Preset) -> Config:
    """`paper`: the paper's settings. `small`: those that narrow features and few videos need instead.

    The values of `small` come from validation folds of the training videos, but for beta, which nothing has tuned.
    """
    if name not in get_args(Preset):
        raise ValueError(f"unknown preset {name!r}; expected one of {', '.join(get_args(Preset))}")
    config = Config()
    if name == "paper":
        return config
    return replace(
        config,
        # The folds prefer 256 units to 128 (wider was not tried there), and standardized features when noisy.
        model=replace(config.model, hidden=256, standardize=True),
        # 1e-4 underfits in 20 epochs of few batches.
        loss=replace(config.loss, cas_classification="binary", cas_weight=0.5, exclusive_targets=True),
        phases=replace(config.phases, supplementary_epochs=20),
        optimization=replace(config.optimization, learning_rate=3e-4),
        # The probabilities sum to one over a video's classes, so where videos have many, each has little.
        sampling=replace(config.sampling, class_threshold=0.1),
        # Nothing says that rgb is the weaker stream outside I3D: the streams weigh alike.
        localization=replace(config.localization, beta=0.5, class_threshold=0.01),
    )


def for_dataset(dataset: Dataset, name: Preset | None = None) -> tuple[Config, list[str]]:
    """A configuration for `dataset` and, in words, what was decided and why.

    `name=None` lets the data choose the preset: `small` where every stream has fewer than 512 columns.
    """
    widths = ", ".join(f"{stream} {width}" for stream, width in dataset.dims.items())
    notes = []
    if name is None:
        name = "small" if max(dataset.dims.values()) < NARROW else "paper"
        notes.append(f"preset {name!r}: feature widths are {widths} (narrower than {NARROW} takes 'small')")
    config = preset(name)
    training = dataset.subset("train")
    if not training:
        raise ValueError(f"{dataset.root}: no training videos")
    longest = max(video.length for video in training)
    if longest < config.optimization.max_snippets:
        notes.append(f"T is {longest} snippets, the longest training video; nothing is cropped")
        config = replace(config, optimization=replace(config.optimization, max_snippets=longest))
    else:
        longer = sum(video.length > config.optimization.max_snippets for video in training)
        notes.append(
            f"T is {config.optimization.max_snippets} snippets; {longer} of {len(training)} training videos "
            "are longer and are cropped at random"
        )
    streams = dataset.stream_names
    if len(streams) > 1:
        beta = config.localization.beta
        if "rgb" in streams:
            notes.append(f"late fusion: rgb weighs {beta:g}, the other streams {1 - beta:g} together")
        else:
            notes.append(f"late fusion: {', '.join(streams)} weigh alike (no stream is called rgb)")
    return config, notes
