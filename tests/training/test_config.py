"""Configurations: complete, typed, and strict about what they do not know."""

import json

import pytest

from amsx.training.config import Config, differences, from_dict, override, to_dict


def test_the_defaults_are_the_papers():
    config = Config()
    assert (config.sampling.eta, config.sampling.interp_factor) == (0.75, 20)
    assert (config.loss.localization_weight, config.loss.pseudo_threshold) == (1.0, 0.7)
    assert (config.phases.base_epochs, config.phases.alternate_epochs) == (20, 5)
    assert (config.optimization.learning_rate, config.optimization.max_snippets) == (1e-4, 1000)
    late = config.localization
    assert (late.beta, late.class_threshold, late.threshold) == (0.15, 0.25, 0.7)
    assert (late.thresholds, late.threshold_of, late.score) == ((), "mean", "max")
    assert (late.class_weight, late.nms) == (0.0, "none")


def test_json_and_back():
    config = override(Config(), ["evaluation.tiou=0.5,0.75", "phases.sampler=false", "model.dropout=0"])
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


def test_weights_of_streams_are_set_by_name():
    config = override(Config(), ["localization.weights=rgb:0.15, flow:0.6,clip:0.25"])
    assert config.localization.weights == {"rgb": 0.15, "flow": 0.6, "clip": 0.25}
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config
    assert override(config, ["localization.weights=none"]) == Config()
    for text, message in (
        ("rgb:0.5,flow:0.6", "localization.weights: the weights must sum to 1"),
        ("0.5,0.5", "must be NAME:NUMBER pairs separated by commas"),
        ("rgb:0.5,rgb:0.5", "each name once"),
        ("rgb:half,flow:0.5", "localization.weights, rgb, must be a number, got 'half'"),
    ):
        with pytest.raises(ValueError, match=message):
            override(Config(), [f"localization.weights={text}"])
    with pytest.raises(TypeError, match=r"localization\.weights must be an object of names and numbers"):
        from_dict({"localization": {"weights": [0.5, 0.5]}})


def test_absent_keys_take_the_defaults():
    assert from_dict({"model": {"hidden": 8}}) == override(Config(), ["model.hidden=8"])
    assert from_dict({}) == Config()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modle": {}}, "unknown configuration key 'modle'; did you mean model"),
        ({"loss": {"lamda": 1.0}}, "unknown configuration key 'loss.lamda'; known: cas_classification, cas_weight"),
        ({"sampling": {"interp_facter": 3}}, "did you mean sampling.interp_factor"),
    ],
)
def test_unknown_keys_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        from_dict(values)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"model": {"hidden": 1.5}}, TypeError, "model.hidden must be of type int, got 1.5"),
        ({"model": {"hidden": True}}, TypeError, "model.hidden must be of type int, got True"),
        ({"model": {"dropout": "0.5"}}, TypeError, "model.dropout must be of type float"),
        ({"phases": {"sampler": 1}}, TypeError, "phases.sampler must be of type bool"),
        ({"phases": {"supervision": "both"}}, ValueError, "phases.supervision must be one of 'none', 'self'"),
        ({"evaluation": {"tiou": 0.5}}, TypeError, "evaluation.tiou must be a list"),
        ({"evaluation": {"tiou": [0.5, "x"]}}, TypeError, "evaluation.tiou must be of type float"),
        ({"model": 3}, TypeError, "model must be a mapping"),
        ([], TypeError, "the configuration must be a mapping"),
    ],
)
def test_wrong_types_are_named(values, error, message):
    with pytest.raises(error, match=message):
        from_dict(values)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("model.hidden=0", "model.hidden must be at least 1, got 0"),
        ("model.dropout=1", r"model.dropout must be in \[0, 1\), got 1.0"),
        ("model.dropout=nan", "model.dropout must be in"),
        ("sampling.eta=-0.1", "sampling.eta must be at least 0"),
        ("sampling.erase_threshold=-1", "sampling.erase_threshold must be at least 0"),
        ("sampling.weights=none", "sampling.weights must be one of 'adaptive', 'rolled', .*'erase', got 'none'"),
        ("optimization.batch_size=7", "optimization.batch_size must be an even number"),
        ("optimization.learning_rate=0", "optimization.learning_rate must be greater than 0"),
        ("localization.beta=1.5", "localization.beta must be in"),
        ("localization.class_threshold=-1", "localization.class_threshold must be in"),
        ("localization.nms=fast", "localization.nms must be one of 'none', 'hard', 'soft', got 'fast'"),
        ("localization.nms_sigma=0", "localization.nms_sigma must be greater than 0"),
        ("localization.treshold=0.5", "did you mean localization.threshold"),
        ("phases.iterations=0", "phases.iterations must be at least 1"),
        ("loss.pseudo_threshold=-1", "loss.pseudo_threshold must be at least 0"),
        ("evaluation.tiou=", "evaluation.tiou must be one or more values"),
        ("evaluation.tiou=0,0.5", "evaluation.tiou must be one or more values"),
        ("model.hidden=many", "model.hidden must be a whole number, got 'many'"),
        ("model.dropout=half", "model.dropout must be a number"),
        ("phases.sampler=yes", "phases.sampler must be true or false, got 'yes'"),
        ("sampling.mode=fine", "sampling.mode must be one of 'grid', 'continuous', got 'fine'"),
        ("evaluation.tiou=0.5,0.5", r"evaluation.tiou must be one or more values in \(0, 1\], each once"),
        ("evaluation.tiou=0.1:0.1:0.7", "evaluation.tiou must be numbers separated by commas, got '0.1:0.1:0.7'"),
        (
            "evaluation.protocol=best",
            "evaluation.protocol must be one of activitynet, .*, got 'best'",
        ),
        ("sampling.interp_factor=5000", r"sampling.interp_factor must be in 1\.\.1024, got 5000"),
        ("sampling.eta=inf", "sampling.eta must be at least 0 and finite, got inf"),
        ("loss.cas_weight=inf", "loss.cas_weight must be at least 0 and finite"),
        ("optimization.learning_rate=inf", "optimization.learning_rate must be greater than 0 and finite"),
        ("optimization.weight_decay=inf", "optimization.weight_decay must be at least 0 and finite"),
        ("localization.class_weight=inf", "localization.class_weight must be at least 0 and finite"),
        ("hidden=3", "expected section.field=value"),
        ("model.hidden", "expected section.field=value"),
        ("model.hiden=3", "did you mean model.hidden"),
        ("models.hidden=3", "did you mean model"),
    ],
)
def test_bad_assignments_are_explained(assignment, message):
    with pytest.raises(ValueError, match=message):
        override(Config(), [assignment])


def test_assignments_are_parsed_by_type():
    config = override(
        Config(),
        [
            "model.hidden = 64",
            "phases.sampler=False",
            "sampling.mode=continuous",
            "loss.cas_weight=1",
            "localization.thresholds=0, 0.1,0.2",
            "localization.score=outer-inner-contrast",
        ],
    )
    assert config.model.hidden == 64
    assert config.phases.sampler is False
    assert config.sampling.mode == "continuous"
    assert type(config.loss.cas_weight) is float
    assert config.localization.thresholds == (0.0, 0.1, 0.2)
    assert config.localization.score == "outer-inner-contrast"


def test_the_order_of_assignments_does_not_matter():
    changes = ["localization.threshold=1.5", "localization.threshold_of=mean"]
    ranged = override(Config(), ["localization.threshold=0.5", "localization.threshold_of=range"])
    assert override(ranged, changes) == override(ranged, changes[::-1])
    assert override(Config(), ["sampling.eta=-1", "sampling.eta=1"]).sampling.eta == 1


def test_differences():
    changed = override(Config(), ["model.hidden=64", "localization.beta=0.3"])
    assert differences(Config(), Config()) == []
    assert differences(Config(), changed) == ["model.hidden: 1024, 64", "localization.beta: 0.15, 0.3"]
