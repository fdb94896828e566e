"""`amsx reproduce` and `amsx demo`."""

import argparse
from pathlib import Path

from amsx.cli.options import Commands, config_of, data_options, dataset_of, streams_of
from amsx.experiments.ablation import format_table3, table3
from amsx.experiments.demo import run_demo


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    reproduce = commands.add_parser("reproduce", help="the paper's tables on your features")
    data_options(reproduce)
    reproduce.add_argument("--table", type=int, choices=[3], required=True, help="3: what each part of AMS adds")
    reproduce.add_argument("--row", action="append", metavar="KEY", help="a row, A to F; repeatable (default: all)")
    reproduce.add_argument("--seeds", type=int, default=3, help="runs per cell (default %(default)s)")
    reproduce.add_argument("--out", type=Path, required=True, help="where results go; finished cells are kept")
    reproduce.set_defaults(run=_reproduce)

    demo = commands.add_parser("demo", help="train on a small synthetic set and draw what came out")
    demo.add_argument("--out", type=Path, default=Path("amsx-demo"), help="where it writes (default %(default)s)")
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--quiet", action="store_true", help="no progress bars")
    demo.set_defaults(run=_demo)


def _reproduce(options: argparse.Namespace) -> None:
    dataset = dataset_of(options)
    result = table3(
        dataset,
        config_of(options, dataset),
        options.out,
        seeds=options.seeds,
        streams=streams_of(options),
        rows=options.row,
        device=options.device,
        progress=not options.quiet,
    )
    print(format_table3(result))


def _demo(options: argparse.Namespace) -> None:
    result = run_demo(options.out, seed=options.seed, progress=not options.quiet)
    base, ams = result.base.metrics, result.ams.metrics
    if base is None or ams is None:
        raise ValueError("the synthetic set has no annotated test video")  # cannot be, and the type says so
    print(f"\nmAP (%) on the synthetic test videos, streams fused, protocol {ams['protocol']}")
    print("tIoU                " + "".join(f"{t:>7g}" for t in ams["tiou"]) + "  average")
    for name, metrics in (("base branch alone", base), ("AMS", ams)):
        cells = "".join(f"{value:>7.1f}" for value in metrics["mAP"])
        print(f"{name:<20}{cells}{metrics['average']:>9.1f}")
    print(f"\npicture: {result.picture}\nruns:    {result.base.out}, {result.ams.out}")
