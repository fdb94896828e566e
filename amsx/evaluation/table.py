"""The result of `evaluate` as text."""

from collections.abc import Mapping
from typing import Any


def format_table(result: Mapping[str, Any], per_class: bool = False) -> str:
    """Lines that name the protocol and what was scored; then mAP per threshold, the average, every note."""
    counts = result["counts"]
    subset = f", subset {result['subset']}" if result["subset"] else ""
    lines = [
        f"protocol {result['protocol']}{subset}: {counts['videos']} videos, {counts['classes']} classes, "
        f"{counts['instances']} instances, {counts['detections']} detections"
    ]
    rows = [("mAP (%)", [*result["mAP"], result["average"]])]
    if per_class:
        rows += [(label, [*entry["AP"], entry["average"]]) for label, entry in result["per_class"].items()]
    first = max(len(name) for name, _ in rows)
    heads = [*(f"{threshold:g}" for threshold in result["tiou"]), "average"]
    widths = [max(len(head), len("100.0")) for head in heads]
    lines.append("  ".join(["tIoU".ljust(first), *map(str.rjust, heads, widths)]))
    for name, values in rows:
        numbers = [f"{value:.1f}" for value in values]
        lines.append("  ".join([name.ljust(first), *map(str.rjust, numbers, widths)]))
    lines += [f"note: {note}" for note in result["notes"]]
    return "\n".join(lines)
