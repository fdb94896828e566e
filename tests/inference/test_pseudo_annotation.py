"""What a run finds in its training videos, as an annotation that other projects' readers read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amsx.cli import main
from amsx.data.convert import convert
from amsx.data.layouts import read_dataset
from amsx.data.videos import Dataset
from amsx.inference import AnnotationForm
from amsx.inference.model import TrainedModel
from amsx.inference.pseudo_annotation import DATABASES, write_pseudo_annotation


@pytest.mark.parametrize("form", list(DATABASES))
def test_the_annotation_is_read_again_beside_the_features(
    model: TrainedModel, dataset: Dataset, tmp_path: Path, form: AnnotationForm
) -> None:
    made = convert(dataset, tmp_path / "set", form)
    path = tmp_path / "set" / "annotation.json"
    written = write_pseudo_annotation(model, dataset, path, form, progress=False)
    again = read_dataset(tmp_path / "set", **made.options)
    by_id = {video.id: video for video in dataset.videos}
    assert written.videos == len(again.subset("train"))
    for video in again.subset("train"):
        assert set(video.labels) <= set(by_id[video.id].labels)
        localized = model.localize_video(by_id[video.id], by_id[video.id].labels).detections
        end = by_id[video.id].duration or by_id[video.id].end
        expected = sorted((max(d.start, 0), min(d.end, end), d.label) for d in localized)
        found = sorted((s.start, s.end, s.label) for s in video.segments)
        assert [label for *_, label in found] == [label for *_, label in expected]
        np.testing.assert_allclose([f[:2] for f in found], [e[:2] for e in expected])
    for video in again.subset("test"):
        assert sorted(video.segments, key=str) == sorted(by_id[video.id].segments, key=str)
    database = json.loads(path.read_text())["database"]
    scored = [record for v in again.subset("train") for record in database[v.id]["annotations"]]
    assert len(scored) == written.segments
    assert all(record["score"] > 0 for record in scored)
    assert not any("score" in record for v in again.subset("test") for record in database[v.id]["annotations"])


def test_only_labels_are_localized_and_low_scores_left_out(
    model: TrainedModel, dataset: Dataset, tmp_path: Path
) -> None:
    video = dataset.subset("train")[0]
    other = next(label for label in dataset.classes if label not in video.labels)
    assert {d.label for d in model.localize_video(video, (other,)).detections} == {other}
    assert model.localize_video(video, ("unheard of",)).detections == ()
    whole = write_pseudo_annotation(model, dataset, tmp_path / "a.json", "activity_net", progress=False)
    scores = sorted(
        record["score"]
        for entry in json.loads((tmp_path / "a.json").read_text())["database"].values()
        for record in entry["annotations"]
        if "score" in record
    )
    least = scores[len(scores) // 2]
    fewer = write_pseudo_annotation(
        model, dataset, tmp_path / "b.json", "activity_net", least_score=least, progress=False
    )
    assert fewer.segments == sum(score >= least for score in scores) < whole.segments
    with pytest.raises(ValueError, match="nothing was found"):
        write_pseudo_annotation(model, dataset, tmp_path / "c.json", "opentad", least_score=99, progress=False)
    tests = replace(dataset, videos=dataset.subset("test"))
    with pytest.raises(ValueError, match="has no training videos"):
        write_pseudo_annotation(model, tests, tmp_path / "c.json", "opentad", progress=False)
    assert not (tmp_path / "c.json").exists()


def test_the_command(run: Path, dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    convert(dataset, tmp_path / "set", "bas_net")
    out = tmp_path / "pseudo.json"
    command = ["pseudo-labels", str(run), str(tmp_path / "set"), "--to", "action_former", "--out", str(out), "--quiet"]
    assert main(command) == 0
    assert "in the form of action_former" in capsys.readouterr().out
    assert out.is_file()
    assert main(["pseudo-labels", str(run), "--to", "opentad"]) == 1
    assert "was trained on data made in memory; expected DATA" in capsys.readouterr().err
