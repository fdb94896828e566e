"""Recall at an average number of proposals, by hand and against loops."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amsx.evaluation.explain import explain

TIOU = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


def proposals_of(
    true: dict[str, list[tuple[float, float]]], found: dict[str, list[tuple[float, float, float]]]
) -> dict[str, Any]:
    """Every second instance and detection is of another class: to proposals, that is all one."""

    def labelled(rows: list[tuple[float, ...]]) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        for i, (start, end, *score) in enumerate(rows):
            entries.append({"label": "run" if i % 2 else "jump", "segment": [start, end], "score": sum(score)})
        return entries

    known = [{"label": label, "segment": [0, 1]} for label in ("run", "jump")]
    database = {v: {"subset": "test", "annotations": labelled([*rows])} for v, rows in true.items()}
    database["t"] = {"subset": "test", "annotations": known}  # both classes have an instance
    results = {v: labelled([*rows]) for v, rows in found.items()}
    return explain({"results": results}, {"database": database}, tiou=0.5).proposals.to_json()


def test_by_hand() -> None:
    # Videos a and t have instances: 2 and 2. Of the 4 proposals in a, AN = 1 keeps 2, AN = 2 all; 2 are wrong.
    found = {"a": [(50.0, 60.0, 0.9), (0.0, 9.2, 0.8), (70.0, 80.0, 0.7), (20.0, 30.0, 0.6)]}
    proposals = proposals_of({"a": [(0, 10), (20, 30)]}, found)
    assert proposals["tiou"] == TIOU
    assert (proposals["available"], proposals["videos"]) == (2.0, 2)
    at = dict(zip(proposals["number"], proposals["recall"], strict=True))
    assert at[1] == pytest.approx(25 * 9 / 10)  # one of four, at all tIoU but 0.95
    assert at[2] == pytest.approx(25 * 9 / 10 + 25)
    assert at[100] == at[2]
    trapezoids = sum((at[n] + at[n + 1]) / 2 for n in range(1, 100))
    assert proposals["area"] == pytest.approx(trapezoids / 100)


def test_no_proposals_find_nothing() -> None:
    proposals = proposals_of({"a": [(0, 10)]}, {"a": []})
    assert (proposals["area"], proposals["available"]) == (0.0, 0.0)
    assert proposals["recall"] == [0.0] * 100


spans = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda s: (float(min(s)), float(max(s) + 1)))


@settings(max_examples=60)
@given(
    true=st.fixed_dictionaries({"a": st.lists(spans, min_size=1, max_size=5), "b": st.lists(spans, max_size=5)}),
    found=st.fixed_dictionaries({v: st.lists(spans, max_size=25) for v in "abt"}),
    seed=st.integers(0, 1000),
)
def test_agrees_with_loops(
    true: dict[str, list[tuple[float, float]]], found: dict[str, list[tuple[float, float]]], seed: int
) -> None:
    scores = iter(np.random.default_rng(seed).permutation(200) / 200)
    scored = {v: [(s, e, next(scores)) for s, e in rows] for v, rows in found.items()}
    proposals = proposals_of(true, scored)
    annotated = {v: rows for v, rows in {**true, "t": [(0.0, 1.0), (0.0, 1.0)]}.items() if rows}
    total = sum(len(scored[v]) for v in annotated)
    assert proposals["available"] == pytest.approx(total / len(annotated))
    n_instances = sum(map(len, annotated.values()))
    for number in (1, 2, 3, 7, 50, 100):
        for k, threshold in enumerate(TIOU):
            hits = 0
            for video, instances in annotated.items():
                ranked = sorted(scored[video], key=lambda d: -d[2])
                kept = ranked[: len(ranked) * number * len(annotated) // total] if total else []
                hits += sum(any(tiou_of(d, i) >= threshold for d in kept) for i in instances)
            assert proposals["per_tiou"][k][number - 1] == pytest.approx(100 * hits / n_instances)
    assert proposals["recall"] == pytest.approx(np.mean(proposals["per_tiou"], axis=0))
    assert (np.diff(proposals["per_tiou"], axis=1) >= 0).all()


def tiou_of(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / ((b[1] - b[0]) + (a[1] - a[0]) - shared)
