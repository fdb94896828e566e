"""What `amsx localize` prints and writes of one video."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from amsx.evaluation.predictions import write_predictions
from amsx.files import write_text
from amsx.inference import Format
from amsx.inference.model import Detection, Localized
from amsx.inference.subtitles import as_srt, as_vtt
from amsx.localization.fusion import Activations
from amsx.localization.post_processing import PostProcessing
from amsx.localization.proposals import thresholds

COLUMNS = ("video-id", "t-start", "t-end", "label", "score")  # of a .csv file, which `amsx evaluate` reads
STRIPS = 8  # classes in a picture at most: those of the best detections


def write(localized: Localized, file: Path, format: Format, options: PostProcessing) -> None:
    """Write what a model says of one video to `file`, which appears whole or not at all."""
    WRITERS[format](localized, file, options)


def format_detections(detections: Sequence[Detection]) -> str:
    """A table of detections in the order of time."""
    if not detections:
        return "  nothing found"
    rows = [
        (clock(d.start), clock(d.end), d.label if d.label.isprintable() else repr(d.label), f"{d.score:.3f}")
        for d in sorted(detections, key=lambda d: (d.start, d.end, -d.score))
    ]
    rows.insert(0, ("start", "end", "class", "score"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    aligned = [
        f"  {start:>{widths[0]}}  {end:>{widths[1]}}  {label:<{widths[2]}}  {score:>{widths[3]}}"
        for start, end, label, score in rows
    ]
    return "\n".join(aligned)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, with tenths of a second."""
    sign, tenths = ("-" if round(seconds * 10) < 0 else ""), abs(round(seconds * 10))
    minutes, tenths = divmod(tenths, 600)
    return f"{sign}{minutes // 60}:{minutes % 60:02}:{tenths // 10:02}.{tenths % 10}"


def _write_json(localized: Localized, file: Path, _: PostProcessing) -> None:
    write_predictions(file, {localized.id: records(localized.detections)})


def records(detections: Sequence[Detection]) -> list[dict[str, object]]:
    """Detections as in predictions.json."""
    return [{"label": d.label, "score": d.score, "segment": [d.start, d.end]} for d in detections]


def _write_csv(localized: Localized, file: Path, _: PostProcessing) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows((localized.id, d.start, d.end, d.label, d.score) for d in localized.detections)
    write_text(file, text.getvalue())


def _write_srt(localized: Localized, file: Path, _: PostProcessing) -> None:
    write_text(file, as_srt(localized.detections))


def _write_vtt(localized: Localized, file: Path, _: PostProcessing) -> None:
    write_text(file, as_vtt(localized.detections))


def _write_png(localized: Localized, file: Path, options: PostProcessing) -> None:
    """Draw the CAS of every class that was found, with its threshold and its detections."""
    from amsx.figures.strips import Strip, draw_strips  # matplotlib takes a second to import

    activations = localized.activations
    labels = list(dict.fromkeys(d.label for d in localized.detections))
    if not labels:  # the likeliest class, of which nothing passes the threshold
        labels = [activations.classes[int(activations.probs.argmax())]]
    alone = Activations(activations.cas, activations.probs[None], np.array([len(activations.cas)]))
    strips = []
    for label in labels[:STRIPS]:
        column = activations.classes.index(label)
        levels = thresholds(alone, column, options)
        strips.append(
            Strip(
                f"{label}\np = {activations.probs[column]:.2f}",
                curve=np.maximum(activations.cas[:, column], 0),
                threshold=levels[0] if len(levels) == 1 else None,
                bars={"proposal": [(d.start, d.end) for d in localized.detections if d.label == label]},
                kind="fused",
            )
        )
    more = f" ({len(labels) - STRIPS} more classes found)" if len(labels) > STRIPS else ""
    draw_strips(file.with_suffix(""), f"{localized.id}{more}", strips, (), activations.timebase, formats=("png",))


WRITERS: dict[Format, Callable[[Localized, Path, PostProcessing], None]] = {
    "json": _write_json,
    "csv": _write_csv,
    "srt": _write_srt,
    "vtt": _write_vtt,
    "png": _write_png,
}
