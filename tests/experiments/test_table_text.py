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


def test_rows_are_compared_to_those_without_a_part():
    values = result(False).to_json()
    for score in values["rows"][0]["scores"].values():
        score["seeds"] = [38.0, 39.0]  # 3.5 and 3.5 below row F's 41.5 and 42.5, and then one pair apart
    values["rows"][0]["scores"]["flow"]["seeds"] = [38.5, 37.5]
    lines = as_text(Result.from_json(values)).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("minus 'C: two branches + sampler', ± standard"))
    assert lines[head + 1].startswith("F: all of AMS ") and "+4.0 ± 1.0, p 0.16" in lines[head + 1]  # t = 4, 1 degree
    assert lines[head + 2] == ""  # no line for row C itself
    alone = {**values, "rows": values["rows"][1:]}
    assert "minus" not in as_text(Result.from_json(alone))
    assert "minus" not in as_text(Result.from_json({**values, "key": "figure5"}))
    assert "minus" not in as_text(Result.from_json({**values, "seeds": 1}))
    values["rows"] += [{**values["rows"][0], "key": "E", "name": "mutual supervision"}]
    lines = as_text(Result.from_json(values)).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("difference, ± standard error"))
    names = [line.split("  ")[0] for line in lines[head + 1 : head + 3]]
    assert names == [f"F: all of AMS minus {base}" for base in ("C: two branches + sampler", "E: mutual supervision")]


def test_elsewhere_the_paper_is_not_mentioned():
    assert "paper" not in as_text(result(False))
    assert "paper" not in as_markdown(result(False))


def test_markdown_has_as_many_cells_in_every_line():
    tables = [part for part in as_markdown(result(True)).split("\n\n") if part.startswith("|")]
    assert [{line.count("|") for line in table.splitlines()} for table in tables] == [{6}, {5}, {10}]


def test_of_one_seed_no_deviation_is_told():
    one = entry("F", "all of AMS", 4, 42.0)
    for score in one["scores"].values():
        score |= {"deviation": 0.0, "seeds": [42.0], "mAP": [{"mean": 42.0, "deviation": 0.0, "seeds": [42.0]}] * 7}
    values = {**result(False).to_json(), "seeds": 1, "rows": [one]}
    for text in (as_text(Result.from_json(values)), as_markdown(Result.from_json(values))):
        assert "±" not in text
        assert "one seed" in text
