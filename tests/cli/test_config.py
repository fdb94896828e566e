"""`amsx config`: every setting with its default, its range, its meaning and source."""

import json

import pytest

from amsx.cli import main
from amsx.training.config import Config, check_assignments, override, to_dict
from amsx.training.config_reference import settings
from amsx.training.presets import preset


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["config", *arguments]) == 0
    return capsys.readouterr().out


def test_every_key_is_listed_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(shown(capsys).split())
    for setting in settings():
        assert f"{setting.section}.{setting.key} = " in text
        assert " ".join(setting.description.split()) in text and setting.range in text


def test_a_section_and_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    section = shown(capsys, "sampling")
    assert "sampling.mode = grid   (grid, continuous)" in section and "model." not in section
    assert "sampling.eta" in shown(capsys, "sampling.eta") and "sampling.mode" not in shown(capsys, "sampling.eta")
    assert main(["config", "samplin"]) == 1
    assert "did you mean sampling" in capsys.readouterr().err


def test_the_values_of_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "model", "--preset", "small")
    assert f"model.hidden = {preset('small').model.hidden}   (default 1024; at least 1)" in text


def test_json_gives_values_that_set_the_same_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(shown(capsys, "--json", "--preset", "small"))
    default, small = to_dict(Config()), to_dict(preset("small"))
    for entry in listed:
        section, key = entry["key"].split(".")
        assert entry["value"] == small[section][key] and entry["default"] == default[section][key]
        assert entry["description"]
    assert len(listed) == len(settings())


def test_what_is_shown_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.strip() for line in shown(capsys, "--preset", "small").splitlines() if line.startswith("  ")]
    pairs = [line.partition("   (")[0].split(" = ") for line in lines if " = " in line]
    assert override(Config(), [f"{key}={value}" for key, value in pairs]) == preset("small")


def test_assignments_are_checked_alone() -> None:
    check_assignments(["localization.threshold_of=range", "localization.thresholds=none"])
    with pytest.raises(ValueError, match=r"evaluation\.tiou must be one or more values"):
        check_assignments(["evaluation.tiou=none"])
    with pytest.raises(ValueError, match=r"evaluation\.protocol must be one of"):
        check_assignments(["evaluation.protocol=best"])
