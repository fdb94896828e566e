"""Where configurations start: the presets, and which of them a data set gets."""

from dataclasses import replace
from typing import Any

import pytest

from amsx.data.features import FeatureArray
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Dataset, Timebase, Video
from amsx.training.config import Config, differences, to_dict
from amsx.training.presets import for_dataset, preset


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(SyntheticConfig(classes=3, train_videos=6, test_videos=3, length=(30, 50)))


class Features:
    """Features of a width, as wide as I3D's by default, of which nothing is read."""

    def __init__(self, width=1024):
        self.shape = (1200, width)


def made(videos, *widths, classes=20, seconds=0.4):
    names = tuple(f"c{i:03d}" for i in range(classes))
    streams: Any = {f"s{i}": Features(width) for i, width in enumerate(widths)}
    labels = [names[i % classes] for i in range(videos)]
    timebase = Timebase(seconds)
    listed = tuple(Video(f"v{i}", "train", streams, (label,), (), timebase) for i, label in enumerate(labels))
    return Dataset(None, "memory", names, listed)


def test_the_presets_of_the_papers_data_differ_in_t_and_evaluation_alone():
    assert preset("thumos14") == Config()
    for name in ("activitynet12", "activitynet13"):
        changed = {line.partition(":")[0] for line in differences(Config(), preset(name))}
        assert changed == {"optimization.max_snippets", "evaluation.tiou"}
        assert preset(name).optimization.max_snippets == 400
        assert preset(name).evaluation.tiou == tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
    literal = differences(Config(), preset("paper-literal"))
    assert literal == ["model.background: True, False"]
    with pytest.raises(ValueError, match="unknown preset 'large'; expected one of thumos14, activitynet12"):
        preset("large")  # type: ignore[arg-type]


def test_strong_differs_from_small_in_options_beyond_the_paper():
    changed = {line.partition(":")[0] for line in differences(preset("small"), preset("strong"))}
    assert changed == {"model.smoothing", "localization.smoothing"}
    assert for_dataset(made(40, 64))[0] == for_dataset(made(40, 64), "small")[0]  # `strong` is for who asks for it


@pytest.mark.parametrize(
    ("classes", "name"), [(20, "thumos14"), (100, "activitynet12"), (200, "activitynet13"), (7, "thumos14")]
)
def test_wide_features_get_the_papers_settings(classes, name):
    config, notes = for_dataset(made(200, 1024, classes=classes))
    assert config == preset(name)
    assert f"preset '{name}': 13 steps an epoch of 200 training videos, times 1024 columns are 13312" in notes[0]
    assert "200 of 200 training videos are longer and are cropped at random" in notes[1]


@pytest.mark.parametrize(
    ("videos", "widths", "name"),
    [
        (28, (768,), "small"),
        (200, (768,), "thumos14"),
        (200, (1024,), "thumos14"),
        (200, (1024, 1024), "thumos14"),
        (219, (128,), "small"),
        (10, (2048,), "small"),
        (120, (768,), "small"),
        (60, (2048,), "small"),
        (80, (2048,), "thumos14"),
        (10_000, (64,), "thumos14"),
        (90, (64, 64), "small"),
    ],
)
def test_the_preset_goes_by_width_and_steps_and_says_why(videos, widths, name):
    config, notes = for_dataset(made(videos, *widths))
    assert to_dict(config)["model"] == to_dict(preset(name))["model"]
    assert f"preset '{name}'" in notes[0] and f"of {videos} training videos, times {max(widths)} columns" in notes[0]
    reason = "too few for the paper's learning rate" if name == "small" else "enough for the paper's settings"
    assert reason in notes[0] and "--preset chooses another" in notes[0]


@pytest.mark.parametrize(
    ("videos", "rate"), [(16, 1e-3), (60, 1e-3), (66, 8e-4), (130, 5e-4), (219, 3e-4), (400, 3e-4)]
)
def test_few_steps_get_a_higher_learning_rate(videos, rate):
    for name in ("small", "strong"):
        config, notes = for_dataset(made(videos, 64), name)
        assert config.optimization.learning_rate == rate
        assert any("learning rate" in note for note in notes) == (rate != 3e-4)
    assert for_dataset(made(videos, 64), "thumos14")[0].optimization.learning_rate == 1e-4
    asked = for_dataset(made(videos, 64), "small", ["optimization.learning_rate=2e-4"])[0]
    assert asked.optimization.learning_rate == 2e-4


@pytest.mark.parametrize("seconds", [0.64, 1.0, 2.0])
def test_long_snippets_get_the_own_mean_and_are_not_smoothed(seconds):
    short, long = made(40, 64), made(40, 64, seconds=seconds)
    for name in ("small", "strong"):
        assert for_dataset(short, name)[0].localization == preset(name).localization
        notes = for_dataset(long, name)[1]
        said = f"a snippet lasts {seconds:g} s, over 0.5 s: thresholds go by the class's own mean"
        assert any(said in note for note in notes)
        assert any("no smoothing" in note for note in notes) == (name == "strong")
        config = for_dataset(long, name)[0]
        assert (config.localization.threshold_of, config.localization.threshold) == ("mean", 0.7)
        assert config.model.smoothing == config.localization.smoothing == 0
    strong = for_dataset(short, "strong")[0]
    assert strong.model.smoothing == strong.localization.smoothing == 2.0
    assert for_dataset(long, "strong", ["model.smoothing=1"])[0].model.smoothing == 1
    assert for_dataset(long, "thumos14")[0].localization == preset("thumos14").localization


@pytest.mark.parametrize(("seconds", "whole"), [(0.04, False), (1.0, False), (1.1, True), (2.1, True)])
def test_where_actions_are_a_few_rows_samples_are_whole_snippets(seconds, whole):
    dataset = made(40, 64, seconds=seconds)
    for name in ("small", "strong"):
        config, notes = for_dataset(dataset, name)
        assert config.sampling.interp_factor == (1 if whole else 20)
        assert any("samples are whole snippets (sampling.interp_factor=1)" in note for note in notes) == whole
        beyond = whole and name == "strong"
        assert config.model.attention == beyond
        assert (config.localization.score == "outer-inner-contrast") == (config.localization.nms == "soft") == beyond
        assert config.localization.levels == ((0.5, 0.7, 0.9) if beyond else (config.localization.threshold,))
    assert for_dataset(dataset, "small", ["sampling.interp_factor=5"])[0].sampling.interp_factor == 5
    assert for_dataset(dataset, "thumos14")[0].sampling.interp_factor == 20


def test_few_videos_are_small_whatever_their_classes():
    _, notes = for_dataset(made(100, 768, classes=100))
    assert "preset 'small'" in notes[0]


def test_the_streams_that_are_trained_count():
    assert "preset 'thumos14'" in for_dataset(made(200, 64, 1024))[1][0]
    assert "preset 'small'" in for_dataset(made(200, 64, 1024), streams=["s0"])[1][0]


def test_narrow_features_get_settings_of_their_own(dataset):
    config, notes = for_dataset(dataset)
    longest = max(v.length for v in dataset.subset("train"))
    assert config.optimization.max_snippets == longest
    assert to_dict(config)["model"] == to_dict(preset("small"))["model"]
    assert any("preset 'small'" in note for note in notes)
    assert any(f"T is {longest} snippets" in note for note in notes)
    assert any("late fusion: rgb" in note for note in notes)


def test_a_named_preset_is_not_decided_by_the_data(dataset):
    config, notes = for_dataset(dataset, "thumos14")
    assert config.localization == Config().localization
    assert not any("preset" in note for note in notes)


def test_there_must_be_something_to_train_on(dataset):
    alone = replace(dataset, videos=dataset.subset("test"))
    assert isinstance(alone.videos[0].streams["rgb"], FeatureArray)
    with pytest.raises(ValueError, match="no training videos"):
        for_dataset(alone)


def test_the_notes_are_on_the_settings_that_count(dataset):
    settings = ["optimization.max_snippets=20", "optimization.sampling=uniform", "localization.beta=0.3"]
    config, notes = for_dataset(dataset, "small", settings)
    training = dataset.subset("train")
    assert config.optimization.max_snippets == 20
    assert notes == [
        f"learning rate 0.001: an epoch of {len(training)} training videos has 1 step",
        "a snippet lasts 0.64 s, over 0.5 s: thresholds go by the class's own mean",
        f"T is 20 snippets; {len(training)} of {len(training)} training videos are longer and are shown by 20 of their "
        "snippets (uniform)",
        "late fusion: rgb 0.3, flow 0.7",
    ]
    longest = max(video.length for video in training)
    _, notes = for_dataset(dataset, "small", ["optimization.max_snippets=999"], ["rgb"])
    assert notes[2:] == [f"T is 999 snippets, the longest training video has {longest}; nothing is cropped"]
