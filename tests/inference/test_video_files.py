"""A run that knows what made its features reads video files, and says of them what it says of their features."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

from video.making import write_video

from amsx.cli import main
from amsx.data.features import FeatureFile
from amsx.data.videos import Dataset, Timebase, Video
from amsx.inference.model import load
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import train_run
from amsx.video.extraction import describe, extract_video
from amsx.video.extractors import make_extractor
from amsx.video.flow import FlowSettings

BRIEF = ["phases.base_epochs=1", "phases.branches=base", "phases.supervision=none", "model.hidden=4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """videos/x.mp4 and y.mp4, what is extracted from them at no usual rate, and a run trained on that."""
    root = tmp_path_factory.mktemp("films")
    (root / "videos").mkdir()
    for name, frames in (("x", 30), ("y", 42)):
        noise = np.random.default_rng(frames).integers(0, 255, (64, 256, 3), dtype=np.uint8)
        pictures = [np.ascontiguousarray(noise[:, 2 * i : 2 * i + 96]) for i in range(frames)]  # it moves to the left
        write_video(root / "videos" / f"{name}.mp4", pictures)
    flow = FlowSettings(preset="ultrafast")
    extractors = {"flow": make_extractor("motion", {"short_side": 48})}
    extraction = describe(extractors, 20, 8, flow)
    extraction.begin(root / "data")
    for name in ("x", "y"):
        rows = extract_video(root / "videos" / f"{name}.mp4", extractors, fps=20, stride=8, flow=flow).streams["flow"]
        path = root / "data" / "features" / "flow" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rows)
    x, y = (
        Video(
            name,
            "train",
            {"flow": FeatureFile.inspect(root / "data" / "features" / "flow" / f"{name}.npy")},
            labels=("walk",),
            segments=(),
            timebase=Timebase(0.4),
        )
        for name in ("x", "y")
    )
    videos = (x, replace(y, subset="test"))
    dataset = Dataset(root / "data", "made", ("run", "walk"), videos, extraction=extraction)
    config = override(for_dataset(dataset, "small")[0], BRIEF)
    train_run(dataset, config, root / "run", progress=False, say=lambda _: None)
    return root


def test_what_a_run_knows_of_its_extractors(folder):
    model = load(folder / "run")
    assert model.extractors["flow"].extractor == "motion"
    assert model.extractors["flow"].settings["flow"]["preset"] == "ultrafast"
    assert model.timebase == Timebase(0.4)


def test_a_video_is_localized_like_its_features(folder, tmp_path):
    moved = shutil.copytree(folder / "run", tmp_path / "run")
    for given, out in ((folder / "data", "a"), (folder / "videos", "b")):
        assert main(["localize", str(moved), "--out", str(tmp_path / out), "--quiet", str(given)]) == 0
    features, videos = (json.loads((tmp_path / out / "predictions.json").read_text())["results"] for out in "ab")
    assert features.keys() == videos.keys() == {"x", "y"}
    for name, found in features.items():
        assert [d["segment"] for d in found] == [d["segment"] for d in videos[name]]
        np.testing.assert_allclose([d["score"] for d in found], [d["score"] for d in videos[name]], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--extractor-option", "flow.cells=2"], r"is not the one that made the features .* settings.cells: 2, 3"),
        (["--extractor-option", "flow.colour=2"], r"has no setting 'colour'.*--extractor-option flow.KEY=VALUE"),
        (["--extractor-option", "rgb.cells=2"], "unknown stream 'rgb'"),
        (["--fps", "25"], "the snippets of a video file lie in time is known"),
    ],
)
def test_options_that_do_not_fit(folder, capsys, options, message):
    assert main(["localize", str(folder / "run"), str(folder / "videos" / "x.mp4"), *options]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_a_broken_video_does_not_stop_the_others(folder, tmp_path, capsys):
    videos = shutil.copytree(folder / "videos", tmp_path / "videos")
    (videos / "a.mp4").write_bytes(b"no video")
    assert main(["localize", str(folder / "run"), str(videos), "--out", str(tmp_path / "out"), "--quiet"]) == 1
    assert "1 of 3 videos could not be localized: a: " in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "out").glob("?.json")} == {"x.json", "y.json"}
