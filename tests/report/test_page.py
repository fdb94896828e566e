"""The file as text: what is in it, and that nothing from the data can act in it."""

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from report.conftest import HOSTILE_CLASS, HOSTILE_VIDEO

from amsx.cli import main
from amsx.evaluation import Evaluation
from amsx.figures.palette import TIMELINE
from amsx.report import charts, page, run_sections
from amsx.report.charts import Series
from amsx.report.page import chosen_videos, embedded, evenly, worst_and_others, write_report
from amsx.report.run_groups import read_groups
from amsx.report.run_sections import training
from amsx.training.config import override
from amsx.training.run import test_run as retest


@pytest.fixture(scope="module")
def text(groups, tmp_path_factory):
    return write_report(groups, tmp_path_factory.mktemp("page") / "report.html").read_text(encoding="utf-8")


def videos_in(text):
    return [
        json.loads(found) for found in re.findall(r'<script type="application/json" class="video">(.*?)</script>', text)
    ]


def test_nothing_is_fetched(text):
    outside = re.findall(r'(?:src|href)="(?!#|data:)[^"]*"|url\((?!#)[^)]*\)|@import|https?://[^\s"<]*', text)
    assert set(outside) <= {"http://www.w3.org/2000/svg"}  # the name of SVG, which is no address to go to
    assert "default-src 'none'" in text


def test_names_from_data_stay_text(text):
    assert HOSTILE_CLASS not in text
    assert HOSTILE_VIDEO not in text
    assert "<img" not in text
    entries = videos_in(text)
    assert entries[0]["id"] == HOSTILE_VIDEO
    assert any(HOSTILE_CLASS in entry["classes"] for entry in entries)
    assert "&lt;/script&gt;&lt;script&gt;window.broken=1" in text  # in the table of classes
    assert text.count("<script") == text.count("</script>") == len(entries) + 3  # the index and two of code


def test_no_marker_is_left(text):
    assert not re.search(r"<!--[A-Z_]+-->|/\*[A-Z_]+\*/", text)


def test_figures_name_their_protocol_and_carry_their_spread(text, groups):
    scores = [run.explanations["fused"].evaluation.average for run in groups[0].runs]
    cell = f'{np.mean(scores):.1f}<span class="sd"> ± {np.std(scores, ddof=1):.1f}</span>'
    assert cell in text
    assert text.count("protocol <b>activitynet</b>") == 1  # once, above all figures
    for name in ("true positive", "double detection", "wrong label", "localization", "confusion", "background"):
        assert name in text


def test_all_videos_by_default_or_those_asked_for(groups, text, tmp_path, monkeypatch):
    ids = groups[0].runs[0].parts[0].ids
    assert [entry["id"] for entry in videos_in(text)] == list(ids)
    said: list[str] = []
    out = write_report(groups, tmp_path / "some.html", videos=[ids[3], ids[1]], say=said.append)
    assert [entry["id"] for entry in videos_in(out.read_text())] == [ids[3], ids[1]]
    assert said == []
    assert "This file holds 2 of the 12 test videos." in out.read_text()
    monkeypatch.setattr(page, "BUDGET", 40_000)
    out = write_report(groups, tmp_path / "small.html", say=said.append)
    assert 1 <= len(videos_in(out.read_text())) < 12
    assert "of the 12 test videos: half of them those with the worst scores, half evenly spread" in said[0]
    with pytest.raises(ValueError, match="no test video is called 'absent'"):
        chosen_videos(ids, ["absent"])
    with pytest.raises(ValueError, match="at least 1"):
        chosen_videos(ids, 0)


def test_frames_that_are_not_there(groups, tmp_path):
    ids = groups[0].runs[0].parts[0].ids
    with pytest.raises(ValueError, match="no frames of the test videos in"):
        write_report(groups, tmp_path / "r.html", frames=tmp_path)
    (tmp_path / ids[1]).mkdir()
    (tmp_path / ids[1] / "0.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        write_report(groups, tmp_path / "r.html", frames=tmp_path, say=lambda _: None)
    assert not (tmp_path / "r.html").exists()
    Image.new("RGB", (30, 20)).save(tmp_path / ids[1] / "0.png")
    (tmp_path / ids[1] / "._0.png").write_bytes(b"of macOS")
    said: list[str] = []
    out = write_report(groups, tmp_path / "r.html", frames=tmp_path, say=said.append)
    assert said == [f"{tmp_path} has frames of 1 of 12 videos"]
    frames = [entry["frames"] for entry in videos_in(out.read_text())]
    assert [len(f) for f in frames] == [0, 1] + [0] * 10
    assert frames[1][0][:2] == [0.5, 81]


def test_the_worst_and_others():
    assert worst_and_others([5.0, None, 1.0, 9.0, 0.0, 7.0, 8.0, 6.0], 4) == [1, 2, 4, 6]
    assert worst_and_others([None, None, None], 2) == evenly(range(3), 2)
    assert worst_and_others([3.0, 2.0, 1.0], 0) == [1, 2]


def test_evenly():
    assert evenly(range(10), 2) == [2, 7]
    assert evenly(range(3), 9) == [0, 1, 2]


def test_embedded_json_reads_back():
    values = {"a": "</script><!--", "b": "\u2028&\ud800", "c": [1.5, None]}
    text = embedded(values)
    assert not set("<>&") & set(text)
    assert json.loads(text) == values


def test_runs_of_different_rules_have_tables_of_their_own(dataset, runs, tmp_path):
    import shutil

    from amsx.training.run import test_run

    other = tmp_path / "half"
    shutil.copytree(runs[0], other)
    described = json.loads((other / "config.json").read_text())
    described["config"]["evaluation"]["tiou"] = [0.5]
    (other / "config.json").write_text(json.dumps(described))
    test_run(other)
    text = write_report(read_groups([runs[0], other]), tmp_path / "r.html").read_text()
    assert "scored under different rules" in text
    assert text.count('<th scope="col">mAP (%) at tIoU</th>') == 2


def test_command(runs, tmp_path, capsys):
    out, png = tmp_path / "r.html", tmp_path / "png"
    assert main(["report", *map(str, runs), "--out", str(out), "--videos", "2", "--png", str(png)]) == 0
    assert "one file" in capsys.readouterr().out
    assert len(videos_in(out.read_text())) == 2
    assert len(list(png.glob("*.png"))) >= 2


def test_warnings_of_the_evaluation_stand_above_the_figures(groups):
    run = groups[-1].runs[0]
    warned = {
        view: replace(
            explanation,
            evaluation=replace(explanation.evaluation, notes=["a note", "warning: <nothing> was detected"]),
        )
        for view, explanation in run.explanations.items()
    }
    text = page.render([replace(groups[-1], runs=(replace(run, explanations=warned),))], {}, ())
    assert f"{run.folder}: evaluation: &lt;nothing&gt; was detected." in text and "a note" not in text


def test_a_run_that_localizes_nothing_says_so_above_the_figures(groups):
    group = groups[-1]
    run = group.runs[0]
    text = page.render([replace(group, runs=(run,))], {}, ())
    assert "nothing was detected" not in text
    high = replace(run, config=override(run.config, ["localization.threshold_of=mean", "localization.threshold=1e6"]))
    for scored in (True, False):
        shown = high if scored else replace(high, explanations={})
        text = page.render([replace(group, runs=(shown,))], {}, ())
        assert f"{run.folder}: nothing was detected in any of" in text


def test_the_report_of_one_run_speaks_of_one(runs, tmp_path):
    text = write_report(read_groups([runs[0]]), tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.search(r"Training took \d+ s, all streams together\.", text)
    assert "There is one seed, so no figure has a deviation" in text
    assert "±" not in text.split('<script type="application/json"')[0]
    for words in ("compared with", "differs in", "mean over the seeds", "configurations"):
        assert words not in text.split("<style>")[0] + text.split("</style>")[1].split("<script")[0]


def scored(metrics: Evaluation | None) -> Evaluation:
    assert metrics is not None
    return metrics


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.DOTALL)
    assert match is not None, pattern
    return match[1]


def test_retests_are_listed(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs[0], run)
    retested = [scored(retest(run, [f"localization.beta={beta}"]).metrics) for beta in (0.2, 0.3)]
    text = run_sections.settings(read_groups([run]))
    for name, metrics, beta in zip(("retest", "retest-2"), retested, (0.2, 0.3), strict=True):
        row = found(rf"<bdi>{re.escape(str(run / name))}</bdi></th>(.*?)</tr>", text)
        assert f", {beta}</code>" in row and f"<td>{metrics.average:.1f}</td>" in row
    assert "retest" not in run_sections.settings(read_groups([runs[0]]))


def test_the_page_allows_its_own_scripts_and_styles_alone(text):
    policy = found(r'Content-Security-Policy" content="(.*?)"', text)
    assert "unsafe" not in policy and "default-src 'none'" in policy and "base-uri 'none'" in policy
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        allowed = found(rf"{directive} (.*?);", policy).split()
        own = [hashlib.sha256(body.encode()).digest() for body in re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)]
        assert sorted(allowed) == sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in own)
    assert not re.search(r"<[^>]* (on\w+|style)=", text.split("<script>")[0])


def test_runs_that_took_equally_long_have_no_span(groups):
    log = {stream: [replace(r, seconds=1.0) for r in records] for stream, records in groups[0].runs[0].log.items()}
    equal = replace(groups[0], runs=tuple(replace(run, log=log) for run in groups[0].runs))
    seconds = sum(map(len, log.values()))
    assert f"Training took {seconds} s for each run, all streams together." in training([equal])


def test_what_cannot_be_scored_has_no_section(groups, tmp_path):
    run = groups[0].runs[0]
    database = {name: {**entry, "annotations": []} for name, entry in run.truth["database"].items()}
    bare = replace(groups[0], runs=(replace(run, truth={"database": database}, explanations={}),))
    text = write_report([bare], tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.findall(r'<section id="(.*?)"', text) == ["videos", "training", "settings"]
    assert re.findall(r'<a href="#(.*?)"', text.split("<main")[0]) == ["videos", "training", "settings"]
    assert "nothing could be scored" in text


def test_axes_of_scores_stay_within_what_a_score_can_be():
    """A deviation that leads below 0 or above 100 is drawn up to the end of the axis."""
    wild = [Series("wild", 0, [40.0, 90.0], [60.0, 30.0], x=[1, 2])]
    for chart in (
        charts.lines(wild, title="t", x_label="x", y_label="y"),
        charts.rows("ab", wild, title="t", x_label="x"),
    ):
        ticks = [float(tick) for tick in re.findall(r'class="tick"[^>]*>(-?[\d.]+)<', chart)]
        assert min(ticks) == 0
        assert max(ticks) == 100
        assert "not at 0" not in chart
    near = [Series("near", 0, [54.9, 56.2], x=[1, 2])]
    for chart in (
        charts.lines(near, title="t", x_label="x", y_label="y"),
        charts.rows("ab", near, title="t", x_label="x"),
    ):
        assert "the axis begins at 50, not at 0" in chart


def test_every_colour_of_the_page_is_the_palettes(text):
    assert f"--truth: light-dark({TIMELINE['truth'].light}, {TIMELINE['truth'].dark});" in text
    used = set(re.findall(r"var\(--([\w]+)\)", text))
    given = set(re.findall(r"--([\w]+):", text))
    assert used <= given
