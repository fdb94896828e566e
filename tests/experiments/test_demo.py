"""The demo: its runs, its one progress bar, and what it says of the scores."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from amsx.data.synthetic import SyntheticConfig
from amsx.experiments import demo
from amsx.experiments.demo import DemoResult, Pair, format_demo, run_demo

BRIEF = ("model.hidden=4", "phases.base_epochs=1", "phases.supplementary_epochs=1", "phases.iterations=1")


def test_two_seeds_and_a_bar_for_all_of_it(tmp_path, monkeypatch, capsys):
    tiny = partial(SyntheticConfig, classes=2, train_videos=4, test_videos=2, length=(20, 24), duration=(4, 8))
    monkeypatch.setattr(demo, "SyntheticConfig", tiny)
    brief = (*BRIEF, "phases.alternate_epochs=1")
    monkeypatch.setattr(demo, "METHODS", {name: (*brief, *own) for name, own in demo.METHODS.items()})
    said: list[str] = []
    result = run_demo(tmp_path, seed=3, seeds=2, say=said.append)
    folders = [run.out.relative_to(tmp_path).as_posix() for pair in result.pairs for run in (pair.base, pair.ams)]
    assert folders == ["base", "ams", "seed4/base", "seed4/ams"]
    assert result.picture.is_file()
    assert "about a minute for each seed" in said[0]
    epochs = 2 * 2 * (2 + 4)  # seeds, streams; the base branch in phases zero and two, AMS in two more
    assert f"{epochs}/{epochs}" in capsys.readouterr().err
    assert format_demo(result).splitlines()[0].endswith("mean of 2 seeds, each with a set of its own")
    run_demo(tmp_path, seed=3, seeds=1, progress=False, say=said.append)  # continues: nothing is trained again
    with pytest.raises(ValueError, match="seeds must be at least 1, got 0"):
        run_demo(tmp_path, seeds=0)


def pair(base: list[float], ams: list[float]) -> Pair:
    def run(scores: list[float]) -> SimpleNamespace:
        mean = float(np.mean(scores))
        return SimpleNamespace(
            metrics=SimpleNamespace(mean_ap=scores, average=mean, tiou=[0.3, 0.5], protocol="activitynet")
        )

    return Pair(run(base), run(ams))  # type: ignore[arg-type]


def test_what_it_says_of_the_scores(tmp_path):
    lines = format_demo(DemoResult((pair([80, 60], [82, 50]), pair([70, 50], [76, 55])), tmp_path)).splitlines()
    assert lines[2].split() == ["base", "branch", "alone", "75.0", "55.0", "65.0"]
    assert lines[3].split() == ["AMS", "79.0", "52.5", "65.8"]
    assert lines[4].split() == ["AMS", "minus", "base", "+4.0", "-2.5", "+0.8"]
    assert lines[5].split() == ["AMS", "above", "base", "in", "2/2", "1/2", "1/2"]
    assert lines[-1] == "AMS is above its base branch at tIoU 0.3, the average; it is not at tIoU 0.5."
    one = format_demo(DemoResult((pair([1, 2], [3, 4]),), tmp_path))
    assert "above base in" not in one
    assert one.endswith("AMS is above its base branch at every tIoU and on average.")
    nowhere = format_demo(DemoResult((pair([3, 4], [1, 4]),), tmp_path))
    assert nowhere.endswith("AMS is nowhere above its base branch.")
