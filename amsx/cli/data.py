"""`amsx data` and `amsx convert`."""

import argparse
import json
import shlex
from pathlib import Path

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.cli.options import dataset_of, layout_options, read_data
from amsx.data.layouts import layout_names, matching_layouts, read_leniently


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    data = commands.add_parser("data", help=HELP["data"])
    layout_options(data)
    data.add_argument("--quick", action="store_true", help="do not read the features' values to look for NaN")
    data.add_argument("--json", action="store_true", help="print the summary alone, as JSON")
    data.set_defaults(run=_data)

    writer = commands.add_parser("convert", help=HELP["convert"])
    layout_options(writer)
    writer.add_argument("out", type=Path, metavar="OUT", help="the folder to write, new or empty")
    writer.add_argument("--to", choices=layout_names(), required=True, help="the layout to write")
    writer.set_defaults(run=_convert)


def _data(options: argparse.Namespace) -> None:
    from amsx.data.summary import format_summary, summarize

    dataset = read_data(options, read_leniently)
    summary = summarize(dataset, values=not options.quick)
    print(json.dumps(summary.to_json()) if options.json else format_summary(summary))


def _convert(options: argparse.Namespace) -> None:
    from amsx.data.convert import convert

    made = convert(dataset_of(options), options.out, options.to)
    print(f"\nwritten: {made.out}, layout {made.layout}, read again and compared")
    for what in made.lost or ("nothing",):
        print(f"  lost: {what}")
    known = [layout.name for layout in matching_layouts(made.out)] == [made.layout]
    given = [] if known else [f"--layout {made.layout}"]
    given += [f"--data-option {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in made.options.items()]
    if given:
        print("  read it with " + " ".join(given))
