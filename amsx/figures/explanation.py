"""Pictures of an explained evaluation: precision-recall curves, errors, sensitivity, recall of proposals."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from amsx.evaluation.errors import TYPES
from amsx.evaluation.explain import Explanation
from amsx.evaluation.precision import Curve
from amsx.evaluation.sensitivity import Bucket
from amsx.figures import palette
from amsx.figures.canvas import FORMATS, SMALLEST, PictureFormat, legend_below, new_figure, plain, save
from amsx.figures.lettering import one_line

# What is measured of these detections is of the colour of a report's first configuration; single classes and thresholds
# stand behind it in grey.
SCORE, MISSED = palette.SERIES[0].light, palette.MISSED.light
GREY, GRID, INK = palette.MUTED.light, palette.GRID.light, palette.INK.light
_UNITS = {
    "length": "in the ground truth's unit of time",
    "coverage": "length / duration of the video",
    "instances per video": "of all classes",
}
_BLANK = {"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
_NUMBER: dict[str, Any] = {
    "textcoords": "offset points",
    "ha": "center",
    "fontsize": SMALLEST,
    "bbox": _BLANK,
}  # legible above lines
_MOST_PANELS = 24  # classes with a panel of their own; beyond, all of them as faint lines in one


def draw_explanation(folder: Path | str, explanation: Explanation, format: PictureFormat = "png") -> list[Path]:
    """Write all pictures of what `explain` returned to `folder`; their paths, in the order of the text tables.

    `format` is "png" or "svg"; ValueError for another.
    """
    if format not in FORMATS:
        raise ValueError(f"format {format!r} of the plots; expected one of {', '.join(FORMATS)}")
    figures = {
        "precision_recall": _precision_recall(explanation),
        "errors": _errors(explanation),
        "sensitivity": _sensitivity(explanation),
        "proposals": _proposals(explanation),
    }
    return [file for name, figure in figures.items() for file in save(figure, Path(folder) / name, [format])]


def _precision_recall(explanation: Explanation) -> Figure:
    """Precision-recall curves at the threshold nearest to 0.5, a panel per class, or all in one where they are many."""
    k, curves = explanation.shown, explanation.curves
    ap = {label: score.ap[k] for label, score in explanation.evaluation.per_class.items()}
    labels = sorted(ap, key=lambda label: -ap[label])
    mean = (curves.recall, curves.mean[k])
    if len(labels) > _MOST_PANELS:
        figure = new_figure(6.4, 5.2)
        axes = figure.subplots()
        for label in labels:
            _curve(axes, curves.per_class[label][k], "envelope", color=GREY, alpha=0.35, linewidth=0.8)
        axes.plot([], [], color=GREY, linewidth=0.8, label=f"the {len(labels)} classes, interpolated")
        axes.plot(*mean, color=SCORE, linewidth=2.2, label="their mean")
        _percent_square(axes)
        legend_below(figure, axes.get_legend_handles_labels()[0], columns=2)
        axes.set_xlabel("recall (%)")
        axes.set_ylabel("precision (%)")
    else:
        rows = -(-len(labels) // 5)
        columns = -(-len(labels) // rows)
        figure = new_figure(max(2.1 * columns, 4.2), 2.05 * rows + 1.0)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, label in zip(panels, labels, strict=False):
            points = curves.per_class[label][k]
            axes.plot(*mean, color=SCORE, linewidth=1.1, label="mean over classes")
            _curve(axes, points, "precision", color=GREY, linewidth=0.7, alpha=0.7, label="precision of the class")
            _curve(axes, points, "envelope", color=INK, linewidth=1.5, label="interpolated precision of the class")
            _percent_square(axes)
            axes.set_title(f"{one_line(label, 17)}, AP {ap[label]:.1f}", fontsize=9)
        for axes in panels[len(labels) :]:
            axes.set_visible(False)
        for axes in panels[max(0, len(labels) - columns) : len(labels)]:  # the lowest of each column
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("recall (%)", fontsize=9)
        for axes in panels[::columns]:
            axes.set_ylabel("precision (%)", fontsize=9)
        handles = panels[0].get_legend_handles_labels()[0]
        legend_below(figure, handles, columns=3)
    figure.suptitle(
        f"Precision and recall at tIoU {explanation.evaluation.tiou[k]:g}; mAP {explanation.evaluation.mean_ap[k]:.1f}",
        fontsize=11,
    )
    return figure


def _errors(explanation: Explanation) -> Figure:
    """DETAD's two pictures: kinds of detections by rank, and what mAP would gain without each kind of error."""
    k, errors = explanation.shown, explanation.errors
    figure = new_figure(10.5, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    shares = errors.shares[k][errors.counts[k].any(axis=1)]
    place, bottom = np.arange(1, len(shares) + 1), np.zeros(len(shares))
    for kind, name in enumerate(TYPES):
        left.bar(
            place, shares[:, kind], 0.82, bottom, color=palette.KINDS[name].light, label=name, edgecolor="white", lw=0.5
        )
        bottom += shares[:, kind]
    left.set_xticks(place, [f"{g}G" for g in place])
    left.set_ylim(0, 100)
    left.set_ylabel("share of the detections (%)")
    left.set_xlabel("rank within the class, in multiples of its number of instances G")
    left.set_title("Kinds of detections", fontsize=10)

    _draw_gains(right, explanation, k)
    for axes in (left, right):
        _plain(axes)
    right.xaxis.grid(True, color=GRID, linewidth=0.8)
    left.yaxis.grid(True, color=GRID, linewidth=0.8)
    legend_below(figure, left.get_legend_handles_labels()[0], columns=6)
    missed = errors.missed_share[k]
    figure.suptitle(
        f"Detections at tIoU {explanation.evaluation.tiou[k]:g}; {missed:.1f} % of the instances missed", fontsize=11
    )
    return figure


def _draw_gains(axes: Axes, explanation: Explanation, k: int) -> None:
    """Bars of the gain at threshold k; below each a pale one of the average, where there are several thresholds."""
    gain, tiou = explanation.errors.gain, explanation.evaluation.tiou
    several, row = len(tiou) > 1, -np.arange(len(gain))
    here, average = [g.mean_ap[k] for g in gain.values()], [g.average for g in gain.values()]
    widest = max(1.0, *here, *average)
    for values, shift, strength in ((here, 0.2, 1.0), (average, -0.2, 0.45))[: 1 + several]:
        place = row + shift * several
        colors = [[1 - strength * (1 - part) for part in to_rgb(palette.KINDS[name].light)] for name in gain]
        axes.barh(place, values, 0.38 if several else 0.6, color=colors, edgecolor=INK, lw=0.5)
        for y, value in zip(place, values, strict=True):
            axes.text(value + 0.015 * widest, y, f"+{value:.1f}", va="center", fontsize=SMALLEST, color=INK)
    axes.set_yticks(row, list(gain))
    axes.set_xlim(0, 1.16 * widest)
    axes.set_xlabel("mAP points to gain without it")
    pale = f"\n(pale: average over tIoU {tiou[0]:g} to {tiou[-1]:g})" if several else ""
    axes.set_title(f"What each kind costs{pale}", fontsize=10)


def _sensitivity(explanation: Explanation) -> Figure:
    """mAP_N and the share missed per bucket of each characteristic, and of all instances together."""
    k, sensitivity = explanation.shown, explanation.sensitivity
    known = {name: entry.buckets for name, entry in sensitivity.characteristics.items() if entry}
    figure = new_figure(0.9 + 3.5 * max(2, len(known)), 5.7)
    panels = figure.subplots(2, len(known), sharex="col", sharey="row", squeeze=False)
    overall = sensitivity.overall
    for column, (name, buckets) in enumerate(known.items()):
        place = np.arange(len(buckets))
        for axes, key, color in ((panels[0, column], "mean_ap", SCORE), (panels[1, column], "missed", MISSED)):
            values = [getattr(bucket.score, key)[k] if bucket.score else 0.0 for bucket in buckets]
            axes.bar(place, values, 0.72, color=color)
            for x, value, bucket in zip(place, values, buckets, strict=True):
                text = f"{value:.1f}" if bucket.score else "none"
                axes.annotate(text, (x, value), (0, 4), **_NUMBER)
            axes.axhline(getattr(overall, key)[k], color=INK, linewidth=1, linestyle="--", zorder=1.5)
            _plain(axes)
        ticks = [f"{bucket.name}\n{_range(bucket)}\nn={bucket.n_instances}" for bucket in buckets]
        panels[1, column].set_xticks(place, ticks, fontsize=SMALLEST)
        panels[0, column].set_title(f"{name} ({_UNITS[name]})", fontsize=10)
    panels[0, 0].set_ylabel("mAP_N (%)")
    panels[1, 0].set_ylabel("instances missed (%)")
    for axes in panels[:, 0]:
        axes.set_ylim(0, 1.12 * max(axes.get_ylim()[1], 1.0))
    handles = [
        Patch(color=SCORE, label="mAP_N of the bucket"),
        Patch(color=MISSED, label="instances of the bucket that are missed"),
        Line2D([], [], color=INK, linewidth=1, linestyle="--", label="all instances together"),
    ]
    legend_below(figure, handles, columns=3)
    figure.suptitle(f"Sensitivity at tIoU {explanation.evaluation.tiou[k]:g}", fontsize=11)
    return figure


def _proposals(explanation: Explanation) -> Figure:
    """Recall whatever the label against the average number of proposals per video."""
    proposals = explanation.proposals
    number, tiou, available = proposals.number, proposals.tiou, proposals.available
    end = min(number[-1], max(10, 1.3 * available))  # beyond what there is, all curves are level
    figure = new_figure(6.8, 4.8)
    axes = figure.subplots()
    colors = colormaps["Greys"](np.linspace(0.35, 0.85, len(tiou)))
    for i, recall in enumerate(proposals.per_tiou):
        axes.plot(number, recall, color=colors[i], linewidth=0.9)
        if i % 3 == 0:
            level = float(np.interp(end, number, recall))
            axes.annotate(
                f"{tiou[i]:g}", (end, level), (4, 0), textcoords="offset points", fontsize=SMALLEST, va="center"
            )
    name = f"average (area up to {number[-1]}: {proposals.area:.1f})"
    axes.plot(number, proposals.average, color=SCORE, linewidth=2.4, label=name)
    axes.plot(
        [], [], color=colors[len(tiou) // 2], linewidth=0.9, label=f"at tIoU {tiou[0]:g} (pale) to {tiou[-1]:g} (dark)"
    )
    if available < end:
        axes.axvline(available, color=INK, linewidth=0.9, linestyle=":")
        place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        axes.annotate(
            f"{available:.1f} per video in all", (available, 1), (4, -3), fontsize=SMALLEST, va="top", **place
        )
    axes.set_xlim(0, end)
    axes.set_ylim(0, 100)
    axes.set_xlabel("proposals per video, on average")
    axes.set_ylabel("recall (%)")
    _plain(axes)
    legend_below(figure, axes.get_legend_handles_labels()[0], columns=2)
    figure.suptitle("Recall of proposals, whatever their label", fontsize=11)
    return figure


def _curve(axes: Axes, points: Curve, key: str, **style: Any) -> None:
    """The steps whose area is the AP: each point holds for the recall before it; beyond the last it is 0."""
    recall, precision = points.recall, getattr(points, key)
    if len(recall):
        axes.plot([0.0, *recall, recall[-1]], [precision[0], *precision, 0.0], drawstyle="steps-pre", **style)


def _range(bucket: Bucket) -> str:
    """The range of a bucket as text: its upper end, for the lower end is that of the bucket before."""
    above, to = bucket.above, bucket.to
    if to is not None:
        return f"≤ {to:.3g}"
    return "any" if above is None else f"> {above:.3g}"


def _percent_square(axes: Axes) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 102)
    axes.set_xticks([0, 50, 100])
    axes.set_yticks([0, 50, 100])
    _plain(axes)


def _plain(axes: Axes) -> None:
    plain(axes)
    axes.set_axisbelow(True)
