"""`amsx reproduce`, `amsx validate`, `amsx tune` and `amsx demo`."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.cli.options import check_start, config_of, data_options, dataset_of, streams_of
from amsx.experiments.plans import FIGURES, TABLES


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    # Without abbreviations: their trainings have seeds 0, 1, ..., and --seed would be taken for --seeds.
    again = commands.add_parser("reproduce", help=HELP["reproduce"], allow_abbrev=False)
    data_options(again)
    for flag, plans in (("--table", TABLES), ("--figure", FIGURES)):
        titles = "; ".join(f"{number}: {plan.title.partition(', ')[2]}" for number, plan in plans.items())
        again.add_argument(
            flag, type=int, choices=list(plans), action="append", default=[], help=f"one of {titles}; repeatable"
        )
    again.add_argument(
        "--readings",
        action="store_true",
        help="what the paper leaves open, one choice at a time: which of the choices matter on this data",
    )
    rows = ", ".join(row.key for row in TABLES[3].rows)
    again.add_argument("--row", action="append", metavar="KEY", help=f"a row of Table III ({rows}); repeatable")
    again.add_argument("--seeds", type=int, default=3, help="runs per cell (default %(default)s)")
    _worker_options(again)
    again.add_argument(
        "--out", type=Path, required=True, help="the folder for results; what is trained there is not trained again"
    )
    again.set_defaults(run=_reproduce)

    compared = commands.add_parser("validate", help=HELP["validate"], allow_abbrev=False)
    data_options(compared)
    compared.add_argument(
        "--try",
        dest="tries",
        action="append",
        default=[],
        metavar="SETTINGS",
        help="settings to compare to those given, such as 'localization.threshold_of=lower-mean' or, several at once, "
        "'optimization.learning_rate=1e-3 phases.iterations=2'; repeatable",
    )
    compared.add_argument(
        "--folds", type=int, default=3, help="into how many parts the training videos are divided (default %(default)s)"
    )
    _group_option(compared)
    compared.add_argument(
        "--perturb",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="mix this share of another video's features into those of held-out videos; for features that were learned "
        "from the labels of the training videos, on which these look better than new ones (default %(default)s)",
    )
    compared.add_argument("--seeds", type=int, default=2, help="runs per fold (default %(default)s)")
    _beginning_options(compared)
    compared.add_argument(
        "--out", type=Path, required=True, help="the folder for results; what is trained there is not trained again"
    )
    compared.set_defaults(run=_validate)

    search = commands.add_parser("tune", help=HELP["tune"], allow_abbrev=False)
    data_options(search)
    search.add_argument("--trials", type=int, default=20, help="trainings to compare (default %(default)s)")
    search.add_argument(
        "--share",
        type=float,
        default=0.3,
        help="the share of the training videos that is held out (default %(default)s)",
    )
    _group_option(search)
    search.add_argument("--seeds", type=int, default=1, help="runs per trial, averaged (default %(default)s)")
    _beginning_options(search)
    search.add_argument(
        "--out", type=Path, required=True, help="the folder of the search; an interrupted search continues"
    )
    search.set_defaults(run=_tune)

    demo = commands.add_parser(
        "demo",
        help=HELP["demo"],
        allow_abbrev=False,  # --seed and --seeds
    )
    demo.add_argument("--out", type=Path, default=Path("amsx-demo"), help="the folder to write (default %(default)s)")
    demo.add_argument(
        "--seed", type=int, default=0, help="the seed of the set and of the trainings (default %(default)s)"
    )
    demo.add_argument(
        "--seeds", type=int, default=1, help="how many sets and trainings, from --seed on (default %(default)s)"
    )
    demo.add_argument("--quiet", action="store_true", help="show no progress bars")
    demo.set_defaults(run=_demo)


def _beginning_options(command: argparse.ArgumentParser) -> None:
    """Where the settings that are compared begin, and where trainings run."""
    _worker_options(command)
    command.add_argument("--config", type=Path, help="a config.json to start from, in place of a preset")


def _worker_options(command: argparse.ArgumentParser) -> None:
    """How many trainings run at once, and where."""
    command.add_argument(
        "--jobs", type=int, help="processes that train side by side (default: one for each device, or by the cores)"
    )
    command.add_argument(
        "--devices",
        metavar="DEVICE,DEVICE",
        help="the devices of these processes, in turn, in place of --device; e.g. cuda:0,cuda:1",
    )
    command.add_argument(
        "--executor",
        choices=("slurm", "local"),
        help="train in jobs of a Slurm cluster, or in jobs on this machine, to try it out; OUT must be on a file "
        "system that the machines share (default: train without jobs)",
    )
    command.add_argument("--workers", type=int, metavar="N", help="how many jobs --executor submits (default: 1)")
    command.add_argument("--partition", metavar="NAME", help="the partition of the jobs, as of sbatch")
    command.add_argument(
        "--slurm",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other option of sbatch by its long name, e.g. time=2-00:00, gpus-per-node=1, cpus-per-task=8 or "
        "account=NAME; repeatable",
    )


def _group_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--group",
        metavar="REGEX",
        help="what in a video's id names its group, e.g. '(.*)_w\\d+'; groups are never split",
    )


def _reproduce(options: argparse.Namespace) -> None:
    from amsx.experiments.reproduce import reproduce  # brings matplotlib: only the commands that draw wait for it

    dataset = dataset_of(options)
    config = config_of(options, dataset)
    chosen = {
        "tables": options.table,
        "figures": options.figure,
        "rows": options.row,
        "with_readings": options.readings,
    }
    work = partial(
        reproduce, dataset, config, options.out, **chosen, **_training_arguments(options), quiet=options.quiet
    )
    _do(options, work)
    print(f"\nresults: {options.out}")


def _validate(options: argparse.Namespace) -> None:
    from amsx.experiments.validation import validate  # imported here, as tuning is

    check_start(options)
    dataset = dataset_of(options)
    config = config_of(options, dataset)
    split = {"count": options.folds, "group": options.group, "perturb": options.perturb}
    arguments = {"tries": options.tries, **split, **_training_arguments(options), "quiet": options.quiet}
    work = partial(validate, dataset, config, options.out, **arguments)
    _do(options, work)
    print(f"\nchosen settings: {options.out / 'config.json'} (amsx train DATA --config ...)")


def _tune(options: argparse.Namespace) -> None:
    from amsx.experiments.tuning import tune  # imported here, because the other commands need not wait for it

    check_start(options)
    dataset = dataset_of(options)
    config = config_of(options, dataset)
    search = {"trials": options.trials, "share": options.share, "group": options.group}
    work = partial(tune, dataset, config, options.out, **search, **_training_arguments(options))
    _do(options, work)
    print(f"\nbest settings: {options.out / 'config.json'} (amsx train DATA --config ...)")


def _training_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments that `reproduce`, `validate` and `tune` have in common."""
    if options.device and options.devices:
        raise ValueError(f"--device {options.device} and --devices {options.devices}: expected one of the two")
    return {
        "seeds": options.seeds,
        "streams": streams_of(options),
        "jobs": options.jobs,
        "device": options.devices or options.device,
    }


def _do(options: argparse.Namespace, work: Callable[..., object]) -> None:
    """Do `work` here, or where --executor is given in jobs; what is left to do here then needs no training."""
    slurm = dict(_sbatch_option(text) for text in options.slurm)
    slurm |= {"partition": options.partition} if options.partition else {}
    if options.executor is None:
        if options.workers is not None or slurm:
            raise ValueError("--workers, --partition and --slurm are about jobs; expected --executor beside them")
        work()
        return
    from amsx.experiments.cluster import Cluster, run_jobs

    workers = 1 if options.workers is None else options.workers
    run_jobs(Cluster(options.executor, workers, slurm), options.out, work)
    work(device="cpu", jobs=1)  # the machine that submits jobs may have no GPU


def _sbatch_option(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip("-"):
        raise ValueError(f"--slurm {text!r}: expected KEY=VALUE with an option of sbatch, such as time=2-00:00")
    return key.strip("-").replace("_", "-"), value


def _demo(options: argparse.Namespace) -> None:
    from amsx.experiments.demo import format_demo, run_demo  # brings matplotlib, as above

    result = run_demo(options.out, seed=options.seed, seeds=options.seeds, progress=not options.quiet)
    print(f"\n{format_demo(result)}")
    pairs = ", ".join(f"{pair.base.out}, {pair.ams.out}" for pair in result.pairs)
    print(f"\npicture: {result.picture}\nruns:    {pairs}")
