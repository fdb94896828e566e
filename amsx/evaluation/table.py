"""Results as text: of `evaluate`, `evaluate_all`, `compare` and `judge_activations`."""

from collections.abc import Mapping, Sequence
from typing import Any


def format_table(result: Mapping[str, Any], per_class: bool = False, dialect: bool = False) -> str:
    """Lines that name the protocol and what was scored; then mAP per threshold, the average, every note.

    per_class: and AP of every class; dialect: and how the predictions were read.
    """
    rows = [("mAP (%)", [*result["mAP"], result["average"]])]
    if per_class:
        rows += [(label, [*entry["AP"], entry["average"]]) for label, entry in result["per_class"].items()]
    head = [f"protocol {result['protocol']}{_scored(result)}"]
    if dialect:
        head.append(_read(result))
    return "\n".join([*head, *grid(result["tiou"], rows), *(f"note: {note}" for note in result["notes"])])


def format_side_by_side(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The results of `evaluate_all`: a row for each protocol, what was scored by it, and every note."""
    first = next(iter(results.values()))
    rows = [(name, [*result["mAP"], result["average"]]) for name, result in results.items()]
    lines = ["mAP (%) under every protocol", _read(first), *grid(first["tiou"], rows)]
    lines += [f"{name}{_scored(result)}" for name, result in results.items()]
    shared = [note for note in first["notes"] if all(note in result["notes"] for result in results.values())]
    lines += [f"note: {note}" for note in shared]
    for name, result in results.items():
        lines += [f"note on {name}: {note}" for note in result["notes"] if note not in shared]
    return "\n".join(lines)


def format_comparison(result: Mapping[str, Any]) -> str:
    """The result of `compare`: mean and standard deviation of each method, then their difference with its interval."""
    counts, lines, rows = result["counts"], [], []
    subset = f", subset {result['subset']}" if result["subset"] else ""
    lines.append(
        f"protocol {result['protocol']}{subset}: {counts['videos']} videos, {counts['classes']} classes, "
        f"{counts['instances']} instances"
    )
    methods = {name.upper(): result[name] for name in ("a", "b") if result[name] is not None}
    difference = result["difference"]
    notes: list[tuple[str, str]] = [("", note) for note in result["notes"]]
    for name, method in methods.items():
        scores = ", ".join(f"{file['average']:.1f}" for file in method["files"])
        dialects = ", ".join(dict.fromkeys(file["dialect"] for file in method["files"]))
        lines.append(f"{name}, {len(method['files'])} predictions: average mAP (%) {scores}; read as: {dialects}")
        rows += _rows(name, method, interval=difference is None)
        notes += [(f" on {name}", note) for file in method["files"] for note in file["notes"]]
    if difference is not None:
        rows += _rows("A - B", difference, interval=True)
    lines += grid(result["tiou"], rows)
    shown = result["a"] if difference is None else difference
    lines.append(
        f"percentiles over {result['resamples']} resamples of the videos (seed {result['seed']}), which lie "
        f"{shown['average']['bias']:+.1f} from the mean on average"
    )
    if difference is not None:
        lines.append(f"A's average is at most B's in {100 * difference['not_better']:.1f} % of them")
    return "\n".join([*lines, *(f"note{about}: {note}" for about, note in dict.fromkeys(notes))])


def _rows(name: str, values: Mapping[str, Any], interval: bool) -> list[tuple[str, list[float]]]:
    """Mean, standard deviation (where there is one) and `interval` of a method or a difference, as rows of `grid`."""
    each, average = values["mAP"], values["average"]
    rows = [(f"{name} mean", [*each["mean"], average["mean"]])]
    if average.get("std") is not None:
        rows.append((f"{name} std", [*each["std"], average["std"]]))
    for side, label in enumerate(("2.5 %", "97.5 %") if interval else ()):
        rows.append((f"{name} {label}", [*(pair[side] for pair in each["interval"]), average["interval"][side]]))
    return rows


def format_snippets(views: Mapping[str, Mapping[str, Any]]) -> str:
    """Results of `judge_activations` by name: how well snippets and videos are told apart, means over classes."""
    counts = next(iter(views.values()))["counts"]
    heads = ("snippet AP", "best F1", "IoU there", "video AP")
    first = max(map(len, views))
    lines = [
        f"CAS against the ground truth (%): {counts['snippets']} snippets of {counts['videos']} videos, "
        f"{counts['classes']} classes",
        "  ".join([" " * first, *heads]),
    ]
    for name, view in views.items():
        values = [view["snippet"]["AP"], view["snippet"]["F1"], view["snippet"]["IoU"], view["classification"]]
        numbers = (f"{value:.1f}".rjust(len(head)) for value, head in zip(values, heads, strict=True))
        lines.append("  ".join([name.ljust(first), *numbers]))
    return "\n".join(lines)


def grid(tiou: Sequence[float], rows: Sequence[tuple[str, Sequence[float]]]) -> list[str]:
    """Lines of a table: a name, a percentage at each threshold and their average in every row."""
    first = max(len(name) for name, _ in rows)
    heads = [*(f"{threshold:g}" for threshold in tiou), "average"]
    widths = [max(len(head), len("100.0")) for head in heads]
    lines = ["  ".join(["tIoU".ljust(first), *map(str.rjust, heads, widths)])]
    for name, values in rows:
        numbers = [f"{value:.1f}" for value in values]
        lines.append("  ".join([name.ljust(first), *map(str.rjust, numbers, widths)]))
    return lines


def _scored(result: Mapping[str, Any]) -> str:
    counts = result["counts"]
    subset = f", subset {result['subset']}" if result["subset"] else ""
    return (
        f"{subset}: {counts['videos']} videos, {counts['classes']} classes, {counts['instances']} instances, "
        f"{counts['detections']} detections"
    )


def _read(result: Mapping[str, Any]) -> str:
    return f"predictions read as: {result['dialect']}"
