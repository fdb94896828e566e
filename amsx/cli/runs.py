"""`amsx train` and `amsx test`."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.cli.options import (
    DATA,
    OWN_BACKBONE,
    backbone_option,
    check_start,
    config_of,
    data_options,
    dataset_of,
    describe_dataset,
    may_be_left_out,
    read_data,
    reader_options,
    reading_options,
    set_option,
    streams_of,
)
from amsx.inference import Part

if TYPE_CHECKING:
    from amsx.evaluation.snippets import ActivationScores
    from amsx.training.run import RunResult
    from amsx.training.run_directory import RunDescription


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    train = commands.add_parser("train", help=HELP["train"])
    may_be_left_out(data_options(train))  # where a run is resumed
    train.add_argument("--seed", type=int, help="the seed of everything random (default: 0, or that of --config)")
    train.add_argument("--out", type=Path, metavar="RUN", help="the run directory to write (default: that of --resume)")
    train.add_argument(
        "--expect", action="store_true", help="estimate the time and memory the training takes, and train nothing"
    )
    train.add_argument("--config", type=Path, help="a config.json to start from, in place of a preset")
    train.add_argument(
        "--validation",
        type=float,
        metavar="SHARE",
        help="where DATA has no test videos, hold out this share of the training videos, always the same ones, "
        "stratified by class",
    )
    train.add_argument(
        "--resume",
        nargs="?",
        const=True,
        metavar="RUN",
        help="continue an interrupted run: `amsx train --resume RUN` is enough, and with DATA where that has moved",
    )
    train.add_argument("--tensorboard", action="store_true", help="also write the log to RUN/<stream>/tensorboard")
    train.set_defaults(run=_train)

    test = commands.add_parser(
        "test",
        help=HELP["test"],
        description="Without DATA, fuse, localize and score again from the saved CASs of a run's test videos. With "
        "DATA, run its models on the videos of another data set, which has the run's streams and classes.",
    )
    test.add_argument("run_directory", type=Path, metavar="RUN", help="a run directory of amsx train")
    other = test.add_argument("data", type=Path, metavar="DATA", help=f"another data set to test on: {DATA}")
    may_be_left_out(other)
    reading_options(test)
    test.add_argument("--subset", choices=get_args(Part), default="test", help="which videos of DATA (default: test)")
    backbone_option(test, OWN_BACKBONE)
    test.add_argument("--device", help="what runs on DATA: cpu, cuda or cuda:N (default: cuda where torch sees a GPU)")
    set_option(
        test,
        "change one setting of localization or evaluation, e.g. localization.beta=0.3; results then go to "
        "RUN/retest, or where that holds other settings to RUN/retest-2, RUN/retest-3, ...",
    )
    test.add_argument(
        "--out",
        type=Path,
        help="the folder to write results to (default: RUN, RUN/retest with --set, RUN/tested/<name> with DATA)",
    )
    test.add_argument("--name", help="with --set: write the results to RUN/retest-NAME")
    test.add_argument("--snippets", action="store_true", help="also score the CASs themselves, snippet by snippet")
    test.add_argument("--json", action="store_true", help="print only the metrics, as JSON")
    test.set_defaults(run=_test)


def _train(options: argparse.Namespace) -> None:
    from amsx.training.ranks import first_speaks

    with first_speaks():
        _train_on_ranks(options)


def _train_on_ranks(options: argparse.Namespace) -> None:
    from amsx.data.validation import hold_out
    from amsx.training.expectations import describe, expect
    from amsx.training.ranks import joined
    from amsx.training.resume import dataset_of_run
    from amsx.training.run import chosen_streams, train_run
    from amsx.training.setup import choose_device

    begun = _resumed(options)
    if options.out is None and not options.expect:
        raise ValueError("--out says which run directory to write; expected it (or --expect)")
    if options.data is None and begun is None:
        raise ValueError("DATA says what to train on; expected it (or --resume RUN)")
    check_start(options)
    if begun is None:
        dataset = dataset_of(options)
        if options.validation is not None:
            dataset = hold_out(dataset, options.validation)
            print(f"  {dataset.notes[-1]}")
    else:
        dataset = dataset_of_run(
            options.out,
            data=options.data,
            layout=options.layout,
            options=reader_options(options.data_option),
            validation=options.validation,
        )
        describe_dataset(dataset, dataset.origin)
        options.stream = options.stream or list(begun.data.streams)
    config = config_of(options, dataset, begun)
    if options.expect:
        start = time.process_time()  # a training starts as this command did
        device = choose_device(options.device)
        names = chosen_streams(dataset, streams_of(options))
        with joined(device) as ranks:
            print(describe([expect(dataset, config, name, device, ranks) for name in names], device, ranks, start))
        return
    result = train_run(
        dataset,
        config,
        options.out,
        streams=streams_of(options),
        resume=options.resume is not None,
        device=options.device,
        progress=not options.quiet,
        tensorboard=options.tensorboard,
        say=print,
    )
    _print_result(result)


def _resumed(options: argparse.Namespace) -> "RunDescription | None":
    """The run that --resume continues, whose folder becomes --out; None where a training begins.

    `--resume` alone means the run in --out, if there is one. What stands behind it may also be DATA, whose place is
    anywhere: then --out is another folder, and nothing else is DATA.
    """
    from amsx.training.run_directory import read_run
    from amsx.training.train import begun_run

    if options.resume is None:
        return None
    if options.resume is not True:
        run = Path(options.resume)
        if options.out is None or options.out == run:
            options.out = run
            return read_run(run)
        if options.data is not None:
            raise ValueError(f"--resume names the run {run}, and --out {options.out}; expected one of them")
        options.data = run
    return None if options.out is None else begun_run(options.out)


def _test(options: argparse.Namespace) -> None:
    from amsx.evaluation.tables import format_snippets
    from amsx.inference.other_data import test_on
    from amsx.training.run import localization_config, test_run
    from amsx.training.run_directory import read_run
    from amsx.training.setup import choose_device

    if options.data is None:
        if options.layout is not None or options.data_option or options.subset != "test":
            raise ValueError("--layout, --data-option and --subset say how DATA is read; expected DATA, too")
        say: Callable[[str], None] = (lambda _: None) if options.json else print
        result = test_run(options.run_directory, options.set, out=options.out, name=options.name, say=say)
        scored, overrides = options.run_directory, options.set
    else:
        if options.name is not None:
            raise ValueError("--name names a retest of the run's own videos; expected it without DATA")
        localization_config(read_run(options.run_directory), options.set)  # raises before any data is read
        result = test_on(
            options.run_directory,
            read_data(options) if options.json else dataset_of(options),
            overrides=options.set,
            part=options.subset,
            out=options.out,
            device=str(choose_device(options.device)),
            backbone=options.backbone,
        )
        scored, overrides = result.out, []
    views = _score_snippets(scored, overrides) if options.snippets else None
    if options.json:
        metrics = None if result.metrics is None else result.metrics.to_json()
        if views is not None:
            metrics = {**(metrics or {}), "snippets": {name: scores.to_json() for name, scores in views.items()}}
        print(json.dumps(metrics))
        return
    _print_result(result)
    if views is not None:
        print(f"\n{format_snippets(views)}")


def _score_snippets(run: Path, overrides: list[str]) -> "dict[str, ActivationScores]":
    """View (branch of a stream, or what they are fused to) -> how well its CAS agrees with the ground truth."""
    import numpy as np

    from amsx.evaluation.ground_truth import read_ground_truth
    from amsx.evaluation.snippets import score_activations
    from amsx.training.config import override
    from amsx.training.run import fuse_streams
    from amsx.training.run_directory import read_activations, read_run

    described = read_run(run)
    config = override(described.config, overrides)
    truth = read_ground_truth(run / "ground_truth.json")
    parts = read_activations(run, described.data.streams)
    views = {}
    for part in parts:
        views[f"{part.stream} base"] = part.base, part.timebases
        if part.supplementary is not None:
            views[f"{part.stream} supplementary"] = part.supplementary, part.timebases
            views[f"{part.stream} both"] = fuse_streams([part], config)
    if len(parts) > 1:
        views["fused"] = fuse_streams(parts, config)
    ids, classes = parts[0].ids, parts[0].classes
    scores = {}
    for name, (view, timebases) in views.items():
        centres = [t.to_seconds(np.arange(n) + 0.5) for t, n in zip(timebases, view.lengths, strict=True)]
        scores[name] = score_activations(
            view.cas, view.probs, np.concatenate(centres), view.lengths, ids, classes, truth
        )
    return scores


def _print_result(result: "RunResult") -> None:
    from amsx.evaluation.tables import format_table

    for warning in result.warnings:
        print(f"\namsx: warning: {warning}", file=sys.stderr)
    views = {**result.streams, **({"fused": result.metrics} if len(result.streams) > 1 else {})}
    for name, metrics in views.items():
        if metrics is not None:
            print(f"\n[{name}]\n{format_table(metrics)}")
    if result.classification is not None:
        print(f"\nclassification mAP {result.classification:.1f}, by the labels of the test videos")
    if result.metrics is None:
        print("\nno mAP of localization: it needs segments, and no test video has one")
    print(f"\nresults: {result.out}")
