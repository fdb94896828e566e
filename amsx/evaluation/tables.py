"""Results of the evaluation as text: tables of scores, comparisons, CASs and explanations."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from amsx.evaluation.columns import WARNING
from amsx.evaluation.comparison import Comparison, Spread
from amsx.evaluation.errors import TYPES
from amsx.evaluation.explain import Explanation
from amsx.evaluation.recall import MOST, ProposalRecall
from amsx.evaluation.scoring import Evaluation, Evaluations
from amsx.evaluation.snippets import ActivationScores
from amsx.text_columns import columns, left, right

_NUMBERS = (1, 5, 10, 50, 100)  # of proposals per video, of those that ActivityNet's curve has


def format_table(evaluation: Evaluation, per_class: bool = False, form: bool = False) -> str:
    """Lines that name the protocol and what was scored; then mAP per threshold, the average, every note.

    per_class: with the AP of every class; form: with how the predictions were read.
    """
    rows = [("mAP (%)", [*evaluation.mean_ap, evaluation.average])]
    if per_class:
        rows += [(label, [*score.ap, score.average]) for label, score in evaluation.per_class.items()]
    head = [f"protocol {evaluation.protocol}{_scored(evaluation)}"]
    if form:
        head.append(_read_as(evaluation))
    return "\n".join([*head, *_grid(evaluation.tiou, rows), *(_line(note) for note in evaluation.notes)])


def format_side_by_side(evaluations: Evaluations) -> str:
    """The results of `evaluate_all`: a row for each protocol, what was scored by it, and every note."""
    first = next(iter(evaluations.values()))
    rows = [(name, [*evaluation.mean_ap, evaluation.average]) for name, evaluation in evaluations.items()]
    lines = ["mAP (%) under every protocol", _read_as(first), *_grid(first.tiou, rows)]
    lines += [f"{name} refuses: {reason}" for name, reason in evaluations.refused.items()]
    lines += [f"{name}{_scored(evaluation)}" for name, evaluation in evaluations.items()]
    shared = [note for note in first.notes if all(note in evaluation.notes for evaluation in evaluations.values())]
    lines += [_line(note) for note in shared]
    for name, evaluation in evaluations.items():
        lines += [_line(note, f" on {name}") for note in evaluation.notes if note not in shared]
    return "\n".join(lines)


def format_comparison(comparison: Comparison) -> str:
    """Mean and standard deviation of each method, then their difference with its interval."""
    subset = f", subset {comparison.subset}" if comparison.subset else ""
    lines = [
        f"protocol {comparison.protocol}{subset}: {comparison.videos} videos, {comparison.classes} classes, "
        f"{comparison.instances} instances"
    ]
    rows: list[tuple[str, list[float]]] = []
    difference = comparison.difference
    notes = [("", note) for note in comparison.notes]
    for name, method in (("A", comparison.a), ("B", comparison.b)):
        if method is None:
            continue
        scores = ", ".join(f"{file.average:.1f}" for file in method.files)
        forms = ", ".join(dict.fromkeys(file.form for file in method.files))
        lines.append(f"{name}, {len(method.files)} predictions: average mAP (%) {scores}; read as: {forms}")
        rows += _spread_rows(name, [*method.mean_ap, method.average], interval=difference is None)
        notes += [(f" on {name}", note) for file in method.files for note in file.notes]
    if difference is not None:
        rows += _spread_rows("A - B", [*difference.mean_ap, difference.average], interval=True)
    lines += _grid(comparison.tiou, rows)
    shown = comparison.a.average if difference is None else difference.average
    lines.append(
        f"percentiles over {comparison.resamples} resamples of the videos (seed {comparison.seed}), which lie "
        f"{shown.bias:+.1f} from the mean on average"
    )
    if difference is not None:
        lines.append(f"A's average is at most B's in {100 * difference.not_better:.1f} % of them")
    return "\n".join([*lines, *(_line(note, about) for about, note in dict.fromkeys(notes))])


def format_snippets(views: Mapping[str, ActivationScores]) -> str:
    """How well the CASs of several views agree with the ground truth, a row for each view: means over classes."""
    first = next(iter(views.values()))
    heads = ("snippet AP", "best F1", "IoU there", "video AP")
    width = max(map(columns, views))
    lines = [
        f"CAS against the ground truth (%): {first.snippets} snippets of {first.videos} videos, "
        f"{first.classes} classes",
        "  ".join([" " * width, *heads]),
    ]
    for name, view in views.items():
        values = (view.ap, view.f1, view.iou, view.classification)
        numbers = (f"{value:.1f}".rjust(len(head)) for value, head in zip(values, heads, strict=True))
        lines.append("  ".join([left(name, width), *numbers]))
    return "\n".join(lines)


def format_explanation(explanation: Explanation) -> str:
    """Four tables: precision at recalls, errors with what each costs, sensitivity, recall of proposals.

    They are at the one threshold nearest to 0.5 where they do not say otherwise.
    """
    tables = (
        _curve_lines(explanation),
        _error_lines(explanation),
        _sensitivity_lines(explanation),
        _proposal_lines(explanation.proposals),
    )
    return "\n\n".join("\n".join(table) for table in tables)


def _curve_lines(explanation: Explanation) -> list[str]:
    k, tenths = explanation.shown, range(0, 101, 10)
    rows = [
        ["recall (%)", *map(str, tenths)],
        ["precision (%)", *(f"{explanation.curves.mean[k][recall]:.1f}" for recall in tenths)],
    ]
    threshold = explanation.evaluation.tiou[k]
    return [f"interpolated precision at tIoU {threshold:g}, mean over classes", *_aligned(rows)]


def _error_lines(explanation: Explanation) -> list[str]:
    k, errors = explanation.shown, explanation.errors
    rows = [["detections", "count", *TYPES]]
    for g, (counts, shares) in enumerate(zip(errors.counts[k], errors.shares[k], strict=True)):
        if counts.any():
            rows.append([f"G x {g} to {g + 1}", str(counts.sum()), *_numbers(shares)])
    rows.append(["all", str(errors.total[k].sum()), *_numbers(errors.total_shares[k])])
    gains = [errors.gain[name] for name in TYPES[1:]]
    rows.append(["mAP without", "", "", *(f"+{gain.mean_ap[k]:.1f}" for gain in gains)])
    rows.append(["average without", "", "", *(f"+{gain.average:.1f}" for gain in gains)])
    return [
        f"kinds of detections (%) at tIoU {explanation.evaluation.tiou[k]:g}, by rank within their class, which has G "
        "instances",
        *_aligned(rows),
        f"instances missed: {errors.missed[k]} of {errors.n_instances} ({errors.missed_share[k]:.1f} %)",
    ]


def _sensitivity_lines(explanation: Explanation) -> list[str]:
    k, sensitivity = explanation.shown, explanation.sensitivity
    tiou = f"{explanation.evaluation.tiou[k]:g}"
    rows = [["instances", "", "above", "to", "count", f"mAP_N@{tiou}", "average", f"missed@{tiou}"]]
    overall = sensitivity.overall
    scores = [overall.mean_ap[k], overall.average, overall.missed[k]]
    rows.append(["all", "", "", "", str(explanation.errors.n_instances), *_numbers(scores)])
    for name, characteristic in sensitivity.characteristics.items():
        for i, bucket in enumerate(characteristic.buckets if characteristic else ()):
            ends = ["" if end is None else f"{end:.3g}" for end in (bucket.above, bucket.to)]
            score = bucket.score
            scores = [np.nan] * 3 if score is None else [score.mean_ap[k], score.average, score.missed[k]]
            rows.append([name * (i == 0), bucket.name, *ends, str(bucket.n_instances), *_numbers(scores)])
    return [f"sensitivity (%), buckets cut at {sensitivity.cuts}", *_aligned(rows)]


def _proposal_lines(proposals: ProposalRecall) -> list[str]:
    tiou = proposals.tiou
    rows = [
        ["per video", *map(str, _NUMBERS), "area"],
        ["recall (%)", *_numbers([*(proposals.average[n - 1] for n in _NUMBERS), proposals.area])],
    ]
    return [
        f"recall of proposals whatever their label, average over tIoU {tiou[0]:g} to {tiou[-1]:g}, area up to {MOST}; "
        f"{proposals.available:.1f} per video there are",
        *_aligned(rows),
    ]


def _spread_rows(name: str, spreads: Sequence[Spread], interval: bool) -> list[tuple[str, list[float]]]:
    """Mean, standard deviation (where there is one) and `interval` of a method or a difference, as rows of `_grid`."""
    rows = [(f"{name} mean", [spread.mean for spread in spreads])]
    deviations = [spread.std for spread in spreads if spread.std is not None]
    if deviations:
        rows.append((f"{name} std", deviations))
    for side, label in enumerate(("2.5 %", "97.5 %") if interval else ()):
        rows.append((f"{name} {label}", [spread.interval[side] for spread in spreads]))
    return rows


def _grid(tiou: Sequence[float], rows: Sequence[tuple[str, Sequence[float]]]) -> list[str]:
    """Lines of a table: a name, a percentage at each threshold and their average in every row."""
    first = max(columns(name) for name, _ in rows)
    heads = [*(f"{threshold:g}" for threshold in tiou), "average"]
    widths = [max(len(head), len("100.0")) for head in heads]
    lines = ["  ".join([left("tIoU", first), *map(str.rjust, heads, widths)])]
    for name, values in rows:
        numbers = [f"{value:.1f}" for value in values]
        lines.append("  ".join([left(name, first), *map(str.rjust, numbers, widths)]))
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([left(row[0], widths[0]), *map(right, row[1:], widths[1:])]).rstrip() for row in rows]


def _numbers(values: Sequence[float] | NDArray[np.float64]) -> list[str]:
    """With one decimal; a dash for NaN."""
    return ["-" if np.isnan(value) else f"{value:.1f}" for value in values]


def _line(note: str, about: str = "") -> str:
    """A note as a line; a warning says itself that it is one."""
    return f"warning{about}: {note.removeprefix(WARNING)}" if note.startswith(WARNING) else f"note{about}: {note}"


def _scored(evaluation: Evaluation) -> str:
    counts = evaluation.counts
    subset = f", subset {evaluation.subset}" if evaluation.subset else ""
    return (
        f"{subset}: {counts.videos} videos, {counts.classes} classes, {counts.instances} instances, "
        f"{counts.detections} detections"
    )


def _read_as(evaluation: Evaluation) -> str:
    return f"predictions read as: {evaluation.form}"
