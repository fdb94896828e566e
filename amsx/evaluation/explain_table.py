"""The result of `explain` as text, at the one threshold nearest to 0.5 where not said otherwise."""

from collections.abc import Mapping, Sequence
from typing import Any

from amsx.evaluation.explain import shown_threshold
from amsx.evaluation.recall import MOST

_NUMBERS = (1, 5, 10, 50, 100)  # of proposals per video, of those that ActivityNet's curve has


def format_explanation(result: Mapping[str, Any]) -> str:
    """Four tables: precision at recalls, errors with what each costs, sensitivity, recall of proposals."""
    k = shown_threshold(result["tiou"])
    tables = (_curves(result, k), _errors(result, k), _sensitivity(result, k), _proposals(result["proposals"]))
    return "\n\n".join("\n".join(table) for table in tables)


def _curves(result: Mapping[str, Any], k: int) -> list[str]:
    curves = result["curves"]
    tenths = range(0, 101, 10)
    rows = [
        ["recall (%)", *map(str, tenths)],
        ["precision (%)", *(f"{curves['mean'][k][recall]:.1f}" for recall in tenths)],
    ]
    return [f"interpolated precision at tIoU {result['tiou'][k]:g}, mean over classes", *_aligned(rows)]


def _errors(result: Mapping[str, Any], k: int) -> list[str]:
    errors = result["errors"]
    rows = [["detections", "count", *errors["types"]]]
    for g, (counts, shares) in enumerate(zip(errors["counts"][k], errors["shares"][k], strict=True)):
        if shares:
            rows.append([f"G x {g} to {g + 1}", str(sum(counts)), *_numbers(shares, len(counts))])
    everything = errors["all"]
    count = sum(everything["counts"][k])
    rows.append(["all", str(count), *_numbers(everything["shares"][k], len(errors["types"]))])
    gains = [errors["gain"][name] for name in errors["types"][1:]]
    rows.append(["mAP without", "", "", *(f"+{gain['mAP'][k]:.1f}" for gain in gains)])
    rows.append(["average without", "", "", *(f"+{gain['average']:.1f}" for gain in gains)])
    missed = errors["missed"]
    return [
        f"kinds of detections (%) at tIoU {result['tiou'][k]:g}, by rank within their class, which has G instances",
        *_aligned(rows),
        f"instances missed: {missed['instances'][k]} of {result['counts']['instances']} ({missed['share'][k]:.1f} %)",
    ]


def _sensitivity(result: Mapping[str, Any], k: int) -> list[str]:
    sensitive, tiou = result["sensitivity"], f"{result['tiou'][k]:g}"
    rows = [["instances", "", "above", "to", "count", f"mAP_N@{tiou}", "average", f"missed@{tiou}"]]
    overall = sensitive["overall"]
    scores = [overall["mAP_N"][k], overall["average"], overall["missed"][k]]
    rows.append(["all", "", "", "", str(result["counts"]["instances"]), *_numbers(scores, 3)])
    for name, characteristic in sensitive["characteristics"].items():
        for i, bucket in enumerate(characteristic["buckets"] if characteristic else ()):
            ends = ["" if end is None else f"{end:.3g}" for end in (bucket["above"], bucket["to"])]
            there = bucket["instances"] > 0
            of_bucket = [bucket["mAP_N"][k], bucket["average"], bucket["missed"][k]] if there else None
            rows.append([name * (i == 0), bucket["name"], *ends, str(bucket["instances"]), *_numbers(of_bucket, 3)])
    return [f"sensitivity (%), buckets cut at {sensitive['cuts']}", *_aligned(rows)]


def _proposals(proposals: Mapping[str, Any]) -> list[str]:
    tiou = proposals["tiou"]
    rows = [
        ["per video", *map(str, _NUMBERS), "area"],
        ["recall (%)", *_numbers([proposals["recall"][n - 1] for n in _NUMBERS] + [proposals["area"]], 0)],
    ]
    return [
        f"recall of proposals whatever their label, average over tIoU {tiou[0]:g} to {tiou[-1]:g}, area up to {MOST}; "
        f"{proposals['available']:.1f} per video there are",
        *_aligned(rows),
    ]


def _numbers(values: Sequence[float] | None, count: int) -> list[str]:
    """With one decimal; as many dashes as `count` says where there are none."""
    return ["-"] * count if values is None else [f"{value:.1f}" for value in values]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
