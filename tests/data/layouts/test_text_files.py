"""The text files of data sets and of the evaluation in the forms in which other systems write them."""

import json

import numpy as np
import pytest
from data.layouts import made_up

from amsx.data.layouts import read_dataset
from amsx.data.layouts.shared.assembly import shortened
from amsx.evaluation import Selection, evaluate

FORMS = {"windows": ("utf-8-sig", "\r\n"), "powershell": ("utf-16", "\r\n"), "old macintosh": ("utf-8", "\r")}


def rewrite(folder, form):
    """Write all text files below `folder` again in one of `FORMS`, with empty lines at the end."""
    encoding, end = FORMS[form]
    for path in (*folder.rglob("*.json"), *folder.rglob("*.txt")):
        path.write_bytes((path.read_text(encoding="utf-8") + "\n\n").replace("\n", end).encode(encoding))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", ["bas_net", "dgam", "opentad"])
def test_a_data_set_is_read_alike_in_every_form_of_its_text(tmp_path, layout, form):
    getattr(made_up, layout)(tmp_path, made_up.make(width=2))
    plain = read_dataset(tmp_path)
    rewrite(tmp_path, form)
    again = read_dataset(tmp_path)
    assert (again.layout, again.classes, again.notes) == (plain.layout, plain.classes, plain.notes)
    assert [(v.id, v.subset, v.segments) for v in again.videos] == [(v.id, v.subset, v.segments) for v in plain.videos]


@pytest.mark.parametrize("form", FORMS)
def test_the_evaluation_reads_every_form_of_its_text_files(tmp_path, form):
    truth = {v: {"annotations": [{"label": "Würfe", "segment": [0, 10]}]} for v in ("a b", "c")}
    files = {
        "truth.json": json.dumps({"database": truth}, ensure_ascii=False),
        "lines.txt": "c 0 10 1 0.5\n",
        "found.json": json.dumps({"results": {"a b": [{"label": 1, "score": 0.5, "segment": [0, 10]}]}}),
        "split.txt": "a b\nc\n",
        "ambiguous.txt": "c 20 30\n",
        "classes.txt": "1 Würfe\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    rewrite(tmp_path, form)
    read = Selection(
        videos=tmp_path / "split.txt", labels=tmp_path / "classes.txt", ambiguous=tmp_path / "ambiguous.txt"
    )
    for found in ("found.json", "lines.txt"):
        score = evaluate(tmp_path / found, tmp_path / "truth.json", tiou=0.5, selection=read)
        assert list(score.per_class) == ["Würfe"] and score.average == pytest.approx(50, abs=1)


@pytest.mark.parametrize(
    ("layout", "file"), [("wtalc", "videoname"), ("wtalc", "classlist"), ("wtalc", "subset"), ("dgam", "classlist")]
)
def test_names_in_arrays_that_are_not_utf8_are_refused_by_file(tmp_path, layout, file):
    getattr(made_up, layout)(tmp_path, made_up.make(width=2))
    path = next(tmp_path.rglob(f"{file}.npy"), tmp_path / f"{file}.npy")
    np.save(path, np.array(["é".encode("latin-1")] * 10))
    where = "subset" if file == "subset" else f"{file}.npy"
    with pytest.raises(ValueError, match=rf"{where}, line 1, column 1: the byte 0xe9 is not UTF-8"):
        read_dataset(tmp_path)


def test_ids_with_line_ends_are_quoted_in_notes():
    assert shortened(["a b", "篮", "c\n\x1b[31m", "d", "e"]) == "a b, 篮, 'c\\n\\x1b[31m', and 2 more"
