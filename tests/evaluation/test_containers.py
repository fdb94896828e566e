"""The same detections in every container and under every name of a column; and what is refused, with the reason."""

import csv
import gzip
import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amsx.evaluation import Selection, evaluate

CLASSES = ["run", "jump"]
ROWS = [("v1", 1.0, 2.5, 0, 0.5), ("v2", 3.0, 4.0, 1, 0.25), ("v1", 0.5, 4.0, 1, 0.75)]
NAMES = ("video-id", "t-start", "t-end", "label", "score")
TRUTH: dict[str, Any] = {
    "database": {
        video: {
            "annotations": [
                {"label": CLASSES[code], "segment": [start, end], "label_id": str(code)}
                for of, start, end, code, _ in ROWS
                if of == video
            ]
        }
        for video in ("v1", "v2")
    }
}
COLUMNS: dict[str, list[Any]] = {name: [row[i] for row in ROWS] for i, name in enumerate(NAMES)}
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
RESULTS = {
    v: [{"label": CLASSES[c], "segment": (s, e), "score": np.float32(p)} for of, s, e, c, p in ROWS if of == v]
    for v in ("v1", "v2")
}
ARRAYS = {name: values if name == "video-id" else np.array(values) for name, values in COLUMNS.items()}


def separated(delimiter: str, header: tuple[str, ...] = NAMES, index: bool = False, end: str = "\n") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow([""] * index + list(header))
    for i, row in enumerate(ROWS):
        writer.writerow([i] * index + list(row))
    return text.getvalue().encode()


FILES = {
    "eval_results.pkl": (pickle.dumps(ARRAYS), "table of columns (pickle)"),
    "protocol0.pkl": (pickle.dumps(COLUMNS, protocol=0), "table of columns (pickle)"),
    "no_suffix": (pickle.dumps(ARRAYS, protocol=2), "table of columns (pickle)"),
    "results.pickle": (
        pickle.dumps({"results": RESULTS}),
        "ActivityNet form without version and external_data (pickle)",
    ),
    "records.pkl": (pickle.dumps(RECORDS), "table of columns (pickle)"),
    "packed.pkl.gz": (gzip.compress(pickle.dumps(ARRAYS)), "table of columns (pickle)"),
    "columns.json": (json.dumps(COLUMNS).encode(), "table of columns"),
    "packed.json.gz": (gzip.compress(json.dumps(COLUMNS).encode()), "table of columns"),
    "records.json": (json.dumps(RECORDS).encode(), "table of columns"),
    "lines.jsonl": ("\n".join(map(json.dumps, RECORDS)).encode(), "table of columns (JSON lines)"),
    "pandas.json": (
        json.dumps({name: dict(zip("012", values, strict=True)) for name, values in COLUMNS.items()}).encode(),
        "table of columns",
    ),
    "split.json": (json.dumps({"columns": NAMES, "index": [0, 1, 2], "data": ROWS}).encode(), "table of columns"),
    "plain.csv": (separated(","), "table of columns (CSV)"),
    "pandas.csv": (separated(",", index=True), "table of columns (CSV)"),
    "windows.csv": (b"\xef\xbb\xbf" + separated(",", end="\r\n"), "table of columns (CSV)"),
    "semicolons.csv": (separated(";"), "table of columns (CSV)"),
    "tabs.tsv": (separated("\t"), "table of columns (TSV)"),
    "packed.csv.gz": (gzip.compress(separated(",")), "table of columns (CSV)"),
}


@pytest.mark.parametrize("file", FILES)
def test_the_same_detections_in_every_container(tmp_path: Path, file: str) -> None:
    content, form = FILES[file]
    (tmp_path / file).write_bytes(content)
    result = evaluate(tmp_path / file, TRUTH)
    assert (result.average, result.counts.detections) == (100.0, 3)
    assert result.form.removesuffix(", integer labels by the label_id of ground truth") == form


def test_a_numpy_file_of_one_object(tmp_path: Path) -> None:
    np.save(tmp_path / "found.npy", np.array({"results": RESULTS}, dtype=object), allow_pickle=True)
    assert evaluate(tmp_path / "found.npy", TRUTH).average == 100.0


@pytest.mark.parametrize("source", [ARRAYS, RECORDS, COLUMNS])
def test_from_python_as_well(source: Any) -> None:
    assert evaluate(source, TRUTH).average == 100.0


def test_a_data_frame() -> None:
    pandas = pytest.importorskip("pandas")
    assert evaluate(pandas.DataFrame(COLUMNS), TRUTH).average == 100.0


@pytest.mark.parametrize(
    "header",
    [
        ("video_id", "t_start", "t_end", "label", "score"),
        ("videoid", "start", "end", "class", "scores"),
        ("Video", "Start Time", "End Time", "Category", "Confidence"),
        ("video_name", "begin", "stop", "label_id", "prob"),
    ],
)
def test_names_of_columns(tmp_path: Path, header: tuple[str, ...]) -> None:
    (tmp_path / "found.csv").write_bytes(separated(",", header))
    result = evaluate(tmp_path / "found.csv", TRUTH)
    assert result.average == 100.0
    assert all(repr(name) in result.form for name in header if name not in NAMES)


def test_columns_that_are_not_read_are_named() -> None:
    found = {**COLUMNS, "class": ["a", "b", "c"], "iou": [1, 2, 3]}
    result = evaluate(found, TRUTH)
    assert result.average == 100.0  # "label" comes before its other spellings
    assert "without its 'class', 'iou'" in result.form


def test_one_column_of_segments() -> None:
    found = {"video": COLUMNS["video-id"], "label": COLUMNS["label"], "score": COLUMNS["score"]}
    assert evaluate({**found, "segment": np.array([row[1:3] for row in ROWS])}, TRUTH).average == 100.0
    records = [{"video_id": v, "segment": [s, e], "class": c, "score": p} for v, s, e, c, p in ROWS]
    assert evaluate(records, TRUTH).average == 100.0


def test_names_for_the_numbers_by_a_class_list(tmp_path: Path) -> None:
    (tmp_path / "found.csv").write_bytes(separated(","))
    names = json.loads(json.dumps(TRUTH))
    for entry in names["database"].values():
        for annotation in entry["annotations"]:
            del annotation["label_id"]
    assert evaluate(tmp_path / "found.csv", names, selection=Selection(labels=CLASSES)).average == 100.0
    with pytest.raises(ValueError, match=r"no label_id; a class list \(--labels FILE"):
        evaluate(tmp_path / "found.csv", names)


def test_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "found.csv").write_text(",".join(NAMES) + "\n")
    result = evaluate(tmp_path / "found.csv", TRUTH)
    assert result.counts.detections == 0
    assert any("there is no detection to score" in note for note in result.notes)


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("run by a pickle",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Evil()), "refused, it asks for builtins.print"),
        (b"\x80\x04\x95\x10\x00\x00\x00", "not a readable pickle"),
        (b"\x80\x02cpandas.core.frame\nDataFrame\n.", r"asks for pandas.*`frame.to_csv\('predictions.csv'\)`"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n.", r"asks for torch.*`tensor.cpu\(\).numpy\(\)`"),
        (pickle.dumps(3), "holds a int; expected a JSON object"),
        (gzip.compress(b"{}", mtime=0)[:-9], "cannot be unpacked as gzip"),
        (b"PK\x03\x04....", "is a zip archive, as torch.save"),
        (b"\x89HDF\r\n", "is an HDF5 file"),
        (b"v1,1.0,2.5,0,0.5\n", "no header of a CSV with the columns video-id"),
        (separated(",", ("video", "vid", "t-end", "label", "score")), "'video', 'vid' may each be 'video-id'"),
        (separated(",", ("video-id", "t-start", "t-end", "label", "label")), "'label', 'label' may each be 'label'"),
        (separated(",") + b"v1,1.0,2.5,0\n", "line 5: has 4 cells; expected 5"),
        (separated(",") + b"v1,1.0,2.5,0,\n", "video 'v1', detection 2 has score ''"),
        (separated(",") + b"v1,1.0,x,0,1\n", r"video 'v1', detection 2 has segment .*'x'.*expected two finite numbers"),
        (separated(",") + b",1.0,2.0,0,1\n", "row 3 has the video id ''"),
        (json.dumps([RECORDS[0], {"video-id": "v1"}]).encode(), "entry 1 of its list has no 't-start'"),
        (json.dumps([RECORDS[0], 3]).encode(), "entry 1 of its list is a int"),
        (b'{"results": {}, "results": {}}', "'results' occurs twice in one object"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "found.bin").write_bytes(content)
    with pytest.raises(ValueError, match=r"found\.bin.*" + message):
        evaluate(tmp_path / "found.bin", TRUTH)
    assert capsys.readouterr().out == ""
