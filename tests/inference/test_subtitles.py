"""Subtitles that players show: cues in order that never overlap, times in range, labels that are no markup."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amsx.inference.model import Detection
from amsx.inference.subtitles import as_srt, as_vtt, cues

TIME = r"(\d\d+):([0-5]\d):([0-5]\d)[,.](\d{3})"


def parsed(text, *, srt):
    """[(start, end, lines)] in milliseconds of a file, which must be of the form of its format."""
    blocks = text.split("\n\n") if srt else text.split("\n\n")[1:]
    found = []
    for number, block in enumerate([block for block in blocks if block], start=1):
        lines = block.rstrip("\n").split("\n")
        if srt:
            assert lines.pop(0) == str(number)
        match = re.fullmatch(f"{TIME} --> {TIME}", lines.pop(0))
        assert match is not None
        h1, m1, s1, ms1, h2, m2, s2, ms2 = map(int, match.groups())
        times = (((h1 * 60 + m1) * 60 + s1) * 1000 + ms1, ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2)
        found.append((*times, lines))
    return found


def test_overlaps_are_cut_where_one_begins_or_ends():
    detections = [Detection("jump", 1.0, 3.0, 0.9), Detection("run", 2.0, 7200.5, 0.5), Detection("run", 2.0, 2.5, 0.8)]
    expected = [
        (1000, 2000, ["jump 0.90"]),
        (2000, 2500, ["jump 0.90", "run 0.80"]),
        (2500, 3000, ["jump 0.90", "run 0.50"]),
        (3000, 7200500, ["run 0.50"]),
    ]
    assert parsed(as_srt(detections), srt=True) == expected
    assert parsed(as_vtt(detections), srt=False) == expected
    assert as_srt(detections).startswith("1\n00:00:01,000 --> 00:00:02,000\n")
    assert as_vtt(detections).startswith("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n")
    assert "02:00:00.500" in as_vtt(detections)


def test_a_pause_and_touching_intervals():
    detections = [Detection("a", 0, 1, 0.5), Detection("a", 1, 2, 0.5), Detection("a", 3, 4, 0.5)]
    assert [(cue.start, cue.end) for cue in cues(detections)] == [(0, 1000), (1000, 2000), (3000, 4000)]


def test_labels_that_look_like_markup():
    detections = [Detection("<b>R&D</b> -->\nx", -1.0, 1.0, 0.25)]
    (srt,) = parsed(as_srt(detections), srt=True)
    (vtt,) = parsed(as_vtt(detections), srt=False)
    assert srt == (0, 1000, ["\u2039b\u203aR&D\u2039/b\u203a --\u203a x 0.25"])
    assert vtt == (0, 1000, ["&lt;b&gt;R&amp;D&lt;/b&gt; --&gt; x 0.25"])


def test_nothing_found_is_an_empty_file_of_the_format():
    assert as_srt([]) == ""
    assert as_vtt([Detection("a", 1.0, 1.0001, 1.0)]) == "WEBVTT\n"


@settings(max_examples=50)
@given(
    st.lists(
        st.builds(
            lambda label, start, length, score: Detection(label, start, start + length, score),
            st.sampled_from("abc"),
            st.integers(-50, 400_000).map(lambda tenths: tenths / 10),
            st.floats(0, 100),
            st.sampled_from([0.1, 0.5]),
        ),
        max_size=6,
    )
)
def test_at_every_moment_the_classes_that_go_on_are_shown(detections):
    found = parsed(as_vtt(detections), srt=False)
    for (start, end, _), (following, _, _) in pairwise(found):
        assert start < end <= following
    for start, end, lines in found:
        middle = (start + end) / 2000
        going_on = {d.label for d in detections if round(d.start * 1000) <= middle * 1000 < round(d.end * 1000)}
        assert {line.split()[0] for line in lines} == going_on
    shown = sum(end - start for start, end, _ in found)
    edges = sorted({max(0, round(t * 1000)) for d in detections for t in (d.start, d.end)})
    covered = sum(
        b - a
        for a, b in pairwise(edges)
        if any(round(d.start * 1000) <= a and b <= round(d.end * 1000) for d in detections)
    )
    assert shown == pytest.approx(covered)
