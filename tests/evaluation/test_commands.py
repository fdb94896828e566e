"""`amsx evaluate` and `amsx compare` from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from amsx.cli import main
from amsx.evaluation import Selection, compare, evaluate, evaluate_all

TRUTH: dict[str, Any] = {
    "database": {v: {"annotations": [{"label": "run", "segment": [0, 10]}]} for v in ("a", "b", "c")}
}
FOUND: dict[str, Any] = {
    "results": {v: [{"label": 0, "score": 0.5, "segment": [0, end]}] for v, end in (("a", 10), ("b", 6), ("c", 3))}
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """Predictions with integer labels, the ground truth, a class list."""
    contents = {"found.json": json.dumps(FOUND), "truth.json": json.dumps(TRUTH), "classes.txt": "run\n"}
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    found, truth, classes = (str(tmp_path / name) for name in contents)
    return found, truth, classes


def test_evaluate(files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    found, truth, classes = files
    assert main(["evaluate", found, truth, "--labels", classes, "--tiou", "0.5", "--json"]) == 0
    assert (
        json.loads(capsys.readouterr().out)
        == evaluate(found, truth, tiou=0.5, selection=Selection(labels=classes)).to_json()
    )
    assert main(["evaluate", found, truth, "--labels", classes, "--classification"]) == 0
    out = capsys.readouterr().out
    assert f"integer labels by {classes}" in out
    assert "classification mAP (%) of videos by their best detection: 100.0" in out
    assert main(["evaluate", found, truth]) == 1
    assert "a class list (--labels FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "needs"), [(["--cuts", "quantiles"], "--explain"), (["--explain", "--format", "svg"], "--plots")]
)
def test_an_option_without_effect_is_refused(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str], given: list[str], needs: str
) -> None:
    found, truth, classes = files
    assert main(["evaluate", found, truth, "--labels", classes, *given]) == 1
    assert f"of {needs}; expected both" in capsys.readouterr().err


def test_all_protocols(files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    found, truth, classes = files
    assert main(["evaluate", found, truth, "--labels", classes, "--all-protocols", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        name: evaluation.to_json()
        for name, evaluation in evaluate_all(found, truth, selection=Selection(labels=classes)).items()
    }
    assert main(["evaluate", found, truth, "--labels", classes, "--all-protocols"]) == 0
    assert capsys.readouterr().out.startswith("mAP (%) under every protocol\n")
    assert main(["evaluate", found, truth, "--all-protocols", "--per-class"]) == 1
    assert "--per-class and --all-protocols; expected one of them" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["evaluate", found, truth, "--all-protocols", "--protocol", "wtalc-snippets"])


def test_compare(files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    found, truth, classes = files
    options = ["--labels", classes, "--resamples", "50", "--seed", "3"]
    assert main(["compare", truth, "--a", found, found, "--b", found, *options, "--json"]) == 0
    expected = compare(truth, [found, found], [found], resamples=50, seed=3, selection=Selection(labels=classes))
    assert json.loads(capsys.readouterr().out) == expected.to_json()
    assert main(["compare", truth, "--a", found, *options]) == 0
    out = capsys.readouterr().out
    assert "A 97.5 %" in out
    assert "A - B" not in out
