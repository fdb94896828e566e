"""`amsx evaluate`."""

import argparse
import json
from pathlib import Path

from amsx.cli.options import Commands
from amsx.evaluation import evaluate
from amsx.evaluation.protocols import PROTOCOLS
from amsx.evaluation.table import format_table
from amsx.evaluation.tiou import DEFAULT_TIOU


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    score = commands.add_parser("evaluate", help="score detections under a named protocol")
    score.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="ActivityNet JSON with `results`")
    score.add_argument("ground_truth", type=Path, metavar="GROUND_TRUTH", help="ActivityNet JSON with `database`")
    score.add_argument("--protocol", choices=[p.name for p in PROTOCOLS], default="activitynet")
    score.add_argument("--tiou", default=DEFAULT_TIOU, help="0.5, 0.1,0.3 or start:step:stop (default %(default)s)")
    score.add_argument("--subset", help="which subset of the ground truth to score (default: its test subset)")
    score.add_argument("--split", type=Path, help="a file that lists the videos to score, one id a line")
    score.add_argument("--exclude", action="append", default=[], metavar="ID", help="a video to leave out")
    score.add_argument("--ambiguous", type=Path, metavar="FILE", help="THUMOS14's ambiguous spans")
    score.add_argument("--per-class", action="store_true", help="AP of every class")
    score.add_argument("--json", action="store_true", help="print the result alone, as JSON")
    score.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    result = evaluate(
        options.predictions,
        options.ground_truth,
        options.protocol,
        options.tiou,
        subset=options.subset,
        videos=options.split,
        exclude=options.exclude,
        ambiguous=options.ambiguous,
    )
    print(json.dumps(result) if options.json else format_table(result, per_class=options.per_class))
