"""`amsx localize`."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.cli.extraction import extractor_settings
from amsx.cli.options import (
    OWN_BACKBONE,
    backbone_option,
    may_be_left_out,
    reader_options,
    reading_options,
    set_option,
)
from amsx.data.layouts.shared.assembly import shortened
from amsx.inference import Format, Part
from amsx.localization.degenerate import Coverage
from amsx.locks import hold

if TYPE_CHECKING:
    from amsx.inference.model import TrainedModel
    from amsx.inference.sources import Reading, Source

FORMATS: tuple[Format, ...] = get_args(Format)


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    localize = commands.add_parser(
        "localize",
        help=HELP["localize"],
        description="Print the actions that a run finds in new videos, and write them as JSON, CSV, subtitles or "
        "pictures. An INPUT is a feature file (.npy, .npz, .h5, .pt; of two streams, x_rgb.npy and x_flow.npy or "
        "rgb/x.npy and flow/x.npy), a folder of such files, a data set in any layout, or a video file or a folder of "
        "them where the run knows what made its features. What was written before from the same files with the same "
        "settings is passed over.",
    )
    localize.add_argument("run_directory", type=Path, metavar="RUN", help="a run directory of amsx train")
    inputs = localize.add_argument("inputs", type=Path, nargs="+", metavar="INPUT", help="what to find actions in")
    may_be_left_out(inputs)  # where --stream says it all
    localize.add_argument(
        "--stream",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="the feature file of one stream of one video, whatever it is called; repeatable, once for each stream",
    )
    localize.add_argument("--out", type=Path, metavar="DIR", help="the folder to write to (default: print alone)")
    localize.add_argument(
        "--format",
        action="append",
        metavar="FORMAT[,FORMAT]",
        help=f"what to write: {', '.join(FORMATS)} (default: json)",
    )
    set_option(localize, "change one setting of localization, e.g. localization.threshold=0.5; repeatable")
    time = localize.add_argument_group("time of the snippets of feature files (default: as in the run's data)")
    time.add_argument("--fps", type=float, help="frames per second")
    time.add_argument("--stride", type=float, help="frames from one snippet to the next")
    time.add_argument("--snippet-seconds", type=float, help="seconds from one snippet to the next")
    time.add_argument("--offset", type=float, help="seconds at which the first snippet starts")
    data = localize.add_argument_group("how inputs are read")
    data.add_argument(
        "--subset", choices=get_args(Part), default="test", help="which videos of a data set (default: %(default)s)"
    )
    reading_options(data)
    data.add_argument("--transpose", action="store_true", help="arrays in feature files are (channels, snippets)")
    data.add_argument(
        "--extractor-option",
        action="append",
        default=[],
        metavar="STREAM.KEY=VALUE",
        help="a setting of the extractor of a stream, for video files: where its weights are; repeatable",
    )
    backbone_option(localize, OWN_BACKBONE)
    localize.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where torch sees a GPU)")
    localize.add_argument("--quiet", action="store_true", help="print neither tables nor progress")
    localize.set_defaults(run=_localize)


def _localize(options: argparse.Namespace) -> None:
    from amsx.inference.model import load
    from amsx.inference.sources import Reading, sources_of
    from amsx.inference.timing import Timing
    from amsx.training.setup import choose_device

    formats = _formats(options.format)
    if formats and options.out is None:
        raise ValueError("--format says what to write, but nothing says where; expected --out, too")
    model = load(
        options.run_directory,
        overrides=options.set,
        device=choose_device(options.device),
        backbone=options.backbone,
    )
    reading = Reading(
        timing=Timing(options.fps, options.stride, options.snippet_seconds, options.offset),
        layout=options.layout,
        layout_options=reader_options(options.data_option),
        part=options.subset,
        transpose=options.transpose,
        streams=_streams(options.stream),
        extractor_settings=extractor_settings(options.extractor_option),
        say=lambda note: print(f"  {note}"),
    )
    sources = sources_of(model, options.inputs or (), reading)
    with nullcontext() if options.out is None else hold(options.out, "amsx localize"):
        _write(model, sources, reading, options, formats or ("json",))


def _write(
    model: "TrainedModel",
    sources: "Sequence[Source]",
    reading: "Reading",
    options: argparse.Namespace,
    formats: Sequence[Format],
) -> None:
    """Localize the sources, print what is found, and write it where --out says so."""
    from amsx.inference.localization import localize_all, output_folder
    from amsx.inference.outputs import format_detections

    folder = None
    if options.out is not None:
        folder = output_folder(model, sources, reading, options.out, formats)
    passed_over, faults, coverage = 0, [], Coverage()
    for outcome in localize_all(model, sources, folder, progress=not options.quiet):
        if outcome.fault is not None:
            faults.append(f"{outcome.source.id}: {outcome.fault}")
            continue
        if outcome.localized is None:
            passed_over += 1
            continue
        coverage += outcome.localized.coverage
        if not options.quiet:
            print(f"{outcome.source.id}\n{format_detections(outcome.localized.detections)}")
    if passed_over:
        print(f"{passed_over} of {len(sources)} videos were there already, of the same files and settings: passed over")
    if folder is not None:
        folder.write_together()
        print(f"written: {options.out}, {', '.join(folder.formats)} of {len(sources) - len(faults)} videos")
    for warning in coverage.warnings():
        print(f"amsx: warning: {warning}", file=sys.stderr)
    if faults:
        raise ValueError(f"{len(faults)} of {len(sources)} videos could not be localized: {shortened(faults, 20)}")


def _formats(given: list[str] | None) -> tuple[Format, ...]:
    names = [name.strip() for text in given or () for name in text.split(",") if name.strip()]
    for name in names:
        if name not in FORMATS:
            raise ValueError(f"--format {name}: expected {', '.join(FORMATS)}, or several with commas between them")
    return tuple(format for format in FORMATS if format in names)


def _streams(given: list[str]) -> dict[str, Path]:
    streams: dict[str, Path] = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not equals or not name or not file:
            raise ValueError(f"--stream is {text!r}; expected NAME=FILE, such as rgb=x.npy")
        if name in streams:
            raise ValueError(f"--stream {name} is given twice; expected each stream once")
        streams[name] = Path(file)
    return streams
