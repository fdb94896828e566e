"""Draws what was measured: time against B, T, D and H, and time against the bytes moved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.goals import curve
from benchmarks.rows import Row
from benchmarks.scaling import AXES

TITLES = {"B": "videos B", "T": "snippets T", "D": "feature columns D", "H": "up-sampling factor H"}
CURVES = (  # rival, direction, label, colour, line
    ("clone", "forward", "feats.clone()", "0.45", "--"),
    ("amsx", "forward", "amsx forward", "tab:blue", "-"),
    ("amsx", "backward", "amsx backward", "tab:cyan", "-"),
    ("eager gather", "forward", "PyTorch gather, forward", "tab:orange", "-"),
    ("literal float32", "forward", "literal (Eq. 4 to 6), forward", "tab:red", "-"),
)
MARKS = (
    ("clone", "0.45", "o"),
    ("amsx", "tab:blue", "o"),
    ("eager gather", "tab:orange", "s"),
    ("compiled gather", "tab:green", "^"),
    ("binary search", "tab:purple", "v"),
    ("literal float32", "tab:red", "D"),
    ("reference", "tab:brown", "P"),
)


def draw(rows: Sequence[Row], folder: Path, environment: dict[str, Any]) -> list[Path]:
    """Draw scaling.png and roofline.png into `folder`, each if the run has figures for it; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    device = environment["device"]
    where = f"{environment['cpu']}, {environment['threads']} threads" if device == "cpu" else device
    pictures = []
    if any(row.group == "scaling" and row.spread for row in rows):
        pictures.append(_scaling(rows, folder / "scaling.png", where))
    if any(row.group in ("sampler", "scaling") and row.bytes and row.spread for row in rows):
        pictures.append(_roofline(rows, folder / "roofline.png", where))
    return pictures


def _scaling(rows: Sequence[Row], path: Path, where: str) -> Path:
    figure, panels = plt.subplots(1, len(AXES), figsize=(15, 3.8), sharey=True)
    shown: dict[str, Any] = {}
    for panel, axis in zip(panels, AXES, strict=True):
        for rival, direction, label, colour, line in CURVES:
            points = curve(rows, axis, rival, direction)
            if points:
                (shown[label],) = panel.plot(
                    [size for size, _ in points], [1e3 * s for _, s in points], line, color=colour, marker="o", ms=3
                )
        panel.set(xscale="log", yscale="log", xlabel=TITLES[axis])
        sizes = sorted({size for rival, direction, *_ in CURVES for size, _ in curve(rows, axis, rival, direction)})
        panel.set_xticks(sizes, [str(size) for size in sizes], minor=False)
        panel.set_xticks([], minor=True)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("median time [ms]")
    figure.suptitle(f"Cost of the sampler ({where})", fontsize=11)
    figure.legend(shown.values(), shown.keys(), loc="lower center", ncols=len(shown), frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def _roofline(rows: Sequence[Row], path: Path, where: str) -> Path:
    """Time against bytes; a point on the copy's line waits for nothing but memory, one above it loses time."""
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
    clock = "cold" if any(row.clock == "cold" for row in rows) else "wall"
    measured = [  # rival, direction, bytes, seconds
        (row.rival, row.parameters["direction"], row.bytes, row.spread.median)
        for row in rows
        if row.group in ("sampler", "scaling") and row.bytes and row.spread is not None and row.clock == clock
    ]
    bandwidths = [moved / seconds for rival, _, moved, seconds in measured if rival == "clone"]
    for panel, direction in zip(panels, ("forward", "backward"), strict=True):
        points = [(rival, moved, seconds) for rival, way, moved, seconds in measured if way == direction]
        for rival, colour, marker in MARKS:
            of_rival = [(moved / 1e6, seconds * 1e3) for name, moved, seconds in points if name == rival]
            if of_rival:
                x, y = zip(*of_rival, strict=True)
                panel.scatter(x, y, s=22, color=colour, marker=marker, label=rival, alpha=0.8)
        if bandwidths and points:
            best = max(bandwidths)
            ends = [limit(moved for _, moved, _ in points) for limit in (min, max)]
            line = [1e3 * b / best for b in ends]
            panel.plot([b / 1e6 for b in ends], line, "k--", lw=1, label=f"the copy at its best, {best / 1e9:.0f} GB/s")
        panel.set(xscale="log", yscale="log", xlabel="bytes moved (each row once) [MB]", title=direction)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    panels[0].set_ylabel("median time [ms]")
    figure.suptitle(f"Bytes against time ({where})", fontsize=11)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path
