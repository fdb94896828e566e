"""`amsx report`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP

if TYPE_CHECKING:
    from amsx.report.run_groups import Group

PICTURES = 12  # how many videos are drawn as pictures by default


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    report = commands.add_parser(
        "report",
        help=HELP["report"],
        description="Runs that differ in their seed alone are one configuration with error bars; others are compared. "
        "Of a folder of amsx reproduce, the tables and figures are shown.",
    )
    what = "run directories of amsx train, and folders that amsx reproduce wrote (its OUT)"
    report.add_argument("folders", type=Path, nargs="+", metavar="RUN|OUT", help=what)
    report.add_argument("--out", type=Path, default=Path("report.html"), help="the file to write (default %(default)s)")
    which = report.add_mutually_exclusive_group()
    which.add_argument("--videos", type=int, metavar="N", help="timelines of N videos (default: all within 12 MB)")
    which.add_argument("--video", action="append", metavar="ID", help="the timeline of this video; repeatable")
    report.add_argument("--frames", type=Path, metavar="DIR", help="show the frames in DIR/<video id>/*.jpg, too")
    for kind in ("png", "svg"):
        hint = f"also draw timelines as {kind.upper()} files (default: of {PICTURES} videos)"
        report.add_argument(f"--{kind}", type=Path, metavar="DIR", help=hint)
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    # The report is imported here, because the other commands need not wait for it.
    from amsx.experiments.reproduction import read_reproduction, sort_folders
    from amsx.report.page import write_report
    from amsx.report.run_groups import read_groups

    runs, reproduced = sort_folders(options.folders)
    about_runs = ("videos", "video", "frames", "png", "svg")
    if not runs and (given := [f"--{name}" for name in about_runs if getattr(options, name) is not None]):
        raise ValueError(f"{', '.join(given)}: expected a run directory of amsx train to draw videos of")
    groups = read_groups(runs) if runs else []
    chosen = options.videos if options.video is None else options.video
    reproductions = [read_reproduction(folder) for folder in reproduced]
    out = write_report(groups, options.out, reproduced=reproductions, videos=chosen, frames=options.frames)
    if options.png is not None or options.svg is not None:
        _draw_pictures(options, groups, chosen)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, one file; open it in any browser")


def _draw_pictures(options: argparse.Namespace, groups: "Sequence[Group]", chosen: int | list[str] | None) -> None:
    # matplotlib is imported here, because commands that draw nothing need not wait for it.
    from amsx.report.page import chosen_videos
    from amsx.report.timeline_pictures import draw_timelines

    ids = groups[0].runs[0].parts[0].ids
    videos = chosen_videos(ids, PICTURES if chosen is None else chosen)
    truth = groups[0].runs[0].truth["database"]
    bare = [ids[i] for i in videos if not truth[ids[i]]["annotations"]]
    if bare:
        print(f"no picture of {len(bare)} videos, which have no annotated class to draw: {', '.join(bare[:3])}")
    if options.png is not None:
        print(f"{options.png}: {len(draw_timelines(options.png, groups, videos, 'png'))} pictures")
    if options.svg is not None:
        print(f"{options.svg}: {len(draw_timelines(options.svg, groups, videos, 'svg'))} pictures")
