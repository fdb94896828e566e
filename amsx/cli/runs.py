"""`amsx train` and `amsx test`."""

import argparse
import json
from pathlib import Path

from amsx.cli.options import Commands, config_of, data_options, dataset_of, set_option, streams_of
from amsx.evaluation.table import format_table
from amsx.training.run import RunResult, test_run, train_run


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    train = commands.add_parser("train", help="train AMS on a directory of features, then test it")
    data_options(train)
    train.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run directory to write")
    train.add_argument("--config", type=Path, help="a config.json to start from, instead of a preset")
    train.add_argument("--resume", action="store_true", help="continue a run that was interrupted")
    train.set_defaults(run=_train)

    test = commands.add_parser("test", help="fuse, localize and score a run again from its saved CASs")
    test.add_argument("run_directory", type=Path, metavar="RUN")
    set_option(test, "e.g. localization.beta=0.3; what differs goes to RUN/retest")
    test.add_argument("--out", type=Path, help="where to write instead")
    test.add_argument("--json", action="store_true", help="print the metrics alone, as JSON")
    test.set_defaults(run=_test)


def _train(options: argparse.Namespace) -> None:
    dataset = dataset_of(options)
    result = train_run(
        dataset,
        config_of(options, dataset),
        options.out,
        streams=streams_of(options),
        resume=options.resume,
        device=options.device,
        progress=not options.quiet,
        say=print,
    )
    _print_result(result)


def _test(options: argparse.Namespace) -> None:
    result = test_run(options.run_directory, options.set, out=options.out)
    if options.json:
        print(json.dumps(result.metrics))
    else:
        _print_result(result)


def _print_result(result: RunResult) -> None:
    views = {**result.streams, **({"fused": result.metrics} if len(result.streams) > 1 else {})}
    for name, metrics in views.items():
        if metrics is not None:
            print(f"\n[{name}]\n{format_table(metrics)}")
    print(f"\nresults: {result.out}")
