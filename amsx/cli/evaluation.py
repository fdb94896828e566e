"""`amsx evaluate` and `amsx compare`."""

import argparse
import json
from pathlib import Path

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.evaluation import Selection, compare, evaluate, evaluate_all
from amsx.evaluation.classification import classify
from amsx.evaluation.explain import explain
from amsx.evaluation.protocols import DEFAULT_TIOU, PROTOCOLS
from amsx.evaluation.sensitivity import CUTS, QUANTILES
from amsx.evaluation.tables import format_comparison, format_explanation, format_side_by_side, format_table


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    score = commands.add_parser("evaluate", help=HELP["evaluate"])
    score.add_argument(
        "predictions", type=Path, metavar="PREDICTIONS", help="the detections, in any of the known forms"
    )
    _truth_options(score, "--all-protocols")
    score.add_argument("--per-class", action="store_true", help="also print the AP of every class")
    score.add_argument(
        "--classification",
        action="store_true",
        help="also print the classification mAP of videos ranked by their best detection",
    )
    score.add_argument(
        "--explain", action="store_true", help="also print errors, sensitivity, precision at recall, and proposals"
    )
    score.add_argument(
        "--cuts", choices=[c.name for c in CUTS], help=f"the buckets of the sensitivity (default {QUANTILES.name})"
    )
    score.add_argument("--plots", type=Path, metavar="DIR", help="like --explain, and draw plots into DIR")
    score.add_argument("--format", choices=("png", "svg"), help="the format of the plots (default png)")
    score.add_argument("--json", action="store_true", help="print only the result, as JSON")
    score.set_defaults(run=_evaluate)

    compare = commands.add_parser("compare", help=HELP["compare"])
    _truth_options(compare)
    compare.add_argument(
        "--a", type=Path, nargs="+", required=True, metavar="PREDICTIONS", help="the detections of each seed"
    )
    compare.add_argument("--b", type=Path, nargs="+", default=[], metavar="PREDICTIONS", help="those of another method")
    compare.add_argument(
        "--resamples", type=int, default=1000, help="how often the videos are resampled (default %(default)s)"
    )
    compare.add_argument("--seed", type=int, default=0, help="the seed of the resampling (default %(default)s)")
    compare.add_argument("--json", action="store_true", help="print only the result, as JSON")
    compare.set_defaults(run=_compare)


def _truth_options(command: argparse.ArgumentParser, every: str | None = None) -> None:
    """Add GROUND_TRUTH, its selection and the rules; `every` is the option that scores under all rules at once."""
    command.add_argument(
        "ground_truth", type=Path, metavar="GROUND_TRUTH", help="the annotation, in any of the known forms"
    )
    rules = command.add_mutually_exclusive_group()
    rules.add_argument(
        "--protocol",
        choices=[p.name for p in PROTOCOLS],
        default="activitynet",
        help="the rules of which evaluator (default: %(default)s)",
    )
    if every is not None:
        rules.add_argument(every, action="store_true", help="show the scores under all protocols side by side")
    command.add_argument(
        "--tiou",
        default=DEFAULT_TIOU,
        help="the tIoU thresholds: 0.5, 0.1,0.3 or start:step:stop (default %(default)s)",
    )
    command.add_argument("--subset", help="which subset of the ground truth to score (default: its test subset)")
    command.add_argument("--split", type=Path, help="a file that lists the videos to score, one id a line")
    command.add_argument("--exclude", action="append", default=[], metavar="ID", help="a video to leave out")
    command.add_argument("--ambiguous", type=Path, metavar="FILE", help="the file of THUMOS14's ambiguous spans")
    command.add_argument(
        "--labels", type=Path, metavar="FILE", help="a list of the classes that integer labels stand for"
    )


def _selection(options: argparse.Namespace) -> Selection:
    return Selection(
        subset=options.subset,
        videos=options.split,
        exclude=options.exclude,
        ambiguous=options.ambiguous,
        labels=options.labels,
    )


def _evaluate(options: argparse.Namespace) -> None:
    if options.all_protocols:
        _evaluate_all(options)
        return
    explained = options.explain or options.plots is not None
    if options.cuts is not None and not explained:
        raise ValueError("--cuts are those of --explain; expected both")
    if options.format is not None and options.plots is None:
        raise ValueError("--format is that of --plots; expected both")
    files, selection = (options.predictions, options.ground_truth), _selection(options)
    rules = (options.protocol, options.tiou)
    explanation, plots = None, []
    if explained:
        explanation = explain(*files, *rules, selection=selection, cuts=options.cuts or QUANTILES.name)
        evaluation, result = explanation.evaluation, explanation.to_json()
    else:
        evaluation = evaluate(*files, *rules, selection=selection)
        result = evaluation.to_json()
    if explanation is not None and options.plots is not None:
        from amsx.figures.explanation import draw_explanation  # brings matplotlib: a score alone waits for none

        plots = draw_explanation(options.plots, explanation, options.format or "png")
    classification = classify(*files, selection=selection) if options.classification else None
    if options.json:
        if classification is not None:
            result["classification"] = classification.to_json()
        print(json.dumps(result))
        return
    print(format_table(evaluation, per_class=options.per_class, form=True))
    if classification is not None:
        print(f"classification mAP (%) of videos by their best detection: {classification.mean_ap:.1f}")
    if explanation is not None:
        print(f"\n{format_explanation(explanation)}")
    for path in plots:
        print(f"plot: {path}")


def _evaluate_all(options: argparse.Namespace) -> None:
    alone = ("per_class", "explain", "cuts", "plots", "format", "classification")
    if given := [f"--{name.replace('_', '-')}" for name in alone if getattr(options, name)]:
        raise ValueError(f"{', '.join(given)} and --all-protocols; expected one of them")
    evaluations = evaluate_all(options.predictions, options.ground_truth, options.tiou, selection=_selection(options))
    if options.json:
        print(json.dumps(evaluations.to_json()))
    else:
        print(format_side_by_side(evaluations))


def _compare(options: argparse.Namespace) -> None:
    comparison = compare(
        options.ground_truth,
        options.a,
        options.b,
        options.protocol,
        options.tiou,
        resamples=options.resamples,
        seed=options.seed,
        selection=_selection(options),
    )
    print(json.dumps(comparison.to_json()) if options.json else format_comparison(comparison))
