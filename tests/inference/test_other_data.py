"""A run tested on another data set: the scores of its own test videos there, and a sentence where it does not fit."""

import json
from dataclasses import replace

import numpy as np
import pytest

from amsx.cli import main
from amsx.data.convert import convert
from amsx.data.features import FeatureArray
from amsx.inference.other_data import test_on as run_on
from amsx.training.activations import load_activations


def test_the_same_videos_have_the_same_scores(run, dataset, tmp_path, capsys):
    options = convert(dataset, tmp_path / "data", "activity_net").options
    given = [f"--data-option={key}={json.dumps(value)}" for key, value in options.items()]
    command = ["test", str(run), "--out", str(tmp_path / "out"), *given, str(tmp_path / "data")]
    assert main([*command, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    own = json.loads((run / "metrics.json").read_text())
    for stream in ("rgb", "flow"):
        parts = [load_activations(f / stream / "activations.safetensors") for f in (run, tmp_path / "out")]
        np.testing.assert_allclose(parts[0].base.cas, parts[1].base.cas, atol=1e-6)
    assert metrics.keys() == own.keys()
    assert main([*command, "--snippets"]) == 0
    assert "CAS against the ground truth" in capsys.readouterr().out
    assert main(["test", str(tmp_path / "out"), "--set", "localization.threshold=0.9"]) == 0
    assert main([*command, "--set", "localization.threshold=0.9"]) == 1
    assert "something else (localization.threshold is 0.7 there and 0.9 in this command)" in capsys.readouterr().err


def test_the_folder_of_a_test_is_the_runs_and_named_by_the_data(run, dataset):
    result = run_on(run, dataset, part="all")
    assert result.out == run / "tested" / "synthetic"
    assert result.metrics is not None
    with pytest.raises(ValueError, match=r"tested/synthetic holds something else \(data.videos is .* there and "):
        run_on(run, dataset)
    with pytest.raises(ValueError, match="holds something else"):
        run_on(run, dataset, out=run)


def changed(dataset, **changes):
    return replace(dataset, videos=tuple(replace(video, **changes) for video in dataset.videos))


def test_fewer_classes_fit_and_others_do_not(run, dataset, tmp_path):
    quiet = changed(dataset, labels=(), segments=())
    assert run_on(run, quiet, out=tmp_path / "quiet").metrics is None
    with pytest.raises(ValueError, match=r"1 labels of its test videos are no classes of .* \(jump\); it can find"):
        run_on(run, changed(dataset, labels=("jump",)), out=tmp_path / "other")
    narrow = {name: FeatureArray(np.zeros((5, 3), np.float32)) for name in ("rgb", "flow")}
    with pytest.raises(ValueError, match="features of width 3 in the stream rgb"):
        run_on(run, changed(dataset, streams=narrow), out=tmp_path / "other")
    with pytest.raises(ValueError, match="has the streams rgb, but"):
        run_on(run, changed(dataset, streams={"rgb": narrow["rgb"]}), out=tmp_path / "other")
    with pytest.raises(ValueError, match="it has no test videos; --subset chooses others"):
        run_on(run, changed(dataset, subset="train"), out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("option", [["--layout", "bas_net"], ["--data-option", "split=true"], ["--subset", "all"]])
def test_options_of_reading_need_data(run, capsys, option):
    assert main(["test", str(run), *option]) == 1
    assert "expected DATA, too" in capsys.readouterr().err
