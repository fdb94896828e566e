"""Help: what to do first, options in groups with their defaults, and the nearest option for a misspelt one."""

import argparse

import pytest

from amsx.cli import main, parser
from amsx.cli.commands import HELP

COMMANDS = list(HELP)


@pytest.fixture(scope="module")
def commands() -> dict[str, argparse.ArgumentParser]:
    [action] = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return action.choices


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    shown = capsys.readouterr()
    return shown.err if status else shown.out


def test_the_help_says_what_to_do_first(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--help", status=0)
    steps = text[text.index("first steps:") :].splitlines()
    assert [line.split()[1] for line in steps if line.startswith("  amsx ")][:3] == ["demo", "data", "train"]
    assert {line.split()[1] for line in steps if line.startswith("  amsx ")} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_shows_its_default_or_that_it_is_required(
    commands: dict[str, argparse.ArgumentParser], name: str
) -> None:
    formatter = commands[name]._get_formatter()
    for action in commands[name]._actions:
        if action.option_strings and action.dest != "help":
            text = formatter._get_help_string(action) or ""
            assert "(default" in text or "(required)" in text, action.option_strings


def test_the_options_of_training_stand_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "train", "--help", status=0)
    titles = [line[:-1] for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert {"data", "settings", "output", "running"} <= set(titles)
    settings = text[text.index("\nsettings:") : text.index("\noutput:")]
    assert "--preset" in settings and "--set" in settings and "--out" not in settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "DATA", "--sed", "3"], "unknown option --sed; did you mean --seed"),
        (["evaluate", "A", "B", "--protocl=activitynet"], "unknown option --protocl; did you mean --protocol"),
        (["train", "DATA", "--preset", "smal"], "did you mean small?"),
        (["test", "RUN", "--zzz"], "unknown option --zzz; amsx test --help lists those there are"),
        (["data", "DATA", "OTHER"], "unexpected argument 'OTHER'"),
    ],
)
def test_a_misspelt_option_prints_the_usage_of_its_command_and_the_nearest(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    text = said(capsys, *arguments)
    assert text.startswith(f"usage: amsx {arguments[0]} ") and message in text


def test_a_misspelt_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean train?" in said(capsys, "trian")


@pytest.mark.parametrize("command", ["train", "reproduce", "validate", "tune", "test"])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sampling.ets=1", "did you mean sampling.eta"),
        ("sampling.eta=much", "sampling.eta must be a number, got 'much'"),
        ("sampling.eta=-1", "sampling.eta must be at least 0 and finite"),
        ("eta=1", "did you mean sampling.eta?"),
    ],
)
def test_a_bad_setting_is_an_error_before_data_is_read(
    capsys: pytest.CaptureFixture[str], command: str, setting: str, message: str
) -> None:
    assert main([command, "no such folder", "--set", setting, "--out", "nowhere"]) == 1
    shown = capsys.readouterr()
    assert message in shown.err and not shown.out


def test_set_help_lists_the_settings_whatever_else_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "sampling.eta = 0.75   (at least 0 and finite)" in said(capsys, "train", "--set", "help", status=0)
