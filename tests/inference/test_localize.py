"""`amsx localize`: one result for the same features in whatever form, files that are whole, and runs that go on."""

import json
import re
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch

from amsx.cli import main
from amsx.data.convert import convert
from amsx.data.extraction_record import ExtractionRecord, ExtractorIdentity
from amsx.evaluation import evaluate

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def arrays(dataset):
    """Three videos by name: stream -> array."""
    videos = dataset.subset("test")[:3]
    return {
        name: {stream: features.load() for stream, features in video.streams.items()}
        for name, video in zip(NAMES, videos, strict=True)
    }


@pytest.fixture(scope="module")
def expected(model, arrays):
    return {name: [asdict(d) for d in model.localize(streams)] for name, streams in arrays.items()}


def localized(out):
    """Video -> its detections in the predictions.json of a folder."""
    return {
        name: [
            {"label": d["label"], "start": d["segment"][0], "end": d["segment"][1], "score": d["score"]} for d in found
        ]
        for name, found in json.loads((out / "predictions.json").read_text())["results"].items()
    }


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def folders(root, arrays):
    for name, streams in arrays.items():
        for stream, values in streams.items():
            save(root / "features" / f"i3d_{stream}" / f"{name}.npy", values)


def affixes(root, arrays):
    for name, streams in arrays.items():
        save(root / f"{name}_rgb.npy", streams["rgb"])
        save(root / f"{name}-optical_flow.npy", streams["flow"])


def archives(root, arrays):
    for name, streams in arrays.items():
        np.savez(root / f"{name}.npz", **streams, fps=25.0, stride=16)


def concatenated(root, arrays):
    for name, streams in arrays.items():
        save(root / f"{name}.npy", np.concatenate([streams["rgb"], streams["flow"]], axis=1))


def one_file(root, arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File(root / "all.h5", "w") as file:
        for name, streams in arrays.items():
            for stream, values in streams.items():
                file[f"{name}/{stream}"] = values


@pytest.mark.parametrize("form", [folders, affixes, archives, concatenated, one_file])
def test_forms_of_the_same_features(run, arrays, expected, tmp_path, capsys, form):
    data = tmp_path / "data"
    data.mkdir()
    form(data, arrays)
    assert main(["localize", str(run), str(data), "--out", str(tmp_path / "out")]) == 0
    assert localized(tmp_path / "out") == expected
    printed = capsys.readouterr().out
    assert printed.count("start") == 3
    assert "0:00:" in printed


@pytest.mark.parametrize("kind", [".npz", ".pt", ".npy"])
def test_files_given_by_name(run, arrays, expected, tmp_path, kind):
    inputs = []
    if kind == ".npz":
        np.savez(tmp_path / "a.npz", **arrays["a"])
    elif kind == ".pt":
        torch.save({name: torch.from_numpy(values) for name, values in arrays["a"].items()}, tmp_path / "a.pt")
    else:
        inputs = [tmp_path / stream / "a.npy" for stream in ("rgb", "flow")]
        for path in inputs:
            save(path, arrays["a"][path.parent.name])
    inputs = inputs or [tmp_path / f"a{kind}"]
    out = tmp_path / "out"
    assert main(["localize", str(run), *map(str, inputs), "--out", str(out), "--quiet"]) == 0
    assert localized(out) == {"a": expected["a"]}


def test_streams_by_option(run, arrays, expected, tmp_path):
    save(tmp_path / "x.npy", arrays["a"]["flow"])
    save(tmp_path / "y_flow.npy", arrays["a"]["rgb"])
    given = ["--stream", f"flow={tmp_path / 'x.npy'}", "--stream", f"rgb={tmp_path / 'y_flow.npy'}"]
    assert main(["localize", str(run), *given, "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert localized(tmp_path / "out") == {"x": expected["a"]}


def test_a_data_set_in_a_layout_gives_what_its_test_gave(run, dataset, tmp_path, capsys):
    """All of its test videos, scored as in the run."""
    options = convert(dataset, tmp_path / "data", "activity_net").options
    given = [f"--data-option={key}={json.dumps(value)}" for key, value in options.items()]
    out = tmp_path / "out"
    assert main(["localize", str(run), str(tmp_path / "data"), *given, "--out", str(out), "--quiet"]) == 0
    tested = json.loads((run / "metrics.json").read_text())
    again = evaluate(out / "predictions.json", run / "ground_truth.json", tested["protocol"])
    assert again.average == pytest.approx(tested["average"] if "average" in tested else tested["average_map"], abs=0.5)
    every = ["--subset", "all", "--out", str(tmp_path / "all"), "--quiet"]
    assert main(["localize", str(run), str(tmp_path / "data"), *given, *every]) == 0
    assert set(localized(tmp_path / "all")) == {video.id for video in dataset.videos}
    capsys.readouterr()
    assert main(["localize", str(run), str(tmp_path / "data"), *given, "--fps", "25"]) == 1
    assert "expected --data-option in place of --fps" in capsys.readouterr().err


def test_every_format(run, arrays, expected, tmp_path):
    concatenated(tmp_path, {"a": arrays["a"]})
    out = tmp_path / "out"
    command = ["localize", str(run), str(tmp_path / "a.npy"), "--out", str(out), "--quiet"]
    assert main([*command, "--format", "json,csv", "--format", "srt,vtt,png"]) == 0
    assert {path.name for path in out.iterdir()} == {
        *(f"a.{kind}" for kind in ("json", "csv", "srt", "vtt", "png")),
        "predictions.json",
        "localized.jsonl",
    }
    assert (out / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "a.srt").read_text().startswith("1\n00:00:")
    assert (out / "a.vtt").read_text().startswith("WEBVTT\n\n")
    truth = {"database": {"a": {"subset": "test", "annotations": [{"label": "action_01", "segment": [0, 1]}]}}}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    for name in ("a.csv", "a.json", "predictions.json"):
        assert main(["evaluate", str(out / name), str(tmp_path / "truth.json")]) == 0
    rows = (out / "a.csv").read_text().splitlines()
    assert rows[0] == "video-id,t-start,t-end,label,score"
    assert len(rows) == 1 + len(expected["a"])


def test_what_is_there_is_passed_over_while_nothing_changed(run, arrays, tmp_path, capsys):
    concatenated(tmp_path, arrays)
    out = tmp_path / "out"
    inputs = [str(tmp_path / f"{name}.npy") for name in NAMES]
    command = ["localize", str(run), *inputs, "--out", str(out), "--quiet"]

    def passed_over(*more):
        assert main([*command, *more]) == 0
        words = capsys.readouterr().out.split()
        return int(words[0]) if "there" in words else 0

    assert passed_over() == 0
    whole = (out / "predictions.json").read_bytes()
    assert passed_over() == 3
    (out / "b.json").unlink()
    assert passed_over() == 2
    record = out / "localized.jsonl"
    record.write_bytes(record.read_bytes()[:-9])  # killed within the last line, which was of b
    assert passed_over() == 2 + ("b" in record.read_text().splitlines()[-2])
    assert (out / "predictions.json").read_bytes() == whole
    assert passed_over("--set", "localization.threshold=0.9") == 0
    assert passed_over("--set", "localization.threshold=0.9", "--format", "csv") == 0
    assert passed_over("--set", "localization.threshold=0.9", "--format", "csv,json") == 3
    save(tmp_path / "a.npy", np.load(tmp_path / "a.npy")[:-1])
    assert passed_over("--set", "localization.threshold=0.9") == 2


def test_one_broken_file_among_many_is_reported_and_the_others_go_on(run, arrays, expected, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    concatenated(tmp_path / "data", arrays)
    whole = (tmp_path / "data" / "b.npy").read_bytes()
    (tmp_path / "data" / "b.npy").write_bytes(whole[:-100])
    out = tmp_path / "out"
    assert main(["localize", str(run), str(tmp_path / "data"), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "1 of 3 videos could not be localized: b: " in said
    assert "truncated" in said
    assert localized(out) == {name: expected[name] for name in ("a", "c")}
    (tmp_path / "data" / "b.npy").write_bytes(whole)
    assert main(["localize", str(run), str(tmp_path / "data"), "--out", str(out)]) == 0
    assert localized(out) == expected


def test_ids_that_no_file_can_have(run, arrays, tmp_path):
    """They differ in case, hold slashes, or are what the command calls its own files."""
    h5py = pytest.importorskip("h5py")
    ids = ["x/y", "x_y", "A", "a", "predictions", "localized", "..", "e" * 300]
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for name in ids:
            for stream, values in arrays["a"].items():
                file[f"{name.replace('..', 'dots')}/{stream}"] = values
    out = tmp_path / "out"
    assert main(["localize", str(run), str(tmp_path / "all.h5"), "--out", str(out), "--quiet"]) == 0
    files = [path for path in out.iterdir() if path.suffix == ".json" and path.name != "predictions.json"]
    assert len({path.name.casefold() for path in files}) == len(ids)
    assert {path.parent for path in out.rglob("*.json")} == {out}
    assert len(localized(out)) == len(ids)
    again = tmp_path / "x_y.npz"
    np.savez(again, **arrays["b"])
    assert main(["localize", str(run), str(again), "--out", str(out), "--quiet"]) == 0


def test_another_video_of_the_same_file_name_is_refused(run, arrays, tmp_path, capsys):
    for folder, name in (("one", "x y"), ("two", "x+y")):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / f"{name}.npz", **arrays["a"])
    out = ["--out", str(tmp_path / "out"), "--quiet"]
    assert main(["localize", str(run), str(tmp_path / "one"), *out]) == 0
    assert main(["localize", str(run), str(tmp_path / "two"), *out]) == 1
    assert "the files called x_y are those of 'x y', from an earlier command" in capsys.readouterr().err


def identity(**changes):
    return ExtractorIdentity(**{"extractor": "i3d", "width": 64, "settings": {"size": 224}, "weights": None, **changes})


def with_extractors(run, folder, extractors):
    copy = shutil.copytree(run, folder)
    described = json.loads((copy / "config.json").read_text())
    described["data"]["features"]["extractors"] = {name: asdict(one) for name, one in extractors.items()}
    (copy / "config.json").write_text(json.dumps(described))
    return copy


def test_features_of_another_extractor_are_refused(run, arrays, expected, tmp_path, capsys):
    """The record beside the features also says when their snippets are."""
    known = with_extractors(run, tmp_path / "run", {"rgb": identity()})
    for stream, values in arrays["a"].items():
        save(tmp_path / "data" / "features" / stream / "a.npy", values)
    command = ["localize", str(known), "--quiet", "--out", str(tmp_path / "out")]
    for streams, message in (
        ({"rgb": identity(extractor="clip")}, "made by the extractor 'clip', and .* trained on those of 'i3d'"),
        ({"rgb": identity(settings={"size": 112})}, "settings.size: 112, 224"),
        ({"rgb": identity(weights="sha256:12")}, "weights: 'sha256:12', None"),
        ({"rgb": identity(packages={"torch": "2"}), "flow": identity(extractor="motion")}, None),
    ):
        ExtractionRecord(fps=50.0, stride=16, streams=streams).begin(tmp_path / "data")
        for inputs in (["data"], ["data/features/rgb/a.npy", "data/features/flow/a.npy"]):
            status = main([*command, *(str(tmp_path / name) for name in inputs)])
            said = capsys.readouterr().err
            assert status == (0 if message is None else 1)
            if message is not None:
                assert re.search(message, said)
    (found,) = localized(tmp_path / "out").values()
    assert [(d["start"], d["label"]) for d in found] == [(d["start"] / 2, d["label"]) for d in expected["a"]]


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ({}, [], "expected feature files, folders or videos"),
        ({}, ["no.npy"], "no file or folder"),
        ({}, ["."], "holds no known layout, no files of features and no videos"),
        ({"x.xyz": None}, ["x.xyz"], "neither a kind of feature file"),
        ({"x.mp4": None}, ["x.mp4"], "has no record of what made its features"),
        ({"x.mp4": None, "x.npy": "rgb"}, ["."], "either of which may be meant"),
        ({"x.npy": "rgb"}, ["x.npy"], "nothing says which of the streams rgb, flow"),
        ({"x_rgb.npy": "rgb"}, ["x_rgb.npy"], "there are no features of flow"),
        ({"x_audio.npy": "rgb", "x_flow.npy": "flow"}, ["x_flow.npy"], "there are no features of rgb"),
        ({"x_rgb.npy": "turned", "x_flow.npy": "flow"}, ["."], "give --transpose"),
        ({"x_rgb.npy": "rgb", "rgb.x.npy": "rgb"}, ["."], "are both features of 'x'"),
        ({"x_rgb.npy": "narrow", "x_flow.npy": "flow"}, ["."], "width 9"),
        ({"x_rgb.npy": "rgb", "x_flow.npy": "flow", "x_fps.npy": "rate"}, ["."], "fps is 30, but stride is not known"),
    ],
)
def test_inputs_that_cannot_be_used(run, arrays, tmp_path, capsys, files, given, message):
    rgb, flow = arrays["a"].values()
    contents = {"rgb": rgb, "flow": flow, "turned": rgb.T, "narrow": rgb[:, :9], "rate": np.array(30.0)}
    for name, content in files.items():
        if content is None:
            (tmp_path / name).write_bytes(b"x")
        else:
            save(tmp_path / name, contents[content])
    assert main(["localize", str(run), "--quiet", *(str(tmp_path / name) for name in given)]) == 1
    assert message in capsys.readouterr().err


def test_a_transposed_array(run, arrays, expected, tmp_path):
    for stream, values in arrays["a"].items():
        save(tmp_path / f"a_{stream}.npy", values.T)
    out = tmp_path / "out"
    inputs = [str(tmp_path / f"a_{stream}.npy") for stream in arrays["a"]]
    assert main(["localize", str(run), *inputs, "--transpose", "--out", str(out), "--quiet"]) == 0
    assert localized(out) == {"a": expected["a"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "srt"], "expected --out, too"),
        (["--format", "ass", "--out", "o"], "--format ass: expected json, csv, srt, vtt, png"),
        (["--stream", "rgb"], "expected NAME=FILE"),
        (["--fps", "0"], "fps must be a positive number"),
        (["--set", "model.hidden=3"], "only the sections localization and evaluation"),
    ],
)
def test_options_that_cannot_be_used(run, capsys, options, message):
    assert main(["localize", str(run), "x.npy", *options]) == 1
    assert message in capsys.readouterr().err
