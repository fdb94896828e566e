"""The page in a real headless browser: it draws, obeys keys and mouse, and neither complains nor fetches."""

import json
import shutil
import subprocess
from itertools import pairwise

import pytest
from PIL import Image
from report.conftest import HOSTILE_VIDEO

from amsx.report.page import write_report


@pytest.fixture(scope="module")
def report(groups, tmp_path_factory):
    return write_report(groups, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def page(browser, report):
    browser.complaints.clear()
    browser.requests.clear()
    browser.prefer("light")
    browser.open(report)
    yield browser
    assert browser.complaints == []
    assert {url for url in browser.requests if not url.startswith("data:")} == {report.as_uri()}


def caption(page):
    return page.run("document.getElementById('caption').textContent")


def bars(page, kind):
    return page.run(f"document.querySelectorAll('#timeline rect.{kind}').length")


def focus(page):
    page.run("document.getElementById('timeline').focus()")


def test_the_first_video_is_drawn_whole(page, groups):
    truth = groups[0].runs[0].truth["database"][HOSTILE_VIDEO]["annotations"]
    assert caption(page).startswith(HOSTILE_VIDEO)
    assert "video 1 of 12, ams, fused" in caption(page)
    assert "in whole" in caption(page)
    names = page.run("[...document.querySelectorAll('#timeline .strip-name')].map(n => n.textContent)")
    assert names == [
        "input",
        "sampling",
        "base CAS",
        "supplementary CAS",
        "fused CAS",
        "pseudo-labels",
        "proposals",
        "ground truth",
    ]
    assert bars(page, "truth") + bars(page, "other") >= len(truth)
    assert page.run("document.querySelectorAll('#timeline path.curve').length") == 7  # two streams twice, three CASs
    assert page.run("window.broken") is None
    assert page.run("document.images.length") == 0


def test_keys_page_zoom_and_move(page):
    focus(page)
    page.press("ArrowRight")
    assert "video 2 of 12" in caption(page)
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    assert "video 12 of 12" in caption(page)
    assert page.run("document.getElementById('video').selectedIndex") == 11
    page.press("ArrowUp")
    zoomed = caption(page)
    assert " of " in zoomed.split(";")[-1]
    page.press("ArrowRight", shift=True)
    assert "video 12 of 12" in caption(page)
    assert caption(page) != zoomed
    page.press("Home")
    assert "in whole" in caption(page)
    for _ in range(20):
        page.press("ArrowUp")  # to two snippets and no further
    assert page.run("document.getElementById('in').disabled")
    assert page.run("document.querySelectorAll('#timeline path.curve').length") > 0


def test_tab_reaches_the_timeline_and_every_control_has_a_name(page):
    reached = set()
    for _ in range(40):
        page.press("Tab")
        reached.add(page.run("document.activeElement.id || document.activeElement.name"))
    assert {"theme", "previous", "video", "next", "group", "view", "label", "in", "timeline"} <= reached
    named = page.run(
        "[...document.querySelectorAll('button, select, input')].every(c => c.ariaLabel || c.textContent.trim() "
        "|| (c.labels && c.labels.length))"
    )
    assert named
    assert page.run("[...document.querySelectorAll('svg[role=img]')].every(s => s.getAttribute('aria-label'))")


def test_dragging_zooms_and_double_click_shows_the_whole(page):
    page.run("document.getElementById('timeline').scrollIntoView({behavior: 'instant'})")
    box = page.run(
        "(({left, top, width}) => ({left, top, width}))(document.getElementById('timeline').getBoundingClientRect())"
    )
    y = box["top"] + 150
    page.drag(box["left"] + 0.4 * box["width"], box["left"] + 0.6 * box["width"], y)
    assert "in whole" not in caption(page)
    assert "snippet" in page.run("document.getElementById('readout').textContent")
    for count in (1, 2):
        page.mouse("mousePressed", box["left"] + 500, y, button="left", clickCount=count)
        page.mouse("mouseReleased", box["left"] + 500, y, button="left", clickCount=count)
    page.settle()
    assert "in whole" in caption(page)


def test_configurations_streams_and_classes_can_be_chosen(page):
    page.run("document.getElementById('group').selectedIndex = 1")
    page.run("document.getElementById('group').dispatchEvent(new Event('change'))")
    assert ", base, fused" in caption(page)
    notes = page.run("[...document.querySelectorAll('#timeline .strip-note')].map(n => n.textContent)")
    assert notes.count("this run has the base branch alone") == 3
    page.run("document.querySelectorAll('input[name=view]')[2].click()")
    assert ", base, flow" in caption(page)
    before = caption(page)
    page.run("[...document.querySelectorAll('input[name=label]')].find(i => !i.checked)?.click()")
    labels = page.run("document.querySelectorAll('input[name=label]').length")
    assert labels == 1 or caption(page) != before
    rows = page.run("document.querySelectorAll('#table tr').length")
    assert rows > 1


def test_zoom_of_a_stream_shows_its_single_samples(page):
    page.run("document.querySelectorAll('input[name=view]')[1].click()")
    assert "samples" not in caption(page)
    samples = page.run("document.querySelectorAll('#timeline line.sample').length")
    entry = json.loads(page.run("document.querySelector('script.video').textContent"))
    assert abs(samples - entry["snippets"]) <= 1  # as many samples as snippets; the last may fall on the rounded edge


def test_frames_stand_at_their_times(browser, groups, tmp_path):
    name = groups[0].runs[0].parts[0].ids[1]
    (tmp_path / name).mkdir()
    for i in range(40):
        Image.new("RGB", (160, 120), (6 * i, 0, 255 - 6 * i)).save(tmp_path / name / f"{i:03d}.jpg")
    out = write_report(groups, tmp_path / "report.html", videos=[name], frames=tmp_path, say=lambda _: None)
    browser.complaints.clear()
    browser.open(out)
    pictures = "[...document.querySelectorAll('#timeline image')]"
    places = browser.run(f"{pictures}.map(i => i.getBBox().x)")
    assert 8 <= len(places) <= 24
    assert all(b - a >= 72 for a, b in pairwise(places))  # 54 pixels tall, 4 to 3, none on another
    load = "async n => { const i = new Image(); i.src = n.getAttribute('href'); await i.decode(); return i.width }"
    assert set(browser.run(f"Promise.all({pictures}.map({load}))")) == {72}
    assert browser.complaints == []


def test_light_dark_and_the_button_between_them(page):
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.run(paper)
    page.prefer("dark")
    dark = page.run(paper)
    assert light != dark
    page.run("document.getElementById('theme').click()")
    assert page.run(paper) == light
    page.run("document.getElementById('theme').click()")
    assert page.run(paper) == dark
    page.prefer("light")
    assert page.run(paper) == dark
    page.run("document.getElementById('theme').click()")
    assert page.run(paper) == light


def test_narrow_and_wide_windows_cut_nothing_off(page):
    for width in (380, 800, 1600):
        page.resize(width, 900)
        page.settle()
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.run("document.querySelector('#timeline svg').getBoundingClientRect().right") <= width


def test_print_has_the_timeline_and_no_controls(page, tmp_path):
    pdf = page.pdf()
    assert pdf[:4] == b"%PDF"
    page.prefer("light", media="print")
    visible = "document.querySelector('{}').getBoundingClientRect().height > 0"
    assert page.run(visible.format("#timeline svg"))
    assert not page.run(visible.format(".controls"))
    assert not page.run(visible.format("header .bar"))
    assert page.run(visible.format("line.spread"))
    page.prefer("dark", media="print")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.prefer("light")
    if shutil.which("pdftotext") is None:
        return
    (tmp_path / "r.pdf").write_bytes(pdf)
    text = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "r.pdf"), "-"], capture_output=True, text=True, check=True
    ).stdout
    for words in ("supplementary CAS", "ground truth", "Protocol activitynet"):
        assert words in text


@pytest.fixture
def experiments_page(browser, experiments, tmp_path):
    """A page without runs."""
    out = write_report([], tmp_path / "experiments.html", reproduced=[experiments])
    browser.complaints.clear()
    browser.requests.clear()
    browser.prefer("light")
    browser.open(out)
    yield browser
    browser.prefer("light")
    assert browser.complaints == []
    assert {url for url in browser.requests if not url.startswith("data:")} == {out.as_uri()}


STILLS = "[...document.querySelectorAll('img.still')]"


def test_experiments_show_tables_charts_and_strips(experiments_page, experiments):
    page = experiments_page
    assert page.run("document.querySelectorAll('table.figures').length") == (2 + 1) + 2  # and every seed of each
    charts = "[...document.querySelectorAll('svg.chart')]"
    assert page.run(f"{charts}.length") == 3 + 3
    bars = page.run("[...document.querySelectorAll('line.spread')].map(l => l.getBoundingClientRect().height)")
    assert sum(height > 2 for height in bars) > len(bars) / 2  # the deviations of a few may be that small
    expected = [len(pictures) for pictures in experiments.strips.values()]
    widths = page.run(f"Promise.all({STILLS}.map(async i => {{ await i.decode(); return i.naturalWidth }}))")
    assert len(widths) == sum(expected)
    assert min(widths) > 300
    assert page.run("document.querySelector('nav').textContent.trim()") == "Experiments"
    assert page.run("window.broken") is None


def test_experiments_in_light_dark_and_print(experiments_page):
    page = experiments_page
    paper, still = "getComputedStyle(document.body).backgroundColor", f"getComputedStyle({STILLS}[0]).filter"
    bar = "getComputedStyle(document.querySelector('line.spread')).stroke"
    light = page.run(paper), page.run(bar)
    assert page.run(still) == "none"
    page.prefer("dark")
    assert "invert" in page.run(still)
    assert page.run(paper) != light[0]
    assert page.run(bar) not in (page.run(paper), light[1])
    page.run("document.getElementById('theme').click()")  # light, whatever the system says
    assert page.run(still) == "none"
    assert page.run(paper) == light[0]
    page.run("document.getElementById('theme').click()")
    page.prefer("dark", media="print")
    assert page.run(still) == "none"
    assert page.run(paper) == "rgb(255, 255, 255)"
    page.prefer("light")
    page.run("document.getElementById('theme').click()")


def test_experiments_in_narrow_windows(experiments_page):
    page = experiments_page
    for width in (380, 800, 1600):
        page.resize(width, 900)
        page.settle()
        assert page.run("document.documentElement.scrollWidth") <= width
        title = page.run("document.querySelector('h1').getBoundingClientRect().top + scrollY")
        assert title >= page.run("document.querySelector('header .bar').getBoundingClientRect().bottom")
    page.resize(380, 900)
    page.settle()
    table = "document.querySelector('table.figures').parentElement"
    page.run(f"{table}.scrollLeft = 500")
    assert page.run(f"{table}.scrollLeft") > 0
    label = "document.querySelector('table.figures tbody tr:nth-child(2) th').getBoundingClientRect().left"
    assert page.run(label) == page.run(f"{table}.getBoundingClientRect().left")  # names stay while figures move
    scale = "s => s.getBoundingClientRect().width / s.viewBox.baseVal.width"
    assert min(page.run(f"[...document.querySelectorAll('svg.chart')].map({scale})")) >= 0.79  # letters can be read
