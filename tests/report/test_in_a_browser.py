"""The page in a real headless browser: it draws, obeys keys and mouse, and neither complains nor fetches."""

import json
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise

import pytest
from PIL import Image
from report.conftest import HOSTILE_VIDEO, LONG_VIDEO

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


def choose(page, control, value):
    """As a reader does who picks or types something."""
    page.run(
        f"(c => {{ c.value = {json.dumps(value)}; c.dispatchEvent(new Event('input')) }})"
        f"(document.getElementById({json.dumps(control)}))"
    )


def note(page):
    return page.run("document.getElementById('note').textContent")


def test_a_video_is_drawn_whole(page, groups):
    choose(page, "order", "listed")
    page.run("document.getElementById('video').dispatchEvent(new Event('change'))")
    choose(page, "find", HOSTILE_VIDEO)
    truth = groups[0].runs[0].truth["database"][HOSTILE_VIDEO]["annotations"]
    assert caption(page).startswith(HOSTILE_VIDEO)
    assert "video 1 of 1, ams, fused" in caption(page)
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
    assert bars(page, "slowed") > 0
    assert page.run("document.querySelectorAll('#timeline path.curve').length") == 7  # two streams twice, three CASs
    assert page.run("window.broken") is None
    assert page.run("document.images.length") == 0


def test_keys_page_zoom_and_move_without_a_click(page):
    page.press("ArrowRight")
    assert "video 2 of 12" in caption(page)
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    assert "video 12 of 12" in caption(page)
    assert page.run("document.getElementById('video').selectedIndex") == 11
    assert page.run("document.getElementById('timeline').getBoundingClientRect().top < innerHeight")  # is in sight
    page.press("ArrowUp")
    zoomed = caption(page)
    assert " of " in zoomed.split(";")[-1]
    page.press("ArrowRight", shift=True)
    assert "video 12 of 12" in caption(page)
    assert caption(page) != zoomed
    page.press("Home")
    assert "in whole" in caption(page)
    for _ in range(12):
        page.press("ArrowUp")  # to two snippets and no further
    assert page.run("document.getElementById('in').disabled")
    assert page.run("document.querySelectorAll('#timeline path.curve').length") > 0
    page.run("document.getElementById('find').focus()")
    page.press("ArrowLeft")  # moves in the text, not among the videos
    assert "video 12 of 12" in caption(page)


def test_paging_shows_a_class_of_the_ground_truth(page, groups):
    """Whatever class was looked at before; a class that both videos have is kept."""
    database = groups[0].runs[0].truth["database"]
    kept = 0
    for _ in range(12):
        page.run("[...document.querySelectorAll('input[name=label]')].at(-1).click()")
        before = page.run("document.querySelectorAll('#caption bdi')[1].textContent")
        page.run("document.getElementById('next').click()")
        name, label = page.run("[...document.querySelectorAll('#caption bdi')].map(n => n.textContent)")
        annotated = {entry["label"] for entry in database[name]["annotations"]}
        assert label in annotated
        assert label == before or before not in annotated
        kept += label == before
    assert kept


def test_videos_are_sorted_and_filtered(page, groups):
    run = groups[0].runs[0]
    scores = run.explanations["fused"].videos
    ids = "index => index.split(', score')[0]"
    listed = f"[...document.getElementById('video').options].map(o => o.text).map({ids})"
    assert [scores[name] for name in page.run(listed)] == sorted(scores.values())
    choose(page, "order", "best")
    assert [scores[name] for name in page.run(listed)] == sorted(scores.values(), reverse=True)
    choose(page, "order", "listed")
    assert page.run(listed) == list(run.parts[0].ids)
    label = run.parts[0].classes[-1]
    choose(page, "only", label)
    having = [n for n in run.parts[0].ids if any(e["label"] == label for e in run.truth["database"][n]["annotations"])]
    assert page.run(listed) == having
    assert f": {label} video" in caption(page)
    choose(page, "find", having[-1].upper())
    assert page.run(listed) == having[-1:]
    choose(page, "find", "no such id")
    assert page.run(listed) == []
    assert "No video in this file" in note(page)
    choose(page, "find", "")
    assert note(page) == ""


def test_the_address_holds_what_is_shown(page, browser, report):
    assert page.run("location.hash") == ""
    page.press("ArrowRight")
    page.run("document.getElementById('in').click()")
    page.run("document.querySelectorAll('input[name=view]')[1].click()")
    page.run("document.getElementById('group').selectedIndex = 1")
    page.run("document.getElementById('group').dispatchEvent(new Event('change'))")
    choose(page, "order", "best")
    page.run("new Promise(done => setTimeout(done, 150))")
    shown, address = caption(page), page.run("location.hash")
    browser.open(report, fragment=address)
    assert caption(page) == shown
    assert note(page) == ""
    assert page.run("Math.abs(document.getElementById('videos').getBoundingClientRect().top)") < 100
    page.run("location.hash = '#results'")  # another address of the page changes nothing
    page.settle()
    assert caption(page) == shown


def test_what_the_address_asks_for_in_vain_is_said(page, browser, report):
    usual = caption(page)
    browser.open(report, fragment="#video=absent&class=none&order=odd&configuration=x&streams=y&from=3&to=1")
    for word in (
        "video \u201cabsent",
        "class \u201cnone",
        "order \u201codd",
        "configuration \u201cx",
        "time from 3 to 1 s",
    ):
        assert word in note(page)
    assert caption(page) == usual
    browser.open(report, fragment="#video=" + "%22%3E%3Cimg%20src%3Dx%20onerror%3Dwindow.broken%3D1%3E")
    assert page.run("window.broken") is None
    assert page.run("document.images.length") == 0
    page.press("ArrowRight")
    assert note(page) == ""


def test_tab_reaches_the_timeline_and_every_control_has_a_name(page):
    reached = set()
    for _ in range(45):
        page.press("Tab")
        reached.add(page.run("document.activeElement.id || document.activeElement.name"))
    assert {
        "theme",
        "previous",
        "video",
        "next",
        "group",
        "view",
        "label",
        "in",
        "timeline",
        "order",
        "only",
        "find",
    } <= reached
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


CLIPPED = """[...document.querySelectorAll('body *')].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.left < -1) && !e.closest('.scroll, .skip');
}).map(e => e.outerHTML.slice(0, 80))"""


def test_narrow_and_wide_windows_cut_nothing_off(page):
    choose(page, "find", LONG_VIDEO)
    assert page.run("document.querySelector('#caption bdi').textContent") == LONG_VIDEO
    for width in (360, 390, 768, 1600):
        page.resize(width, 900)
        page.settle()
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.run(CLIPPED) == []
    page.resize(360, 900)
    page.settle()
    links = page.run("[...document.querySelectorAll('nav a')].map(a => a.getBoundingClientRect().bottom)")
    assert len(links) == 6
    assert max(links) <= page.run("document.querySelector('header .bar').getBoundingClientRect().bottom")
    assert page.run("document.querySelector('#results strong').getBoundingClientRect().right") <= 360  # the average
    hint = "getComputedStyle(document.querySelector('#results .scroll'), '::before').content"
    assert "scroll sideways" in page.run(hint)
    assert page.run("document.querySelector('#results .scroll').tabIndex") == 0
    page.resize(1600, 900)
    page.settle()
    assert page.run(hint) == "none"


# The least contrast of letters with what is behind them, as WCAG 2 counts it, and the text that has it.
CONTRAST = """(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const over = (colours) => {
        canvas.clearRect(0, 0, 1, 1);
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (rgb) => rgb.map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const worst = {};
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement, box = e.getBoundingClientRect();
        if (!walk.currentNode.textContent.trim() || !box.width) continue;
        if (e.closest('script, style, title, :disabled')) continue;
        const grounds = [];
        for (let p = e; p; p = p.parentElement) grounds.unshift(getComputedStyle(p).backgroundColor);
        const style = getComputedStyle(e), letters = e instanceof SVGElement ? style.fill : style.color;
        const [a, b] = [light(over(grounds)), light(over([...grounds, letters]))].sort((x, y) => x - y);
        const ratio = (b + 0.05) / (a + 0.05);
        if (!(ratio >= (worst.ratio ?? 99))) { worst.ratio = ratio; worst.text = walk.currentNode.textContent; }
    }
    return worst;
})()"""


def test_letters_stand_out_from_their_ground(page):
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true })")
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        page.settle()
        worst = page.run(CONTRAST)
        assert worst["ratio"] >= 4.5, worst


def test_headings_are_in_order_and_every_picture_has_a_name(page):
    levels = page.run("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    unnamed = "[...document.querySelectorAll('[role=img], [role=region], nav, [role=application]')].filter(e => "
    assert page.run(unnamed + "!e.getAttribute('aria-label')).length") == 0
    bare = "[...document.querySelectorAll('svg')].filter(s => !s.closest('[role=img], [aria-hidden=true]')).length"
    assert page.run(bare) == 0
    assert page.run("[...document.querySelectorAll('th')].every(h => h.scope)")


def test_the_focus_of_the_keyboard_can_be_seen(page):
    outline = "getComputedStyle(document.activeElement.closest('label') ?? document.activeElement).outlineStyle"
    for _ in range(30):
        page.press("Tab")
        assert page.run("document.activeElement === document.body") or page.run(outline) != "none"


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
    for words in ("supplementary CAS", "ground truth", "protocol activitynet"):
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
    assert page.run("document.querySelectorAll('table.figures').length") == (2 + 1) + 2 + 1  # seeds, differences
    charts = "[...document.querySelectorAll('div.chart')]"
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
    for width in (360, 800, 1600):
        page.resize(width, 900)
        page.settle()
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.run(CLIPPED) == []
        title = page.run("document.querySelector('h1').getBoundingClientRect().top + scrollY")
        assert title >= page.run("document.querySelector('header .bar').getBoundingClientRect().bottom")
    page.resize(380, 900)
    page.settle()
    table = "document.querySelector('table.figures').parentElement"
    page.run(f"{table}.scrollLeft = 500")
    assert page.run(f"{table}.scrollLeft") > 0
    label = "document.querySelector('table.figures tbody tr:nth-child(2) th').getBoundingClientRect().left"
    assert page.run(label) == page.run(f"{table}.getBoundingClientRect().left")  # names stay while figures move
    letters = "[...document.querySelectorAll('.chart text')].map(t => parseFloat(getComputedStyle(t).fontSize))"
    assert min(page.run(letters)) >= 11


def test_a_run_without_scores_offers_no_order_by_score(browser, groups, tmp_path):
    run = groups[0].runs[0]
    database = {name: {**entry, "annotations": []} for name, entry in run.truth["database"].items()}
    bare = replace(groups[0], runs=(replace(run, truth={"database": database}, explanations={}),))
    browser.complaints.clear()
    browser.open(write_report([bare], tmp_path / "report.html", videos=1, say=lambda _: None))
    assert "video 1 of 1, fused; no score; 0 in ground truth" in caption(browser)
    hidden = "['order', 'only', 'find'].map(id => !document.getElementById(id).getClientRects().length)"
    assert browser.run(hidden) == [True, True, False]
    assert browser.run("document.getElementById('next').disabled")
    browser.press("ArrowRight")
    assert "video 1 of 1" in caption(browser)
    assert browser.complaints == []
