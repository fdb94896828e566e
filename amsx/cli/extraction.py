"""`amsx extract`."""

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, get_args, get_type_hints

from amsx.cli.arguments import Commands
from amsx.cli.commands import HELP
from amsx.video.extractors import EXTRACTORS, PAIRS
from amsx.video.flow import FlowSettings
from amsx.video.snippets import FPS, STRIDE

DEFAULT = ("efficientnet-lite0", "motion")  # both come with the package: nothing is downloaded


def add_to(commands: Commands) -> None:
    """Add the command to the command line."""
    extract = commands.add_parser(
        "extract",
        help=HELP["extract"],
        description="Decode videos, and write a row of features for every snippet of each. An interrupted extraction "
        "continues with the same command.",
    )
    extract.add_argument("inputs", type=Path, nargs="+", metavar="VIDEO", help="video files, and folders of them")
    extract.add_argument("--out", type=Path, required=True, metavar="DATA", help="the folder to write")
    extract.add_argument(
        "--extractor",
        action="append",
        default=[],
        metavar="[STREAM=]NAME",
        help=f"one of {', '.join(EXTRACTORS)}, and the name of the stream it makes (default: rgb or flow, by what it "
        f"looks at); {', '.join(PAIRS)} stands for both streams; repeatable (default: {' and '.join(DEFAULT)})",
    )
    extract.add_argument(
        "--extractor-option",
        action="append",
        default=[],
        metavar="NAME.KEY=VALUE",
        help="a setting of an extractor, which NAME or its stream names, e.g. efficientnet-lite0.frames=8; repeatable",
    )
    flow = get_type_hints(FlowSettings)
    extract.add_argument(
        "--flow",
        choices=get_args(flow["method"]),
        default=FlowSettings.method,
        help="how optical flow is computed: TV-L1 as the paper's features, or DIS, many times faster "
        "(default %(default)s)",
    )
    extract.add_argument(
        "--flow-option", action="append", default=[], metavar="KEY=VALUE", help="a setting of it: preset, warps, scales"
    )
    extract.add_argument(
        "--fps", type=float, default=FPS, help="frames a second that videos are resampled to (default %(default)g)"
    )
    extract.add_argument(
        "--stride", type=int, default=STRIDE, help="frames from one snippet to the next (default %(default)s)"
    )
    extract.add_argument(
        "--flat", action="store_true", help="ids are the names of files, without the folders that they lie in"
    )
    extract.add_argument("--workers", type=int, default=1, help="processes that work at once (default %(default)s)")
    extract.add_argument("--device", default="cpu", help="the device of the networks (default %(default)s)")
    extract.add_argument("--quiet", action="store_true", help="show no progress bar")
    extract.set_defaults(run=_extract)


def _extract(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from amsx.video.files import video_files
    from amsx.video.folder import extract_folder, total_stages

    files, ignored = video_files(options.inputs, flat=options.flat)
    if ignored:
        print(f"{ignored} files without a suffix of videos are left out")
    plan = _plan(options)
    failed, outcomes = [], []
    sizes = {name: path.stat().st_size for name, path in files.items()}
    with (
        tqdm(
            total=sum(sizes.values()), unit="B", unit_scale=True, desc="extract", disable=options.quiet, smoothing=0.05
        ) as bar,
        closing(extract_folder(files, options.out, plan, workers=options.workers, say=bar.write)) as extracted,
    ):
        for outcome in extracted:
            bar.update(sizes[outcome.id])
            outcomes.append(outcome)
            if outcome.record is None:
                failed.append(outcome)
                bar.write(f"{outcome.id}: {outcome.error}")
            elif not outcome.done_before:
                for note in outcome.record.notes:
                    bar.write(f"{outcome.id}: {note}")
    records = [outcome.record for outcome in outcomes if outcome.record is not None]
    before = sum(outcome.done_before for outcome in outcomes)
    hours = sum(record.duration for record in records) / 3600
    print(
        f"{options.out}: {len(records)} of {len(files)} videos, {hours:.2f} h, "
        f"{sum(record.snippets for record in records)} snippets of {plan.stride / plan.fps:g} s"
        + (f"; {before} of them were there already" if before else "")
    )
    stages = total_stages(outcomes)
    if stages:
        print("time by stage: " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages.items()))
    if failed:
        raise ValueError(f"{len(failed)} of {len(files)} videos failed; their reasons stand above")


def _plan(options: argparse.Namespace) -> Any:
    """The extraction that the options describe."""
    from amsx.video.extractors import make_extractor
    from amsx.video.folder import ExtractionPlan, StreamPlan
    from amsx.video.settings import read_settings

    settings = extractor_settings(options.extractor_option)
    flow = dict(map(_assignment, options.flow_option))
    chosen = read_settings(FlowSettings, {"method": options.flow, **flow}, "--flow-option")
    streams: dict[str, StreamPlan] = {}
    used: set[str] = set()
    for given, pair in _singly(options.extractor or DEFAULT):
        stream, equals, name = given.rpartition("=")
        own = {**settings.get(pair, {}), **settings.get(name, {}), **settings.get(stream, {})}
        used.add(pair)
        used |= {name, stream}
        if not equals:
            stream = make_extractor(name, own, options.device).kind
            own |= settings.get(stream, {})
            used.add(stream)
        if stream in streams:
            raise ValueError(
                f"two extractors would make the stream {stream!r}: {streams[stream].extractor} and {name}; "
                f"name one of them, e.g. --extractor {name.replace('-', '_')}={name}"
            )
        streams[stream] = StreamPlan(name, own)
    if strange := [name for name in settings if name not in used]:
        raise ValueError(f"--extractor-option names {strange[0]!r}, which is no extractor or stream of this command")
    return ExtractionPlan(streams, options.fps, options.stride, chosen, options.device)


def _singly(extractors: Sequence[str]) -> list[tuple[str, str]]:
    """Each extractor as it was given, those of a pair one by one, and the name of the pair ("" where it is of none)."""
    singly = []
    for given in extractors:
        _, equals, name = given.rpartition("=")
        if name in PAIRS and equals:
            raise ValueError(
                f"--extractor {given}: {name} makes two streams; name those of {' and '.join(PAIRS[name])}"
            )
        singly += [(each, name) for each in PAIRS[name]] if name in PAIRS else [(given, "")]
    return singly


def extractor_settings(assignments: Sequence[str]) -> dict[str, dict[str, str]]:
    """NAME.KEY=VALUE -> {NAME: {KEY: VALUE}}."""
    settings: dict[str, dict[str, str]] = {}
    for assignment in assignments:
        key, value = _assignment(assignment)
        name, dot, setting = key.rpartition(".")
        if not dot:
            raise ValueError(f"--extractor-option is {assignment!r}; expected NAME.KEY=VALUE")
        settings.setdefault(name, {})[setting] = value
    return settings


def _assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"expected KEY=VALUE, got {text!r}")
    return key, value
