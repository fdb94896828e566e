"""Training with labels alone: segments are never read, videos without an action are negatives."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from amsx.cli import main
from amsx.data.features import FeatureArray
from amsx.data.validation import hold_out
from amsx.data.videos import Dataset, Segment, Subset, Timebase, Video
from amsx.model.losses import cas_classification_loss
from amsx.training import checkpoint
from amsx.training.activations import load_activations
from amsx.training.config import Config, override
from amsx.training.run import RunResult, train_run

SHORT = override(
    Config(),
    [
        "model.hidden=8",
        "phases.base_epochs=2",
        "phases.alternate_epochs=1",
        "phases.iterations=1",
        "optimization.batch_size=4",
        "optimization.max_snippets=12",
        "optimization.learning_rate=0.01",
    ],
)


def video(name: str, subset: Subset, *labels: str, segments: tuple[Segment, ...] = ()) -> Video:
    rng = np.random.default_rng(sum(map(ord, name)))
    features = rng.standard_normal((12, 6)).astype(np.float32)
    for label in labels:
        features[3:8, "xyz".index(label)] += 3
    return Video(name, subset, {"rgb": FeatureArray(features)}, tuple(sorted(labels)), segments, Timebase(0.5))


def dataset(*videos: Video) -> Dataset:
    return Dataset(None, "made up", ("x", "y"), videos)


TRAIN = [video(f"{label}{i}", "train", label) for label in "xy" for i in range(3)]
NOTHING = [video(f"n{i}", "train") for i in range(2)]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors, _ = checkpoint.load(folder / "rgb" / "checkpoint.safetensors", kind="checkpoint", prefix="model.")
    return tensors


def train(data: Dataset, out: Path, config: Config = SHORT) -> RunResult:
    return train_run(data, config, out, progress=False, say=lambda _: None)


def test_segments_of_training_videos_change_nothing(tmp_path: Path) -> None:
    train(dataset(*TRAIN), tmp_path / "without")
    timed = [replace(v, segments=(Segment(0.0, 1.0 + i, v.labels[0]),)) for i, v in enumerate(TRAIN)]
    train(dataset(*timed), tmp_path / "with")
    without, beside = weights(tmp_path / "without"), weights(tmp_path / "with")
    assert without.keys() == beside.keys()
    assert all(torch.equal(without[name], beside[name]) for name in without)


def test_test_videos_without_segments_are_classified_and_localized(tmp_path: Path) -> None:
    test = [video("t0", "test", "x"), video("t1", "test", "y"), video("t2", "test", "x", "y")]
    result = train(dataset(*TRAIN, *test), tmp_path / "run")
    assert result.metrics is None
    assert result.classification is not None
    assert 0 <= result.classification <= 100
    kept = json.loads((tmp_path / "run" / "classification.json").read_text())
    assert kept["mAP"] == result.classification
    assert set(kept["per_class"]) == {"x", "y"}
    found = json.loads((tmp_path / "run" / "predictions.json").read_text())["results"]
    assert set(found) == {"t0", "t1", "t2"}
    assert not (tmp_path / "run" / "metrics.json").exists()
    more = train(dataset(*TRAIN, *test, video("t3", "test")), tmp_path / "more")  # nobody says what the last one shows
    assert more.classification == result.classification


def test_where_some_test_videos_have_segments_the_others_are_not_scored(tmp_path: Path) -> None:
    timed = video("t0", "test", "x", segments=(Segment(1.5, 4.0, "x"),))
    alone = train(dataset(*TRAIN, timed), tmp_path / "alone")
    beside = train(dataset(*TRAIN, timed, video("t1", "test", "x")), tmp_path / "beside")
    assert alone.metrics is not None
    assert beside.metrics is not None
    assert alone.metrics.mean_ap == beside.metrics.mean_ap
    assert alone.classification is None
    assert beside.classification is not None


@pytest.mark.parametrize("classification", ["softmax", "binary"])
@pytest.mark.parametrize("supervision", ["none", "mutual"])
def test_videos_without_an_action_are_negatives(tmp_path: Path, classification: str, supervision: str) -> None:
    config = override(SHORT, [f"loss.cas_classification={classification}", f"phases.supervision={supervision}"])
    probe = video("probe", "test")
    quiet = [replace(v, streams=probe.streams) for v in NOTHING]  # the same features as the probe's
    means = []
    for data, out in ((dataset(*TRAIN, probe), "without"), (dataset(*TRAIN, *quiet, probe), "with")):
        longer = override(config, ["phases.base_epochs=30"])
        train(data, tmp_path / out, longer)
        base = load_activations(tmp_path / out / "rgb" / "activations.safetensors").base
        assert np.isfinite(base.cas).all()
        means.append(float(base.cas.mean()))
    assert means[1] < means[0]


def test_a_negative_lowers_the_cas_of_every_class_and_nothing_else() -> None:
    probs = torch.tensor([[0.3, 0.6]], requires_grad=True)
    (gradient,) = torch.autograd.grad(cas_classification_loss(probs, torch.zeros(1, 2)), probs)
    assert (gradient > 0).all()


def test_held_out_videos_are_stratified_and_always_the_same() -> None:
    videos = [video(f"x{i}", "train", "x") for i in range(20)] + [video(f"y{i}", "train", "y") for i in range(5)]
    videos += [video(f"b{i}", "train", "x", "y") for i in range(5)] + [video(f"n{i}", "train") for i in range(5)]
    data = dataset(*videos)
    held = hold_out(data, 0.2)
    tested = held.subset("test")
    assert [v.id for v in tested] == [v.id for v in hold_out(data, 0.2).subset("test")]
    assert [v.id for v in tested] != [v.id for v in hold_out(data, 0.2, seed=1).subset("test")]
    count = {label: sum(label in v.labels for v in tested) for label in ("x", "y")}
    assert count == {"x": 5, "y": 2}
    assert sum(not v.labels for v in tested) == 1
    assert held.notes[-1] == f"held out: {len(tested)} of 35 training videos, stratified by class"


def test_what_cannot_be_held_out_is_refused() -> None:
    data = dataset(*TRAIN)
    with pytest.raises(ValueError, match="must be between 0 and 1, got 1"):
        hold_out(data, 1)
    with pytest.raises(ValueError, match="has 1 test videos already"):
        hold_out(dataset(*TRAIN, video("t", "test", "x")), 0.2)
    with pytest.raises(ValueError, match=r"0\.01 of its 6 training videos is no video"):
        hold_out(data, 0.01)


def test_the_command_trains_on_a_table_of_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "DATA"
    (root / "features").mkdir(parents=True)
    rows = ["video,labels"]
    for v in [*TRAIN, *NOTHING]:
        np.save(root / "features" / f"{v.id}.npy", v.streams["rgb"].load())
        rows.append(f"{v.id},{';'.join(v.labels) or '-'}")
    (root / "labels.csv").write_text("\n".join(rows))
    settings = [f"--set={s}" for s in ("model.hidden=8", "phases.base_epochs=1", "phases.iterations=1")]
    settings += ["--set=phases.supplementary_epochs=0", "--set=phases.alternate_epochs=1"]
    time = ["--data-option", "fps=15", "--data-option", "stride=1"]
    out = ["--out", str(tmp_path / "run"), "--quiet", "--device", "cpu"]
    assert main(["train", str(root), *time, "--validation", "0.34", *settings, *out]) == 0
    printed = capsys.readouterr().out
    assert "held out: 3 of 8 training videos" in printed
    assert "classification mAP" in printed
    assert "no mAP of localization: it needs segments" in printed
    assert main(["data", str(root), *time]) == 0
