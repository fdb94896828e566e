"""The section on `amsx reproduce` as text: every figure of the tables, its deviation, and the paper's where known."""

import copy
import re
from dataclasses import replace

import numpy as np
import pytest
from report.conftest import HOSTILE_CLASS, HOSTILE_FOLDER, HOSTILE_VIDEO

from amsx.experiments.results import Result, ResultRow
from amsx.report.experiment_section import experiments as section
from amsx.report.page import write_report
from amsx.training.config import override

CHART = r'<div class="chart.*?</div>(?=<fig|</fig)'


@pytest.fixture(scope="module")
def text(experiments):
    return section(experiments, "experiments-1")


def rows_of(text, title):
    """Row label and cells of the tables of one result, markup taken out."""
    part = text.split(f"<h3>{title}")[1].split("<h3>")[0]
    found = []
    for row in re.findall(r"<tr>(.*?)</tr>", part):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)
        found.append([re.sub(r"<svg.*?</svg>|<[^>]+>", "", cell).strip() for cell in cells])
    return found


def formatted(values):
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"


def test_every_row_and_iteration_has_mean_and_deviation(text, experiments):
    rows = rows_of(text, "Table III")
    assert rows[0] == ["average mAP (%)", "phase zero", "iteration 1", "iteration 2"]
    table = experiments.results[0]
    of = {(row.key, row.iteration): row.scores for row in table.rows}
    for view, begin in (("fused", 1), ("rgb", 4), ("flow", 7)):
        shown = rows[begin : begin + 3]
        assert [row[0] for row in shown] == ["A: one branch", "C: two branches + sampler", "F: all of AMS"]
        for row, key in zip(shown, "ACF", strict=True):
            expected = [formatted(of[key, i][view].average.seeds) if (key, i) in of else "\u2013" for i in (0, 1, 2)]
            assert row[1:] == expected
    assert rows[3][1] == "\u2013"  # F begins as C
    per_tiou = rows[rows.index(["mAP (%) at tIoU", "average", *(f"@{t:g}" for t in table.tiou)]) + 1]
    last = of["A", 2]["fused"]
    assert per_tiou[1:] == [formatted(last.average.seeds), *(formatted(s.seeds) for s in last.per_tiou)]


def test_every_seed_can_be_seen(text, experiments):
    for row in experiments.results[0].rows:
        for score in row.scores.values():
            assert [f"{value:.1f}" for value in score.average.seeds] in [r[1:] for r in rows_of(text, "Table III")]


def test_what_was_measured_stands_above_every_result(text, experiments):
    above = re.findall(r"<p class='under'>(.*?)</p>", text)
    shared, *own = above  # the rules that all were scored under are said once
    assert shared.startswith(
        "Scored under protocol <b>activitynet</b>, tIoU 0.1 to 0.7 (7 thresholds). Behind the mean"
    )
    assert text.count("Scored under") == 1
    assert len(own) == len(experiments.results) == 2
    assert all("fused with the weights rgb 0.5, flow 0.5" in said for said in own)
    assert "a row that uses them has no score of its own there" in own[0]
    assert "a row that uses them" not in own[1]


def test_results_of_other_rules_say_their_own(experiments):
    table, curve = experiments.results
    text = section(replace(experiments, results=(replace(table, protocol="thumos14-official"), curve)), "e")
    assert re.findall("Scored under protocol <b>(.*?)</b>", text) == ["thumos14-official", "activitynet"]


def test_results_of_other_settings_say_which(text, experiments):
    assert "Not all tables" not in text
    table, curve = experiments.results
    anew = replace(table, config=override(table.config, ["localization.threshold=0.8"]))
    above = re.findall(r"<p class='under'>(.*?)</p>", section(replace(experiments, results=(anew, curve)), "e"))
    assert "those of this one are localization.threshold=0.8." in above[1]
    assert "those of this one are localization.threshold=0.7." in above[2]


def test_error_bars_are_as_many_as_scores(text, experiments):
    assert text.count('class="spread') == sum(
        len(row.scores) * (3 if result.key == "figure4" else 1) for result in experiments.results for row in result.rows
    )


def one_seed(result):
    alone = copy.deepcopy(result.to_json())
    alone["seeds"] = 1
    for row in alone["rows"]:
        for score in row["scores"].values():
            for entry in (score, *score["mAP"], *score.get("branches", {}).values()):
                entry["seeds"] = entry["seeds"][:1]
                entry["mean"], entry["deviation"] = entry["seeds"][0], 0.0
    return Result.from_json(alone)


def test_one_seed_has_no_deviation(experiments):
    text = section(replace(experiments, results=tuple(map(one_seed, experiments.results))), "e")
    assert "±" not in text
    assert 'class="spread' not in text
    assert "There is one seed, so no figure has a deviation" in text
    assert "Every seed" not in text


def last_iteration(result):
    """As Tables IV and V are."""
    rows = tuple(row for row in result.rows if row.iteration == 2)
    return replace(result, key="table4", title="Table IV, weights", rows=rows)


def test_rows_of_one_iteration_stand_beside_each_other(experiments):
    text = section(replace(experiments, results=(last_iteration(experiments.results[0]),)), "e")
    rows = rows_of(text, "Table IV")
    assert [row[0] for row in rows[:4]] == [
        "mAP (%) at tIoU",
        "A: one branch",
        "C: two branches + sampler",
        "F: all of AMS",
    ]
    (chart,) = re.findall(CHART, text)
    assert chart.count('class="spread') == 3 * 3  # rows, views
    assert "phase zero" not in text.split("Trainings")[0]
    assert ("not at 0" in chart) == (">0</text>" not in chart)


def test_fig_5_is_drawn_over_eta(experiments):
    table = experiments.results[0]
    scores = table.rows[0].scores
    rows = tuple(ResultRow(f"{i / 4:g}", f"eta {i / 4:g}", 2, scores) for i in range(9))
    figure = replace(table, key="figure5", title="Fig. 5, eta", rows=rows)
    text = section(replace(experiments, results=(figure,)), "e")
    charts = re.findall(CHART, text)
    assert len(charts) == 3  # a view each
    for chart in charts:
        assert ">1.75</text>" in chart
        assert chart.count('class="spread') == 9
    assert rows_of(text, "Fig. 5")[1][0] == "eta 0"


def test_the_papers_figures_stand_with_its_own_row_and_data_alone(text, experiments):
    assert "the paper" not in text.replace("The paper's experiments", "")
    table = replace(experiments.results[0], thumos14=True)
    paper = section(replace(experiments, results=(table,)), "e")
    rows = rows_of(paper, "Table III")
    assert rows[0][-1] == "the paper"
    assert [row[-1] for row in rows[1:10]] == ["", "", "42.3"] + 6 * [""]  # of all streams fused, row F
    dash = "\u2013"
    assert [r[1:] for r in rows if r[0] == "the paper"] == [["42.3", "69.1", dash, dash, dash, "33.1", dash, dash]]
    assert "RGB and flow fused" in paper


def test_strips_are_images_in_the_file(text, experiments):
    count = sum(map(len, experiments.strips.values()))
    assert text.count('src="data:image/svg+xml;base64,') == text.count("<img") == count


def test_trainings_name_their_settings_and_folders(text, experiments):
    count = sum(len(t.folders) for t in experiments.trainings)
    assert f"{count} of {count} finished" in text
    assert "phases.supervision=none" in text
    assert str(experiments.trainings[0].folders[1]) in text


def test_names_from_data_stay_text(experiments, tmp_path):
    strip = tmp_path / f"{HOSTILE_VIDEO}.svg"
    strip.write_text("<svg/>")
    table = last_iteration(experiments.results[0])
    rows = (replace(table.rows[0], name=HOSTILE_CLASS), *table.rows[1:])
    table = replace(table, rows=rows, title=HOSTILE_CLASS, protocol=HOSTILE_CLASS)
    data = {**experiments.data, "root": HOSTILE_CLASS}
    hostile = replace(experiments, data=data, results=(table,), strips={"rgb": [strip]})
    page = write_report([], tmp_path / "r.html", reproduced=[hostile]).read_text()
    for name in (HOSTILE_CLASS, HOSTILE_VIDEO, HOSTILE_FOLDER):
        assert name not in page
    assert page.count("<img") == 1
    assert page.count("<script") == page.count("</script>") == 1


def test_several_folders_have_sections_of_their_own(experiments, tmp_path):
    other = replace(experiments, folder=tmp_path / "other")
    page = write_report([], tmp_path / "r.html", reproduced=[experiments, other]).read_text()
    assert re.findall(r'<section id="(.*?)"', page) == ["experiments-1", "experiments-2"]
    assert '<a href="#experiments-2">other</a>' in page
    with pytest.raises(ValueError, match="at least one"):
        write_report([], tmp_path / "r.html")
