"""Table III in miniature: complete, shared where it may be shared, and resumable by the cell."""

import json

import pytest

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.experiments import ablation
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import train_run
from amsx.training.trainer import Trainer

SETTINGS = [
    "model.hidden=16",
    "phases.base_epochs=2",
    "phases.alternate_epochs=1",
    "phases.iterations=2",
    "optimization.learning_rate=3e-3",
]


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(SyntheticConfig(classes=3, train_videos=16, test_videos=8, length=(30, 50)))


@pytest.fixture(scope="module")
def config(dataset):
    return override(for_dataset(dataset)[0], SETTINGS)


@pytest.fixture(scope="module")
def table(dataset, config, tmp_path_factory):
    out = tmp_path_factory.mktemp("ablation") / "table3"
    return out, ablation.table3(dataset, config, out, seeds=2, progress=False, say=lambda _: None)


def test_rows_and_numbers(table, config):
    out, result = table
    rows = [(row["key"], row["iteration"]) for row in result["rows"]]
    begun = "A" if config.phases.supplementary_epochs == 0 else "ABC"
    expected = [(key, i) for key in "ABCDEF" for i in (0, 1, 2) if i > 0 or key in begun]
    assert rows == expected
    for row in result["rows"]:
        assert list(row["scores"]) == ["rgb", "flow", "fused"]
        for score in row["scores"].values():
            a, b = score["seeds"]
            assert score["mean"] == pytest.approx((a + b) / 2)
            assert score["deviation"] == pytest.approx(abs(a - b) / 2**0.5)
    assert json.loads((out / "table3.json").read_text()) == result


def test_the_text_names_protocol_and_rows(table):
    out, result = table
    text = (out / "table3.txt").read_text()
    assert text == ablation.format_table3(result) + "\n"
    assert "protocol activitynet" in text
    assert "8 test videos; 2 seeds" in text
    assert len(text.splitlines()) == 2 + len(result["rows"])


@pytest.mark.parametrize("key", ["A", "C", "F"])
def test_a_cell_is_what_training_it_alone_gives(table, dataset, config, tmp_path, key):
    _, result = table
    row = next(row for row in ablation.ROWS if row.key == key)
    alone = override(ablation.row_config(config, row), ["optimization.seed=1"])
    expected = train_run(dataset, alone, tmp_path / "run", progress=False)
    entry = [entry for entry in result["rows"] if entry["key"] == key][-1]
    assert entry["scores"]["fused"]["seeds"][1] == expected.metrics["average"]
    assert entry["scores"]["rgb"]["seeds"][1] == expected.streams["rgb"]["average"]


def test_finished_cells_are_not_trained_again(table, dataset, config, monkeypatch):
    out, result = table
    trained = []
    real = Trainer.train
    monkeypatch.setattr(Trainer, "train", lambda self, **k: (trained.append(self.stream), real(self, **k))[1])
    quiet = {"seeds": 2, "progress": False, "say": lambda _: None}
    assert ablation.table3(dataset, config, out, **quiet) == result
    assert trained == []
    (out / "seed1" / "rgb" / "E" / "finished.json").unlink()  # as if killed in this cell
    assert ablation.table3(dataset, config, out, **quiet) == result
    assert trained == ["rgb", "rgb"]  # phase zero, and the cell


def test_other_settings_are_refused(table, dataset, config):
    out, _ = table
    with pytest.raises(ValueError, match=r"model\.hidden: 16, 8"):
        ablation.table3(dataset, override(config, ["model.hidden=8"]), out, progress=False)
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        ablation.table3(dataset, config, out, seeds=0)
