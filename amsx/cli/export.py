"""`amsx export`."""

import argparse
from pathlib import Path
from typing import get_args

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.cli.options import OWN_BACKBONE, backbone_option
from amsx.export import Target
from amsx.training.phases import Branch


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    export = commands.add_parser("export", help=HELP["export"])
    export.add_argument("run_directory", type=Path, metavar="RUN", help="a run directory of amsx train")
    export.add_argument("--branch", choices=get_args(Branch), default="base", help="which branch (default: base)")
    export.add_argument("--stream", metavar="NAME", help="the stream, where the run has several")
    export.add_argument("--to", choices=get_args(Target), required=True, help="the format of the file")
    export.add_argument("--out", type=Path, metavar="FILE", required=True, help="the file to write")
    backbone_option(export, OWN_BACKBONE)
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    from amsx.export.exporting import export_branch

    exported = export_branch(
        options.run_directory,
        options.out,
        branch=options.branch,
        stream=options.stream,
        to=options.to,
        backbone=options.backbone,
    )
    about = exported.about
    classes = len(about["classes"])
    print(
        f"{exported.path}: {about['branch']} branch of stream {about['stream']}, "
        f"features (B, T, {about['width']}) and lengths (B,) to cas (B, T, {classes}) and probabilities (B, {classes})"
    )
    print(f"checked against PyTorch: {exported.differences}")
