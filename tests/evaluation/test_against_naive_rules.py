"""Every protocol against its rules written out naively, one detection and one threshold at a time."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amsx.evaluation import Selection, evaluate

TIOU = [0.1, 0.25, 0.5, 0.75, 1.0]
UNIT = {
    "activitynet": 1.0,
    "thumos14-official": 1.0,
    "wtalc-snippets": 0.32,
}  # seconds; 0.32 s is half a snippet

Rows = list[tuple[str, str, float, float, float]]  # video, label, start, end, score


def tiou_of(a: tuple[float, float], b: tuple[float, float]) -> float:
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (b[1] - b[0]) + (a[1] - a[0]) - shared
    return shared / union if union > 0 else 0.0


def naive_activitynet_ap(detections: Rows, instances: Rows, threshold: float, last: bool = False) -> float:
    """last: of equal tIoU the instance listed last, not the first."""
    ranked = sorted(detections, key=lambda d: -d[4])
    taken: set[int] = set()
    hits = []
    for video, _, start, end, _ in ranked:
        best, best_tiou = None, 0.0
        for i, (true_video, _, true_start, true_end, _) in enumerate(instances):
            if true_video != video or i in taken:
                continue
            overlap = tiou_of((start, end), (true_start, true_end))
            if overlap >= threshold and (overlap > best_tiou or (last and overlap == best_tiou > 0)):
                best, best_tiou = i, overlap
        if best is not None:
            taken.add(best)
        hits.append(best is not None)
    # The precision-recall curve, its envelope from the right, and the area under the steps.
    recalls, precisions, n_hits = [0.0], [0.0], 0
    for n, hit in enumerate(hits, start=1):
        n_hits += hit
        recalls.append(n_hits / len(instances))
        precisions.append(n_hits / n)
    recalls.append(1.0)
    precisions.append(0.0)
    for i in reversed(range(len(precisions) - 1)):
        precisions[i] = max(precisions[i], precisions[i + 1])
    return sum((recalls[i] - recalls[i - 1]) * precisions[i] for i in range(1, len(recalls)))


def naive_official_ap(detections: Rows, instances: Rows, spans: Rows, threshold: float) -> float:
    ranked = sorted(detections, key=lambda d: -d[4])
    state = ["free"] * len(ranked)
    for true_video, _, true_start, true_end, _ in instances:
        best, best_tiou = None, 0.0
        for i, (video, _, start, end, _) in enumerate(ranked):
            overlap = tiou_of((start, end), (true_start, true_end))
            if video == true_video and state[i] == "free" and overlap > best_tiou:
                best, best_tiou = i, overlap
        if best is not None and best_tiou > threshold:
            state[best] = "hit"
    for i, (video, _, start, end, _) in enumerate(ranked):
        touches = any(s[0] == video and tiou_of((start, end), (s[2], s[3])) > 0 for s in spans)
        if state[i] == "free" and touches:
            state[i] = "spared"
    n_hits = n_counted = 0
    ap = 0.0
    for what in state:
        n_hits += what == "hit"
        n_counted += what != "spared"
        if what == "hit":
            ap += n_hits / n_counted / len(instances)
    return ap


def naive_wtalc_ap(detections: Rows, instances: Rows, spans: Rows, threshold: float) -> float:
    def whole(t: float) -> int:
        return round(t * 25 / 16)

    def snapped(t: float) -> float:
        t = t * 25 / 16
        return float(round(t)) if abs(t - round(t)) <= 1e-3 else t

    kept = []
    for video, label, start, end, score in detections:
        start, end = snapped(start), snapped(end)
        inside = set(range(int(start), int(end)))
        if not any(s[0] == video and inside & set(range(whole(s[2]), whole(s[3]))) for s in spans):
            kept.append((video, label, start, end, score))
    rounded = [(v, label, float(whole(s)), float(whole(e)), score) for v, label, s, e, score in instances]
    return naive_activitynet_ap(kept, rounded, threshold, last=True)


def naive(protocol: str, detections: Rows, annotations: Rows) -> dict[str, list[float]]:
    spans = [a for a in annotations if a[1] == "Ambiguous"]
    result = {}
    for label in {a[1] for a in annotations} - {"Ambiguous"}:
        found, true = [d for d in detections if d[1] == label], [a for a in annotations if a[1] == label]
        if protocol == "activitynet":
            result[label] = [100 * naive_activitynet_ap(found, true, t) for t in TIOU]
        elif protocol == "thumos14-official":
            result[label] = [100 * naive_official_ap(found, true, spans, t) for t in TIOU]
        else:
            result[label] = [100 * naive_wtalc_ap(found, true, spans, t) for t in TIOU]
    return result


def nested(rows: Rows) -> dict[str, list[dict[str, Any]]]:
    videos: dict[str, list[dict[str, Any]]] = {video: [] for video in "abcyz"}
    for video, label, start, end, score in rows:
        videos[video].append({"label": label, "segment": [start, end], "score": score})
    return videos


def table(rows: Rows) -> dict[str, list[Any]]:
    """The columns of a data frame: they keep the order of the rows, whatever their videos."""
    keys = ("video-id", "label", "t-start", "t-end", "score")
    return {key: [row[i] for row in rows] for i, key in enumerate(keys)}


def segments(videos: str, labels: list[str], most: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Few places and few scores, so that ties of every kind come up."""
    ends = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted)
    score = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75])
    one = st.tuples(st.sampled_from(videos), st.sampled_from(labels), ends, score)
    return st.lists(one, max_size=most)


def rows_of(drawn: list[tuple[Any, ...]], unit: float) -> Rows:
    return [(video, label, start * unit, end * unit, score) for video, label, (start, end), score in drawn]


@pytest.mark.parametrize("protocol", list(UNIT))
@settings(max_examples=300, deadline=None)
@given(
    found=segments("abyz", ["run", "jump", "swim"], 40),  # nobody annotated videos y and z
    true=segments("abc", ["run", "jump", "Ambiguous"], 14),
    spans=segments("cy", ["Ambiguous"], 3),  # of a video that is annotated, and of one that only detections name
    seed=st.integers(0, 2**16),
)
def test_agrees_with_the_rules_written_out(
    protocol: str, found: list[tuple[Any, ...]], true: list[tuple[Any, ...]], spans: list[tuple[Any, ...]], seed: int
) -> None:
    # One detection at least lies in a video that is annotated.
    detections = [*rows_of(found, UNIT[protocol]), ("a", "run", 0.0, UNIT[protocol], 0.25)]
    annotations = [*rows_of(true, UNIT[protocol]), ("a", "run", 0.0, 3 * UNIT[protocol], 0.0)]
    annotations.sort(key=lambda a: a[0])
    database = {v: {"subset": "test", "annotations": a} for v, a in nested(annotations).items() if v not in "yz"}
    # Somebody has heard of every class, though perhaps not in the videos scored.
    others = [{"label": label, "segment": [0, 1]} for label in ("run", "jump", "swim")]
    database["t"] = {"subset": "train", "annotations": others}
    ambiguous: dict[str, list[list[float]]] = {}
    for video, _, start, end, _ in rows_of(spans, UNIT[protocol]):
        ambiguous.setdefault(video, []).append([start, end])
    given = [(v, "Ambiguous", s, e, 0.0) for v in ambiguous for s, e in ambiguous[v]]
    if protocol != "thumos14-official":  # there, every video that anything names is scored
        given = [span for span in given if span[0] != "y"]
    selection = Selection(ambiguous=ambiguous)
    result = evaluate(table(detections), {"database": database}, protocol, TIOU, selection=selection)

    expected = naive(protocol, detections, [*annotations, *given])
    assert set(result.per_class) == set(expected)
    for label, ap in expected.items():
        assert result.per_class[label].ap == pytest.approx(ap, abs=1e-9)
    for k in range(len(TIOU)):
        assert result.mean_ap[k] == pytest.approx(sum(ap[k] for ap in expected.values()) / len(expected))

    # Equal scores keep the order of the file; apart from that, the order of the file is of no consequence.
    shuffled = list(detections)
    random.Random(seed).shuffle(shuffled)
    again = evaluate(table(shuffled), {"database": database}, protocol, TIOU, selection=selection)
    for label, ap in naive(protocol, shuffled, [*annotations, *given]).items():
        assert again.per_class[label].ap == pytest.approx(ap, abs=1e-9)
    if protocol == "thumos14-official":
        turned = [
            (v, label, e, s, score) if score < 0.5 else (v, label, s, e, score) for v, label, s, e, score in detections
        ]
        same = evaluate(table(turned), {"database": database}, protocol, TIOU, selection=selection)
        assert same.per_class == result.per_class
