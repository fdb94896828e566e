"""`amsx report`."""

import argparse
from pathlib import Path

from amsx.cli.options import Commands
from amsx.report.collect import read_groups
from amsx.report.page import chosen_videos, write_report
from amsx.report.pictures import draw_videos

STILLS = 12  # videos drawn as pictures where nothing was chosen


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    report = commands.add_parser(
        "report",
        help="one HTML file about runs: scores, errors, training curves, an interactive timeline of every video",
        description="Runs that differ in their seed alone are one configuration with error bars; others are compared.",
    )
    report.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run directories of amsx train")
    report.add_argument("--out", type=Path, default=Path("report.html"), help="the file to write (default %(default)s)")
    which = report.add_mutually_exclusive_group()
    which.add_argument("--videos", type=int, metavar="N", help="timelines of N videos (default: all within 12 MB)")
    which.add_argument("--video", action="append", metavar="ID", help="the timeline of this video; repeatable")
    report.add_argument("--frames", type=Path, metavar="DIR", help="show the frames in DIR/<video id>/*.jpg, too")
    for kind in ("png", "svg"):
        hint = f"also draw timelines as {kind.upper()} files (default: of {STILLS} videos)"
        report.add_argument(f"--{kind}", type=Path, metavar="DIR", help=hint)
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    groups = read_groups(options.runs)
    chosen = options.videos if options.video is None else options.video
    out = write_report(groups, options.out, videos=chosen, frames=options.frames)
    stills = chosen_videos(groups[0].runs[0].parts[0].ids, STILLS if chosen is None else chosen)
    if options.png is not None:
        print(f"{options.png}: {len(draw_videos(options.png, groups, stills, 'png'))} pictures")
    if options.svg is not None:
        print(f"{options.svg}: {len(draw_videos(options.svg, groups, stills, 'svg'))} pictures")
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, one file; open it in any browser")
