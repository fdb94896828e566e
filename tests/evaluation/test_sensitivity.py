"""Sensitivity to characteristics of the instances: buckets by hand, scores against loops."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amsx.evaluation.explain import explain
from amsx.evaluation.sensitivity import Cuts


def case(
    instances: Mapping[str, Sequence[tuple[float, float]]],
    found: Mapping[str, Sequence[tuple[float, float, float]]],
    durations: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    database = {
        video: {
            "subset": "test",
            "annotations": [{"label": "run", "segment": list(s)} for s in segments],
            **({"duration": durations[video]} if video in durations else {}),
        }
        for video, segments in instances.items()
    }
    results = {
        video: [{"label": "run", "segment": [s, e], "score": score} for s, e, score in of_video]
        for video, of_video in found.items()
    }
    return {"results": results}, {"database": database}


def test_buckets_by_hand() -> None:
    instances: dict[str, list[tuple[float, float]]] = {"a": [(0, 3), (10, 22)], "b": [(0, 3.5)]}
    found = {"a": [(0, 3, 0.9), (50, 60, 0.8), (10, 22, 0.7)], "b": []}
    predictions, truth = case(instances, found, {"a": 100, "b": "50"})
    sensitive = explain(predictions, truth, tiou=0.5, cuts="thumos14").sensitivity.to_json()
    assert (sensitive["cuts"], sensitive["instances_per_class"]) == ("thumos14", 3.0)
    assert sensitive["overall"]["missed"] == [pytest.approx(100 / 3)]

    length = sensitive["characteristics"]["length"]["buckets"]
    assert [(b["name"], b["above"], b["to"], b["instances"]) for b in length] == [
        ("XS", None, 3, 1),  # 3 s, the end included
        ("S", 3, 6, 1),
        ("M", 6, 12, 1),
        ("L", 12, 18, 0),
        ("XL", 18, None, 0),
    ]
    assert [b["missed"] for b in length] == [[0], [100], [0], None, None]
    # The 12 s: after one false positive, R = 1 and P = 1 * 3 / (1 * 3 + 1). That which found 3 s is not there.
    assert [b["mAP_N"] for b in length] == [[100], [0], [pytest.approx(75)], None, None]

    coverage = sensitive["characteristics"]["coverage"]
    assert coverage["left_out"] == 0
    assert [b["instances"] for b in coverage["buckets"]] == [0, 1, 0, 1, 1]  # 0.03, 0.07 and 0.12
    together = sensitive["characteristics"]["instances per video"]["buckets"]
    assert [(b["name"], b["to"], b["instances"]) for b in together] == [
        ("XS", 1, 1),
        ("S", 40, 2),
        ("M", 80, 0),
        ("L", None, 0),
    ]


def test_instances_without_a_duration_have_no_coverage_and_are_counted() -> None:
    instances = {"a": [(0.0, 3.0)], "b": [(0.0, 3.5)], "c": [(1.0, 2.0)]}
    for unknown in ({}, {"b": None, "c": None}):
        predictions, truth = case(instances, {"a": [(0, 3, 0.9)]}, {"a": 10, **unknown})
        result = explain(predictions, truth, tiou=0.5)
        coverage = result.sensitivity.characteristics["coverage"]
        assert coverage is not None
        assert (coverage.left_out, sum(b.n_instances for b in coverage.buckets)) == (2, 1)
        note = "2 instances of no known coverage: the ground truth gives no duration of their videos"
        assert note in result.evaluation.notes
    predictions, truth = case(instances, {"a": [(0, 3, 0.9)]}, {})
    result = explain(predictions, truth, tiou=0.5)
    assert result.sensitivity.characteristics["coverage"] is None
    assert any("3 instances of no known coverage" in note for note in result.evaluation.notes)


def test_quantiles_give_a_fifth_to_each_and_fewer_buckets_where_many_are_equal() -> None:
    lengths = list(range(1, 101))
    instances = {f"v{i}": [(0.0, float(length))] for i, length in enumerate(lengths)}
    predictions, truth = case(instances, {"v0": [(0, 1, 0.5)]}, {})
    found = explain(predictions, truth, tiou=0.5).sensitivity.to_json()["characteristics"]
    assert [b["instances"] for b in found["length"]["buckets"]] == [20] * 5
    together = found["instances per video"]["buckets"]
    assert [(b["name"], b["above"], b["to"], b["instances"]) for b in together] == [("all", None, None, 100)]


def test_unknown_and_disordered_cuts_are_named() -> None:
    predictions, truth = case({"a": [(0, 1)]}, {"a": [(0, 1, 0.5)]}, {})
    with pytest.raises(ValueError, match="unknown cuts 'coco'; expected one of quantiles, activitynet, thumos14"):
        explain(predictions, truth, cuts="coco")
    with pytest.raises(ValueError, match=r"cuts 'own': length is \(3, 3\); expected ascending numbers"):
        Cuts("own", length=(3, 3))


segments = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted), min_size=1, max_size=8)


@settings(max_examples=100)
@given(
    true=st.fixed_dictionaries({"a": segments, "b": segments}),
    found=st.fixed_dictionaries({"a": segments, "b": segments}),
    seed=st.integers(0, 1000),
    protocol=st.sampled_from(["activitynet", "thumos14-official"]),
)
def test_agrees_with_loops(
    true: dict[str, list[list[int]]], found: dict[str, list[list[int]]], seed: int, protocol: str
) -> None:
    """One class, scores all different: mAP_N of the instances up to 4 long, and longer, detection by detection."""
    scores = iter(np.random.default_rng(seed).permutation(100) / 100)
    detections = {v: [(s, e, next(scores)) for s, e in of_video] for v, of_video in found.items()}
    instances = {v: [(float(s), float(e)) for s, e in of_video] for v, of_video in true.items()}
    predictions, truth = case(instances, detections, {})
    cuts = Cuts("own", length=(4,), coverage=(0.5,), instances=(1,))
    result = explain(predictions, truth, protocol, 0.3, cuts=cuts)
    buckets = result.sensitivity.to_json()["characteristics"]["length"]["buckets"]

    everything = [(v, s, e) for v in sorted(instances) for s, e in instances[v]]
    ranked = sorted(((v, *d) for v, of_video in detections.items() for d in of_video), key=lambda d: -d[3])
    matched = naive_match(ranked, everything, 0.3, protocol)
    for short, bucket in zip((True, False), buckets, strict=True):
        inside = [i for i, (_, s, e) in enumerate(everything) if (e - s <= 4) == short]
        assert bucket["instances"] == len(inside)
        if not inside:
            assert bucket["mAP_N"] is None
            continue
        assert bucket["missed"] == [pytest.approx(100 * len(set(inside) - set(matched)) / len(inside))]
        hits = n_wrong = 0
        precisions = []
        for match in matched:
            if match in inside:
                hits += 1
                recall = hits / len(inside)
                precisions.append(recall * len(everything) / (recall * len(everything) + n_wrong))
            n_wrong += match is None
        if protocol == "activitynet":
            precisions = [max(precisions[i:]) for i in range(len(precisions))]
        assert bucket["mAP_N"] == [pytest.approx(100 * sum(precisions) / len(inside))]


def naive_match(
    ranked: list[tuple[Any, ...]], instances: list[tuple[Any, ...]], threshold: float, protocol: str
) -> list[int | None]:
    """The instance that each detection ends up with."""

    def tiou(d: tuple[Any, ...], i: tuple[Any, ...]) -> float:
        shared = min(d[2], i[2]) - max(d[1], i[1])
        return shared / ((d[2] - d[1]) + (i[2] - i[1]) - shared) if d[0] == i[0] and shared > 0 else 0.0

    matched: list[int | None] = [None] * len(ranked)
    if protocol == "activitynet":
        for n, d in enumerate(ranked):
            free = [i for i in range(len(instances)) if i not in matched and tiou(d, instances[i]) >= threshold]
            if free:
                matched[n] = max(free, key=lambda i: (tiou(d, instances[i]), -i))
    else:
        for i, instance in enumerate(instances):
            free = [n for n in range(len(ranked)) if matched[n] is None and tiou(ranked[n], instance) > threshold]
            if free:
                matched[max(free, key=lambda n: (tiou(ranked[n], instance), -n))] = i
    return matched
