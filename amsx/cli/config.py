"""`amsx config`."""

import argparse
import json
from typing import get_args

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.training.presets import Preset


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    command = commands.add_parser(
        "config",
        help=HELP["config"],
        description="Print the settings that --set changes, with their values, ranges, meaning and source.",
    )
    command.add_argument(
        "part", nargs="?", metavar="SECTION[.KEY]", help="a section, such as sampling, or a key, such as sampling.eta"
    )
    command.add_argument(
        "--preset", choices=get_args(Preset), help="show the values of this preset (default: the paper's for THUMOS14)"
    )
    command.add_argument("--json", action="store_true", help="print the settings as JSON")
    command.set_defaults(run=_config)


def _config(options: argparse.Namespace) -> None:
    from amsx.training.config_table import settings_json, settings_text
    from amsx.training.presets import preset

    config = None if options.preset is None else preset(options.preset)
    if options.json:
        print(json.dumps(settings_json(config, options.part)))
    else:
        print(settings_text(config, options.part))
