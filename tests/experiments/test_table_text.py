"""The text of a table: the paper's figures beside ours on the paper's data, and only those that are known."""

from amsx.experiments.results import Result
from amsx.experiments.table_text import as_markdown, as_text

TIOU = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def entry(key, name, iteration, mean):
    score = {"mean": mean, "deviation": 0.5, "seeds": [mean - 0.5, mean + 0.5]}
    scores = {view: {**score, "mAP": [score] * 7} for view in ("rgb", "flow", "fused")}
    return {"key": key, "name": name, "iteration": iteration, "scores": scores}


def result(thumos14):
    values = {
        "key": "table3",
        "title": "Table III, what each part of AMS adds",
        "protocol": "activitynet",
        "tiou": TIOU,
        "data": {"root": "thumos", "layout": "bas_net", "videos": {"test": 210}},
        "thumos14": thumos14,
        "config": {"localization": {"beta": 0.15}},
        "seeds": 2,
        "rows": [
            entry("C", "two branches + sampler", 4, 40.0),
            entry("F", "all of AMS", 3, 41.0),
            entry("F", "all of AMS", 4, 42.0),
        ],
    }
    return Result.from_json(values)


def test_the_papers_figures_stand_beside_its_own_row_alone():
    lines = as_text(result(True)).splitlines()
    assert lines[1].split() == ["rgb", "flow", "fused", "paper,", "fused"]
    assert lines[2].endswith("40.0 ± 0.5")  # row C: not known
    assert lines[3].endswith("41.0 ± 0.5")  # not the last iteration
    assert lines[4].split()[-1] == "42.3"
    paper = [line.split() for line in lines if line.startswith("   the paper")]
    assert paper == [["the", "paper"], ["the", "paper", "69.1", "33.1", "42.3"]]


def test_elsewhere_the_paper_is_not_mentioned():
    assert "paper" not in as_text(result(False))
    assert "paper" not in as_markdown(result(False))


def test_markdown_has_as_many_cells_in_every_line():
    tables = [part for part in as_markdown(result(True)).split("\n\n") if part.startswith("|")]
    assert [{line.count("|") for line in table.splitlines()} for table in tables] == [{6}, {10}]


def test_of_one_seed_no_deviation_is_told():
    one = entry("F", "all of AMS", 4, 42.0)
    for score in one["scores"].values():
        score |= {"deviation": 0.0, "seeds": [42.0], "mAP": [{"mean": 42.0, "deviation": 0.0, "seeds": [42.0]}] * 7}
    values = {**result(False).to_json(), "seeds": 1, "rows": [one]}
    for text in (as_text(Result.from_json(values)), as_markdown(Result.from_json(values))):
        assert "±" not in text
        assert "one seed" in text
