"""Kinds of errors: each by hand, all against the rules written out, and what removing them does to the score."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amsx.evaluation import Selection, evaluate
from amsx.evaluation.errors import TYPES
from amsx.evaluation.explain import explain

Row = tuple[str, str, float, float, float]  # video, label, start, end, score


def truth_of(rows: list[Row]) -> dict[str, Any]:
    database: dict[str, Any] = {video: {"subset": "test", "annotations": []} for video in "ab"}
    for video, label, start, end, _ in rows:
        database[video]["annotations"].append({"label": label, "segment": [start, end]})
    return {"database": database}


def found_of(rows: list[Row]) -> dict[str, Any]:
    results: dict[str, list[dict[str, Any]]] = {video: [] for video in "ab"}
    for video, label, start, end, score in rows:
        results[video].append({"label": label, "segment": [start, end], "score": score})
    return {"results": results}


def kinds_of(found: list[Row], true: list[Row], *arguments: Any, **options: Any) -> dict[str, int]:
    """How many detections of each kind there are at one threshold; those without any left out."""
    errors = explain(found_of(found), truth_of(true), *arguments, **options).errors
    return {name: count for name, count in zip(TYPES, errors.total[0], strict=True) if count}


TRUE: list[Row] = [("a", "run", 0, 10, 0), ("a", "jump", 20, 30, 0)]


@pytest.mark.parametrize(
    ("segment", "kind"),
    [
        ((0, 10), "true positive"),
        ((5, 10), "true positive"),  # at the threshold
        ((6, 10), "localization"),  # 0.4
        ((9, 10), "localization"),  # 0.1
        ((9.01, 10), "background"),
        ((10, 20), "background"),  # touches both, overlaps neither
        ((20, 25), "wrong label"),
        ((20, 24.9), "confusion"),
        ((29, 30), "confusion"),
        ((2, 2), "background"),  # of zero length
    ],
)
def test_each_kind(segment: tuple[float, float], kind: str) -> None:
    assert kinds_of([("a", "run", *segment, 0.5)], TRUE, "activitynet", 0.5) == {kind: 1}


def test_double_detection_and_another_video() -> None:
    found: list[Row] = [("a", "run", 0, 10, 0.9), ("a", "run", 0, 9, 0.8), ("b", "run", 0, 10, 0.7)]
    expected = {"true positive": 1, "double detection": 1, "background": 1}
    assert kinds_of(found, TRUE, "activitynet", 0.5) == expected


def test_own_class_wins_where_two_overlap_alike_and_the_nearer_one_otherwise() -> None:
    diving: list[Row] = [("a", "jump", 0, 10, 0), ("a", "run", 0, 10, 0)]
    assert kinds_of([("a", "run", 0, 4, 0.5)], diving, "activitynet", 0.5) == {"localization": 1}
    nearer: list[Row] = [("a", "jump", 0, 8, 0), ("a", "run", 0, 20, 0)]
    assert kinds_of([("a", "run", 0, 9, 0.5)], nearer, "activitynet", 0.5) == {"wrong label": 1}


def test_threshold_is_met_as_the_protocol_has_it() -> None:
    # tIoU exactly 0.5 with an instance of another class; the official rules want more.
    found: list[Row] = [("a", "run", 20, 25, 0.5)]
    assert kinds_of(found, TRUE, "activitynet", 0.5) == {"wrong label": 1}
    assert kinds_of(found, TRUE, "thumos14-official", 0.5) == {"confusion": 1}


def test_tiou_is_in_the_unit_of_the_protocol() -> None:
    # Snippets last 0.64 s: [0, 0.9] is rounded to one of them, so that half of it is enough.
    true: list[Row] = [("a", "run", 0, 10, 0), ("a", "jump", 20 * 0.64, 20 * 0.64 + 0.9, 0)]
    found: list[Row] = [("a", "run", 20 * 0.64, 20 * 0.64 + 0.4, 0.5)]
    assert kinds_of(found, true, "activitynet", 0.5) == {"confusion": 1}
    assert kinds_of(found, true, "wtalc-snippets", 0.5) == {"wrong label": 1}


def test_spared_and_dropped_detections_are_of_no_kind() -> None:
    found: list[Row] = [("a", "run", 0, 10, 0.9), ("a", "run", 50, 60, 0.8)]
    spans = {"a": [[50, 60]]}
    for protocol in ("thumos14-official", "wtalc-snippets"):
        assert kinds_of(found, TRUE, protocol, 0.5, selection=Selection(ambiguous=spans)) == {"true positive": 1}


def test_buckets_go_by_rank_within_the_class() -> None:
    # Two instances of run, one of jump: the first bucket holds two and one, the second the next two and one.
    true: list[Row] = [("a", "run", 0, 10, 0), ("b", "run", 0, 10, 0), ("a", "jump", 20, 30, 0)]
    run: list[Row] = [
        ("a", "run", 0, 10, 0.9),
        ("a", "run", 50, 60, 0.8),
        ("b", "run", 0, 10, 0.7),
        ("b", "run", 0, 9, 0.6),
        ("b", "run", 40, 50, 0.5),
    ]
    jump: list[Row] = [("a", "jump", 0, 10, 0.1), ("a", "jump", 20, 30, 0.05)]
    errors = explain(found_of(run + jump), truth_of(true), tiou=0.5).errors.to_json()
    (counts,), (shares,) = errors["counts"], errors["shares"]
    assert counts[0] == [1, 0, 1, 0, 0, 1]
    assert counts[1] == [2, 1, 0, 0, 0, 0]
    assert counts[2] == [0, 0, 0, 0, 0, 1]
    assert shares[1] == [pytest.approx(200 / 3), pytest.approx(100 / 3), 0, 0, 0, 0]
    assert counts[3:] == [[0] * 6] * 7
    assert shares[3:] == [None] * 7
    assert errors["missed"] == {"instances": [0], "share": [0.0]}


def tiou_of(a: tuple[float, float], b: tuple[float, float]) -> float:
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (b[1] - b[0]) + (a[1] - a[0]) - shared
    return shared / union if union > 0 else 0.0


def naive_kinds(ranked: list[Row], true: list[Row], threshold: float) -> list[str]:
    """The kind of each detection, one after the other, under the ActivityNet rules."""
    taken: set[int] = set()
    kinds = []
    for video, label, start, end, _ in ranked:
        overlaps = {
            i: tiou_of((start, end), (true_start, true_end))
            for i, (true_video, _, true_start, true_end, _) in enumerate(true)
            if true_video == video
        }
        free = [i for i in overlaps if true[i][1] == label and i not in taken and overlaps[i] >= threshold]
        if free:
            taken.add(max(free, key=lambda i: (overlaps[i], -i)))
            kinds.append("true positive")
            continue
        top = max(overlaps.values(), default=0.0)
        right = any(true[i][1] == label for i in overlaps if overlaps[i] == top)
        if top >= threshold:
            kinds.append("double detection" if right else "wrong label")
        elif top >= 0.1:
            kinds.append("localization" if right else "confusion")
        else:
            kinds.append("background")
    return kinds


def rows_of(most: int) -> st.SearchStrategy[list[Row]]:
    ends = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)
    score = st.sampled_from([0.0, 0.25, 0.5, 0.75])
    one = st.tuples(st.sampled_from("ab"), st.sampled_from(["run", "jump"]), ends, score)
    return st.lists(one.map(lambda row: (row[0], row[1], float(row[2][0]), float(row[2][1]), row[3])), max_size=most)


@settings(max_examples=150)
@given(found=rows_of(40), true=rows_of(8), threshold=st.sampled_from([0.05, 0.25, 0.5, 1.0]))
def test_agrees_with_the_rules_written_out(found: list[Row], true: list[Row], threshold: float) -> None:
    true = sorted([*true, ("a", "run", 0.0, 3.0, 0.0), ("b", "jump", 1.0, 9.0, 0.0)], key=lambda row: row[0])
    found = sorted(found, key=lambda row: row[0])  # the file lists detections by video
    ranked = sorted(found, key=lambda d: -d[4])  # equal scores keep the order of the file
    kinds = naive_kinds(ranked, true, threshold)
    result = explain(found_of(found), truth_of(true), "activitynet", threshold)
    errors = result.errors
    assert errors.total[0].tolist() == [kinds.count(name) for name in TYPES]

    buckets = [[0] * 6 for _ in range(10)]
    for label in ("run", "jump"):
        group = sum(row[1] == label for row in true)
        of_class = [kind for row, kind in zip(ranked, kinds, strict=True) if row[1] == label]
        for rank, kind in enumerate(of_class[: 10 * group]):
            buckets[rank // group][TYPES.index(kind)] += 1
    assert errors.counts[0].tolist() == buckets
    assert errors.missed.tolist() == [len(true) - kinds.count("true positive")]

    # Without the detections of one kind, the evaluator prints what was promised.
    for name in TYPES[1:]:
        rest = [row for row, kind in zip(ranked, kinds, strict=True) if kind != name]
        without = evaluate(found_of(rest), truth_of(true), "activitynet", threshold).mean_ap[0]
        assert result.evaluation.mean_ap[0] + errors.gain[name].mean_ap[0] == pytest.approx(without, abs=1e-9)
