"""`amsx pseudo-labels`."""

import argparse
from pathlib import Path
from typing import get_args

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.cli.options import (
    DATA,
    OWN_BACKBONE,
    backbone_option,
    dataset_of,
    may_be_left_out,
    reading_options,
    set_option,
)
from amsx.data.layouts.shared.assembly import shortened
from amsx.inference import AnnotationForm


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    command = commands.add_parser(
        "pseudo-labels",
        help=HELP["pseudo-labels"],
        description="Localize the training videos with a run, in the classes that they are labelled with, and write an "
        "annotation with scores. Test videos keep their own segments.",
    )
    command.add_argument("run_directory", type=Path, metavar="RUN", help="a run directory of amsx train")
    data = command.add_argument("data", type=Path, metavar="DATA", help=f"{DATA} (default: that of the run)")
    may_be_left_out(data)
    reading_options(command)
    command.add_argument("--to", choices=get_args(AnnotationForm), required=True, help="whose form the annotation has")
    command.add_argument("--out", type=Path, metavar="FILE", help="the file to write (default: RUN/pseudo_labels.json)")
    command.add_argument("--least-score", type=float, default=0.0, help="leave out lower scores (default %(default)s)")
    set_option(command, "change one setting of localization, e.g. localization.threshold=0.5; repeatable")
    backbone_option(command, OWN_BACKBONE)
    command.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where torch sees a GPU)")
    command.add_argument("--quiet", action="store_true", help="show no progress bar")
    command.set_defaults(run=_pseudo_labels)


def _pseudo_labels(options: argparse.Namespace) -> None:
    from amsx.inference.model import load
    from amsx.inference.pseudo_annotation import write_pseudo_annotation
    from amsx.training.setup import choose_device

    model = load(
        options.run_directory,
        overrides=options.set,
        device=choose_device(options.device),
        backbone=options.backbone,
    )
    if options.data is None:
        root = model.description.data.root
        if root is None:
            raise ValueError(f"{options.run_directory} was trained on data made in memory; expected DATA")
        options.data = Path(root)
        options.layout = options.layout or model.description.data.layout
    made = write_pseudo_annotation(
        model,
        dataset_of(options),
        options.out or options.run_directory / "pseudo_labels.json",
        options.to,
        least_score=options.least_score,
        progress=not options.quiet,
    )
    print(f"{made.path}: {made.segments} segments of {made.videos} training videos, in the form of {options.to}")
    if made.empty:
        print(f"  left out: nothing was found in {len(made.empty)} training videos: {shortened(made.empty)}")
