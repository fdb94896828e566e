"""The log of a training run, and its TensorBoard events, read back with TensorBoard's own reader."""

import json
import sys

import pytest

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.training import run as runs
from amsx.training.config import override
from amsx.training.epoch_log import EpochRecord, read_log, write_log
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
    written = []

    def killing(path, records):
        write_log(path, records)
        written.append(path)
        if len(written) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "write_log", killing)
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


def test_an_epoch_that_a_kill_kept_out_of_the_log_is_in_it_after_the_resume(dataset, config, tmp_path, monkeypatch):
    """The last epoch, after which nothing more is trained."""
    calls = []

    def killing(path, records):
        calls.append(path)
        if len(records) == 7:
            raise KeyboardInterrupt
        write_log(path, records)

    monkeypatch.setattr(runs, "write_log", killing)
    with pytest.raises(KeyboardInterrupt):
        runs.train_run(dataset, config, tmp_path, streams=["rgb"], progress=False)
    monkeypatch.undo()
    path = tmp_path / "rgb" / "log.jsonl"
    assert [record.epoch for record in read_log(path)] == list(range(1, 7))
    runs.train_run(dataset, config, tmp_path, streams=["rgb"], progress=False, resume=True)
    assert [record.epoch for record in read_log(path)] == list(range(1, 8))


RECORD = EpochRecord(1, "zero", 0, "base", 3.0, 1.0, 1.5, 0.5, 0.0, 0.25)


def test_what_is_written_is_read_again(tmp_path):
    assert read_log(tmp_path / "log.jsonl") == []
    write_log(tmp_path / "log.jsonl", [RECORD])
    assert read_log(tmp_path / "log.jsonl") == [RECORD]


@pytest.mark.parametrize("line", ['{"epoch": 1', "[1]", '{"epoch": 1}', json.dumps({**RECORD.to_json(), "more": 1})])
def test_a_damaged_log_is_refused_by_name(tmp_path, line):
    (tmp_path / "log.jsonl").write_text(json.dumps(RECORD.to_json()) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=r"log\.jsonl is damaged"):
        read_log(tmp_path / "log.jsonl")
