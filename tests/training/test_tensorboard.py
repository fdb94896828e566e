"""TensorBoard events of a training run, read back with TensorBoard's own reader."""

import json
import sys

import pytest

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.files import write_text
from amsx.training import run as runs
from amsx.training.config import override
from amsx.training.presets import for_dataset


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(SyntheticConfig(classes=3, train_videos=12, test_videos=4, length=(30, 40)))


@pytest.fixture(scope="module")
def config(dataset):
    brief = ["phases.base_epochs=3", "phases.supplementary_epochs=0", "phases.alternate_epochs=1"]
    return override(for_dataset(dataset)[0], [*brief, "phases.iterations=2", "model.hidden=8"])


def scalars(folder):
    """Tag -> [(step, value)] as TensorBoard shows them."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def logged(folder, trains, term):
    entries = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [
        (e["epoch"], pytest.approx(e[term], rel=1e-6))
        for e in entries
        if e["trains"] == trains and (term != "localization" or e["phase"] != "zero")
    ]


def test_events_are_the_log(dataset, config, tmp_path):
    pytest.importorskip("tensorboard")
    runs.train_run(dataset, config, tmp_path, streams=["rgb"], progress=False, tensorboard=True)
    shown = scalars(tmp_path / "rgb" / "tensorboard")
    for trains in ("base", "supplementary"):
        for term in ("loss", "classification", "cas_classification", "similarity", "localization"):
            assert shown[f"{trains}/{term}"] == logged(tmp_path / "rgb", trains, term)
    assert [step for step, _ in shown["seconds"]] == list(range(1, 8))
    assert not any("mAP" in tag for tag in shown)


@pytest.mark.parametrize("began_with", [True, False])
def test_a_resumed_run_shows_every_step_once(dataset, config, tmp_path, monkeypatch, began_with):
    """Also where the interrupted run had none, or had logged an epoch that its checkpoint does not know."""
    pytest.importorskip("tensorboard")
    written, real = [], write_text

    def killing(path, text):
        real(path, text)
        written.append(path)
        if sum(p.name == "log.jsonl" for p in written) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "write_text", killing)
    with pytest.raises(KeyboardInterrupt):
        runs.train_run(dataset, config, tmp_path, streams=["rgb"], progress=False, tensorboard=began_with)
    monkeypatch.undo()
    runs.train_run(dataset, config, tmp_path, streams=["rgb"], progress=False, tensorboard=True, resume=True)
    shown = scalars(tmp_path / "rgb" / "tensorboard")
    assert shown["base/loss"] == logged(tmp_path / "rgb", "base", "loss")
    assert [step for step, _ in shown["seconds"]] == list(range(1, 8))


def test_without_the_package_nothing_is_begun(dataset, config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match=r"pip install 'amsx\[tensorboard\]'"):
        runs.train_run(dataset, config, tmp_path / "run", progress=False, tensorboard=True)
    assert not (tmp_path / "run").exists()
