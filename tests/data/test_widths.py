"""Features of other extractors than I3D: vectors of any usual width train without an option."""

import json
from pathlib import Path

import numpy as np
import pytest

from amsx.data.layouts import read_dataset
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import train_run


def write_set(root: Path, width: int) -> None:
    generator = np.random.default_rng(width)
    (root / "features").mkdir(parents=True)
    database = {}
    for number in range(6):
        np.save(root / "features" / f"v{number}.npy", generator.random((10 + number, width), np.float32))
        label = "AB"[number % 2]
        database[f"v{number}"] = {
            "subset": "training" if number < 4 else "validation",
            "duration": 0.64 * (10 + number),
            "annotations": [{"label": label, "segment": [0.64, 3.2]}],
        }
    (root / "annotations.json").write_text(json.dumps({"database": database}))


@pytest.mark.parametrize("width", [512, 1408])
def test_widths_of_other_extractors_need_no_option(tmp_path, width):
    write_set(tmp_path / "data", width)
    dataset = read_dataset(tmp_path / "data")
    assert list(dataset.dims.values()) == [width]
    assert len(dataset.subset("train")) == 4
    config, _ = for_dataset(dataset, None, [], None)
    brief = [
        "phases.base_epochs=1",
        "phases.supplementary_epochs=1",
        "phases.alternate_epochs=1",
        "phases.iterations=1",
    ]
    result = train_run(dataset, override(config, brief), tmp_path / "run", progress=False, say=lambda _: None)
    assert result.metrics is not None
