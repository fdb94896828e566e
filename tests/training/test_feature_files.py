"""A training that reads its features from their files has the weights of one that holds them in memory, to the bit."""

import numpy as np
import pytest
import torch

from amsx.data.batching import FeatureSet
from amsx.data.convert import convert
from amsx.data.features import FeatureFile
from amsx.data.file_rows import FileRows
from amsx.data.layouts import read_dataset
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.training.activations import feature_change, infer
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import train_run
from amsx.training.setup import moments
from amsx.training.trainer import Trainer


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set") / "bas_net"
    convert(make_dataset(SyntheticConfig(train_videos=10, test_videos=4, length=(20, 60))), folder, to="bas_net")
    return read_dataset(folder)


@pytest.mark.parametrize("standardize", [False, True])
def test_two_epochs_give_the_same_weights_and_activations(dataset, standardize):
    config = override(
        for_dataset(dataset, "small")[0],
        ["model.hidden=8", f"model.standardize={str(standardize).lower()}", "optimization.max_snippets=30"],
    )
    results = []
    for storage in ("float32", "files"):
        train, test = (
            FeatureSet.load(dataset.subset(name), "rgb", dataset.classes, storage=storage) for name in ("train", "test")
        )
        trainer = Trainer(train, config, stream="rgb", classes=dataset.classes, progress=False)
        trainer.train(until=2)
        base, _ = infer(trainer.model, test, both=False, class_threshold=config.sampling.class_threshold)
        results.append((trainer.state()[0], base.cas, feature_change(test)))
    (a, cas_a, change_a), (b, cas_b, change_b) = results
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    assert np.array_equal(cas_a, cas_b) and np.array_equal(change_a, change_b)


def test_moments_over_files_are_those_of_all_rows(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [(100 + 3 * rng.standard_normal((n, 5))).astype("f4") for n in (1, 40, 300)]
    for i, array in enumerate(arrays):
        array[:, 4] = 7  # a constant column has the deviation 1
        np.save(tmp_path / f"{i}.npy", array)
    files = [FeatureFile.inspect(tmp_path / f"{i}.npy") for i in range(3)]
    found = moments(FileRows(files, np.array([0, 1, 41, 341])))
    for own, expected in zip(found, moments(torch.from_numpy(np.concatenate(arrays))), strict=True):
        assert own.dtype == torch.float32
        torch.testing.assert_close(own, expected, rtol=1e-6, atol=0)
    assert found[1][4] == 1


def test_features_in_memory_are_refused_before_anything_is_written(tmp_path):
    made = make_dataset(SyntheticConfig(train_videos=4, test_videos=2))
    config = override(for_dataset(made)[0], ["optimization.storage=files"])
    with pytest.raises(ValueError, match=r"rgb: features in memory cannot be read in parts; expected .*\.npy or HDF5"):
        train_run(made, config, tmp_path / "run", streams=["rgb"], progress=False)
    assert not list(tmp_path.rglob("*.json"))
