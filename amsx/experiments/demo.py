"""AMS beside its base branch alone, trained on a small synthetic set, and one picture that compares them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Dataset, Video
from amsx.evaluation import Evaluation
from amsx.experiments.single_videos import cas_strip
from amsx.figures.strips import Kind, Strip, draw_strips, truth_strip
from amsx.localization.fusion import Activations
from amsx.locks import hold
from amsx.training.activations import load_activations
from amsx.training.config import Config, override
from amsx.training.phases import schedule, total_epochs
from amsx.training.presets import for_dataset
from amsx.training.run import RunResult, fuse_streams, train_run
from amsx.training.run_directory import read_run
from amsx.training.trainer import epoch_bar

if TYPE_CHECKING:
    from typing import NoReturn

    from tqdm import tqdm

# The base branch on video labels and nothing else, for as many epochs as AMS trains its own; and all of AMS.
METHODS = {"base": ("phases.branches=base", "phases.supervision=none"), "ams": ()}


@dataclass(frozen=True)
class Pair:
    """The demo's two runs on the set of one seed."""

    base: RunResult  # of the base branch alone
    ams: RunResult  # of all of AMS


@dataclass(frozen=True)
class DemoResult:
    """The demo's runs with their scores, and its picture."""

    pairs: tuple[Pair, ...]  # one for each seed
    picture: Path  # PNG, of the first


def run_demo(
    out: Path | str,
    *,
    seed: int = 0,
    seeds: int = 1,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> DemoResult:
    """Make the synthetic set and train both; writes the run directories `out`/base and `out`/ams and a picture.

    With several `seeds`, the sets and trainings of `seed` + 1, ... follow, in `out`/seed<n>/base and `out`/seed<n>/ams.
    A demo that was killed continues from its last checkpoint. ValueError for less than one seed.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    out = Path(out)
    say(
        f"{seeds} x 2 trainings of 2 streams; on 2 cores that is about a minute for each seed where nothing else runs, "
        "and several where the machine is busy"
    )
    numbers = range(seed, seed + seeds)
    datasets = [make_dataset(SyntheticConfig(seed=number)) for number in numbers]
    train, test = datasets[0].subset("train"), datasets[0].subset("test")
    say(
        f"synthetic set: {len(train)} training and {len(test)} test videos, {len(datasets[0].classes)} classes, "
        f"streams {', '.join(datasets[0].stream_names)}"
    )
    config, notes = for_dataset(datasets[0])
    for note in notes:
        say(note)
    configs = {name: override(config, settings) for name, settings in METHODS.items()}
    epochs = sum(total_epochs(schedule(c.phases)) for c in configs.values()) * len(datasets[0].stream_names) * seeds
    pairs = []
    with hold(out, "amsx demo"), epoch_bar("training", epochs, progress=progress) as bar:
        for number, dataset in zip(numbers, datasets, strict=True):
            folder = out if number == seed else out / f"seed{number}"
            results = {
                name: _train(dataset, override(method, [f"optimization.seed={number}"]), folder / name, bar)
                for name, method in configs.items()
            }
            pairs.append(Pair(**results))
        picture = draw_runs(out / "localization.png", _example_video(test), pairs[0].base, pairs[0].ams)
    return DemoResult(tuple(pairs), picture)


def _train(dataset: Dataset, config: Config, out: Path, bar: "tqdm[NoReturn]") -> RunResult:
    """Train a run, or continue it, and move the bar by one for every epoch, whenever it was trained."""
    shown: Counter[str] = Counter()

    def after_epoch(stream: str, epoch: int) -> None:
        bar.set_postfix_str(f"{out.name}, {stream}", refresh=False)
        bar.update(epoch - shown[stream])
        shown[stream] = epoch

    return train_run(dataset, config, out, resume=True, progress=False, after_epoch=after_epoch, say=lambda text: None)


def format_demo(result: DemoResult) -> str:
    """The scores of both methods at every tIoU as a table, and in words where AMS is above its base branch.

    Of several seeds these are the means; a difference stands beside the number of seeds in which it is above 0.
    """
    metrics = [[scored(run.metrics) for run in (pair.base, pair.ams)] for pair in result.pairs]
    scores = np.array([[[*m.mean_ap, m.average] for m in pair] for pair in metrics])  # (seeds, 2, tIoUs + 1)
    mean = scores.mean(axis=0)
    difference = scores[:, 1] - scores[:, 0]
    first = metrics[0][0]
    several = f", mean of {len(scores)} seeds, each with a set of its own" if len(scores) > 1 else ""
    lines = [
        f"mAP (%) on the synthetic test videos, streams fused, protocol {first.protocol}{several}",
        "tIoU                " + "".join(f"{t:>7g}" for t in first.tiou) + "  average",
    ]
    for name, row in (("base branch alone", mean[0]), ("AMS", mean[1])):
        lines.append(f"{name:<20}" + "".join(f"{value:>7.1f}" for value in row[:-1]) + f"{row[-1]:>9.1f}")
    gain = difference.mean(axis=0)
    lines.append(f"{'AMS minus base':<20}" + "".join(f"{value:>+7.1f}" for value in gain[:-1]) + f"{gain[-1]:>+9.1f}")
    if len(scores) > 1:
        better = [f"{count}/{len(scores)}" for count in (difference > 0).sum(axis=0)]
        lines.append(f"{'AMS above base in':<20}" + "".join(f"{text:>7}" for text in better[:-1]) + f"{better[-1]:>9}")
    return "\n".join([*lines, "", _in_words(first.tiou, gain)])


def _in_words(tiou: Sequence[float], gain: NDArray[np.float64]) -> str:
    """Where AMS is above the base branch, given the differences at every tIoU and, last, on average."""
    places = [f"tIoU {t:g}" for t in tiou] + ["the average"]
    above = [place for place, value in zip(places, gain, strict=True) if value > 0]
    others = [place for place in places if place not in above]
    if not others:
        return "AMS is above its base branch at every tIoU and on average."
    if not above:
        return "AMS is nowhere above its base branch."
    return f"AMS is above its base branch at {', '.join(above)}; it is not at {', '.join(others)}."


def scored(metrics: Evaluation | None) -> Evaluation:
    """The metrics of a run of the demo, whose test videos are all annotated."""
    assert metrics is not None
    return metrics


def draw_runs(path: Path, video: Video, base: RunResult, ams: RunResult) -> Path:
    """Draw the CASs of one video for its first label, streams fused: of the base branch alone, and of AMS's branches.

    `path` ends in ".png" or ".svg".
    """
    label = video.labels[0]
    config = read_run(ams.out).config
    only_base = replace(config.localization, supplementary_weight=0.0)
    only_supplementary = replace(config.localization, supplementary_weight=1.0)
    truth = [(segment.start, segment.end) for segment in video.segments if segment.label == label]
    strips = [
        _strip("base branch\nalone", "base", base, video, label, read_run(base.out).config),
        _strip("AMS: base", "base", ams, video, label, replace(config, localization=only_base)),
        _strip(
            "AMS:\nsupplementary", "supplementary", ams, video, label, replace(config, localization=only_supplementary)
        ),
        _strip("AMS: fused", "fused", ams, video, label, config),
        truth_strip(truth),
    ]
    title = f"{video.id}: {label}"
    draw_strips(path.with_suffix(""), title, strips, truth, video.timebase, formats=[path.suffix[1:]])
    return path


def _strip(name: str, kind: Kind, run: RunResult, video: Video, label: str, config: Config) -> Strip:
    """One CAS of a video, with the intervals that `amsx test` makes of it."""
    parts = [load_activations(run.out / stream / "activations.safetensors") for stream in run.streams]
    fused, timebases = fuse_streams(parts, config)
    index = parts[0].ids.index(video.id)
    begin = int(fused.lengths[:index].sum())
    rows = slice(begin, begin + int(fused.lengths[index]))
    alone = Activations(fused.cas[rows], fused.probs[[index]], fused.lengths[[index]])
    return cas_strip(name, kind, alone, parts[0].classes.index(label), timebases[index], config.localization)


def _example_video(videos: tuple[Video, ...]) -> Video:
    """The test video with the most instances, among those of one single class; the first of equals."""
    single = [video for video in videos if len(video.labels) == 1] or list(videos)
    return max(single, key=lambda video: len(video.segments))
