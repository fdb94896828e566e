"""The `amsx` command: info, data, convert, train, test, evaluate, reproduce, demo."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import amsx
from amsx.data.convert import Target, convert
from amsx.data.layouts import LAYOUTS, read_dataset, read_what_can_be
from amsx.data.summary import format_summary, summarize
from amsx.data.videos import Dataset
from amsx.evaluation import evaluate
from amsx.evaluation.protocols import PROTOCOLS
from amsx.evaluation.table import format_table
from amsx.evaluation.tiou import DEFAULT_TIOU
from amsx.experiments.ablation import format_table3, table3
from amsx.experiments.demo import run_demo
from amsx.info import describe
from amsx.training.config import Config, from_dict, override
from amsx.training.presets import for_dataset
from amsx.training.run import RunResult, test_run, train_run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Errors a user can mend are printed without a traceback."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, TypeError, OSError) as error:
        if options.traceback:
            raise
        print(f"amsx: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "amsx: interrupted; what was saved is complete, --resume continues a training run",
            file=sys.stderr,
        )
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="amsx", description=amsx.__doc__)
    top.add_argument("--version", action="version", version=f"amsx {amsx.__version__}")
    top.add_argument("--traceback", action="store_true", help="show where an error came from")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    info = commands.add_parser("info", help="versions, devices, and what was compiled")
    info.set_defaults(run=_info)

    data = commands.add_parser("data", help="what a directory of features holds, and what is amiss with it")
    _layout_options(data)
    data.add_argument("--quick", action="store_true", help="do not read the features' values to look for NaN")
    data.add_argument("--json", action="store_true", help="print the summary alone, as JSON")
    data.set_defaults(run=_data)

    writer = commands.add_parser("convert", help="write a data set in another layout")
    _layout_options(writer)
    writer.add_argument("out", type=Path, metavar="OUT", help="the folder to write, new or empty")
    writer.add_argument("--to", choices=get_args(Target), required=True, help="the layout to write")
    writer.set_defaults(run=_convert)

    train = commands.add_parser("train", help="train AMS on a directory of features, then test it")
    _data_options(train)
    train.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run directory to write")
    train.add_argument("--config", type=Path, help="a config.json to start from, instead of a preset")
    train.add_argument("--resume", action="store_true", help="continue a run that was interrupted")
    train.set_defaults(run=_train)

    test = commands.add_parser("test", help="fuse, localize and score a run again from its saved CASs")
    test.add_argument("run_directory", type=Path, metavar="RUN")
    _set_option(test, "e.g. localization.beta=0.3; what differs goes to RUN/retest")
    test.add_argument("--out", type=Path, help="where to write instead")
    test.add_argument("--json", action="store_true", help="print the metrics alone, as JSON")
    test.set_defaults(run=_test)

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

    reproduce = commands.add_parser("reproduce", help="the paper's tables on your features")
    _data_options(reproduce)
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
    return top


def _layout_options(command: argparse.ArgumentParser) -> None:
    names = [module.__name__.rpartition(".")[2] for module in LAYOUTS]
    command.add_argument("data", type=Path, metavar="DATA", help="the directory of features and annotation")
    command.add_argument("--layout", choices=names, help="how DATA is laid out (default: recognized)")
    command.add_argument(
        "--data-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the layout's reader, e.g. snippet_seconds=0.4, stride=4, missing=skip",
    )


def _data_options(command: argparse.ArgumentParser) -> None:
    _layout_options(command)
    command.add_argument(
        "--stream",
        action="append",
        metavar="NAME",
        help="a stream to train, e.g. rgb; repeatable (default: all, each apart, fused at the end)",
    )
    command.add_argument("--preset", choices=["paper", "small"], help="settings to start from (default: by the data)")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device", help="cpu, cuda, cuda:1 (default: cuda where there is one)")
    command.add_argument("--quiet", action="store_true", help="no progress bars")
    _set_option(command, "e.g. sampling.eta=1.0; see RUN/config.json for every key")


def _set_option(command: argparse.ArgumentParser, hint: str) -> None:
    command.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help=hint)


def _info(_: argparse.Namespace) -> None:
    for name, value in describe():
        print(f"{name:<14} {value}")


def _data(options: argparse.Namespace) -> None:
    dataset = read_what_can_be(options.data, options.layout, **_reader_options(options.data_option))
    summary = summarize(dataset, values=not options.quick)
    print(json.dumps(summary) if options.json else format_summary(summary))


def _convert(options: argparse.Namespace) -> None:
    made = convert(_dataset(options), options.out, options.to)
    print(f"\nwritten: {made.out}, layout {made.layout}, read again and compared")
    for what in made.lost or ("nothing",):
        print(f"  lost: {what}")
    if made.options:
        print("  read it with " + " ".join(f"--data-option {key}={json.dumps(v)}" for key, v in made.options.items()))


def _train(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    result = train_run(
        dataset,
        _config(options, dataset),
        options.out,
        streams=_streams(options),
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


def _reproduce(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    result = table3(
        dataset,
        _config(options, dataset),
        options.out,
        seeds=options.seeds,
        streams=_streams(options),
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


def _dataset(options: argparse.Namespace) -> Dataset:
    dataset = read_dataset(options.data, options.layout, **_reader_options(options.data_option))
    counts = ", ".join(f"{len(dataset.subset(s))} {s}" for s in ("train", "test"))
    streams = ", ".join(f"{name} ({width})" for name, width in dataset.dims.items())
    print(f"{options.data}: layout {dataset.layout}, {counts} videos, {len(dataset.classes)} classes, {streams}")
    for note in dataset.notes:
        print(f"  {note}")
    return dataset


def _config(options: argparse.Namespace, dataset: Dataset) -> Config:
    """The preset for the data, or --config's file; then --seed and --set; what was decided is printed."""
    if getattr(options, "config", None) is not None:
        if options.preset is not None:
            raise ValueError("--config and --preset both say where to start from; expected one of them")
        values = json.loads(options.config.read_text())
        config = from_dict(values.get("config", values))  # a run's config.json also holds the data
    else:
        config, notes = for_dataset(dataset, options.preset)
        for note in notes:
            print(f"  {note}")
    return override(config, [f"optimization.seed={options.seed}", *options.set])


def _streams(options: argparse.Namespace) -> list[str] | None:
    return None if not options.stream or options.stream == ["all"] else options.stream


def _reader_options(assignments: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE pairs; a value is JSON where it reads as JSON, else text."""
    read: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ValueError(f"--data-option is {assignment!r}; expected KEY=VALUE")
        try:
            read[key] = json.loads(text)
        except json.JSONDecodeError:
            read[key] = text
    return read


def _print_result(result: RunResult) -> None:
    views = {**result.streams, **({"fused": result.metrics} if len(result.streams) > 1 else {})}
    for name, metrics in views.items():
        if metrics is not None:
            print(f"\n[{name}]\n{format_table(metrics)}")
    print(f"\nresults: {result.out}")


if __name__ == "__main__":
    sys.exit(main())
