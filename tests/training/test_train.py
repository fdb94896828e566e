"""`amsx.train` does what `amsx train` does."""

import json

import pytest

import amsx
from amsx.cli import main
from amsx.data.convert import convert
from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.training.config import Config, to_dict
from amsx.training.train import choose_config

BRIEF = ["phases.base_epochs=1", "phases.branches=base", "phases.supervision=none", "model.hidden=4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = make_dataset(SyntheticConfig(classes=2, train_videos=4, test_videos=2, length=(20, 24)))
    out = tmp_path_factory.mktemp("made") / "data"
    return out, convert(made, out, "activity_net").options


def test_a_call_and_a_command_write_the_same_run(folder, tmp_path):
    data, options = folder
    said: list[str] = []
    result = amsx.train(
        data,
        tmp_path / "call",
        preset="small",
        overrides=BRIEF,
        seed=3,
        streams=["flow"],
        layout="activity_net",
        data_options=options,
        progress=False,
        say=said.append,
    )
    assert result.out == tmp_path / "call"
    assert any(note.startswith("T is ") for note in said)
    command = ["train", str(data), "--out", str(tmp_path / "command"), "--preset", "small", "--seed", "3", "--quiet"]
    command += [f"--set={setting}" for setting in BRIEF]
    command += ["--stream", "flow", "--layout", "activity_net"]
    command += [f"--data-option={key}={json.dumps(value)}" for key, value in options.items()]
    assert main(command) == 0
    for name in ("config.json", "predictions.json", "metrics.json", "flow/activations.safetensors"):
        assert (tmp_path / "call" / name).read_bytes() == (tmp_path / "command" / name).read_bytes()
    assert amsx.load(result.out).streams == ("flow",)
    with pytest.raises(FileExistsError, match="already holds a run"):
        amsx.train(data, tmp_path / "call", overrides=BRIEF, data_options=options, say=said.append)


def test_a_data_set_in_memory_is_read_already(tmp_path):
    made = make_dataset(SyntheticConfig(classes=2, train_videos=2, test_videos=1, length=(20, 24)))
    with pytest.raises(ValueError, match="got a data set, which is read already"):
        amsx.train(made, tmp_path, data_options={"split": True})


def test_where_a_configuration_starts(tmp_path):
    made = make_dataset(SyntheticConfig(classes=2, train_videos=2, test_videos=1, length=(20, 24)))
    own = Config()
    (tmp_path / "config.json").write_text(json.dumps(to_dict(own)))
    assert choose_config(made, config=own) == choose_config(made, config=tmp_path / "config.json") == (own, [])
    changed, _ = choose_config(made, config=own, seed=1, overrides=["optimization.seed=2"])
    assert changed.optimization.seed == 2
    with pytest.raises(ValueError, match="expected one of them"):
        choose_config(made, config=own, preset="small")


def test_the_package_offers_them_without_importing_torch():
    assert {"load", "train"} <= set(dir(amsx))
