"""Every example runs to its end, and shows what it says."""

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """And on one thread: what is computed here is so small that threads would only wait for one another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(example: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that the example prints."""
    with torch.random.fork_rng():
        runpy.run_path(str(EXAMPLES / example), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def test_every_example_has_a_test() -> None:
    tested = {
        "op_in_your_model.py",
        "ams_from_python.py",
        "apply_a_run.py",
        "evaluate_detections.py",
        "custom_weights.py",
        "own_backbone.py",
        "colab.ipynb",
    }
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == tested


def test_op_in_your_model(capsys: pytest.CaptureFixture[str]) -> None:
    first, last = (float(line.split()[-1]) for line in run("op_in_your_model.py", capsys))
    assert last < 0.8 * first


def test_ams_from_python(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = run("ams_from_python.py", capsys)
    assert any(line.startswith("average mAP") and line.endswith("(activitynet)") for line in lines)
    assert (tmp_path / "amsx-example" / "retest" / "metrics.json").is_file()
    assert lines[-1].startswith("synthetic_test_")


def test_apply_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = run("apply_a_run.py", capsys)
    assert any(" from " in line and line.startswith("action_") for line in lines)
    assert lines[-1].startswith("subtitles: amsx-applied.srt, ")
    assert " --> " in (tmp_path / "amsx-applied.srt").read_text()


def test_evaluate_detections(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {name: values for name, *values in map(str.split, run("evaluate_detections.py", capsys)[:3])}
    assert scores["activitynet"] == ["91.7", "91.7", "25.0"]
    assert scores["wtalc-snippets"] == ["91.7", "41.7", "25.0"]
    assert "thumos14-official" in scores


def test_custom_weights(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("custom_weights.py", capsys)
    assert int(lines[0].split()[0]) > 3  # time is slower at the cut


def test_notebook(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((EXAMPLES / "colab.ipynb").read_text())
    check_notebook(notebook)
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda: None)
    namespace = {"__name__": "__main__"}
    with torch.random.fork_rng():
        for number, source in enumerate(code):
            exec(compile(source, f"colab.ipynb, code cell {number}", "exec"), namespace)
    assert len(pyplot.gcf().axes) == 3
    pyplot.close("all")
    assert "gradients reach the features: True" in capsys.readouterr().out


def check_notebook(notebook: dict) -> None:
    """What nbformat 4.5 requires, and that no output is kept."""
    assert notebook["nbformat"] == 4
    assert notebook["nbformat_minor"] == 5
    assert isinstance(notebook["metadata"], dict)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert all(isinstance(line, str) for line in cell["source"])
        assert isinstance(cell["metadata"], dict)
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
        else:
            assert cell["cell_type"] == "markdown"


def test_own_backbone(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("own_backbone.py", capsys)
    assert any(line.startswith("average mAP") for line in lines)
    assert lines[-1].endswith(" detections by __main__:TemporalConvolutions")
