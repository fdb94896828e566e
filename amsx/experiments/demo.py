"""AMS beside its base branch alone, trained on a small synthetic set, and one picture that compares them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Video
from amsx.experiments.single_videos import cas_strip
from amsx.figures.strips import Kind, Strip, draw_strips, truth_strip
from amsx.localization.fusion import Activations
from amsx.locks import hold
from amsx.training.activations import load_activations
from amsx.training.config import Config, override
from amsx.training.presets import for_dataset
from amsx.training.run import RunResult, fuse_streams, train_run
from amsx.training.run_directory import read_run


@dataclass(frozen=True)
class DemoResult:
    """The demo's runs with their scores, and its picture."""

    base: RunResult  # of the base branch alone
    ams: RunResult  # of all of AMS
    picture: Path  # PNG


def run_demo(
    out: Path | str, *, seed: int = 0, progress: bool = True, say: Callable[[str], None] = print
) -> DemoResult:
    """Make the synthetic set and train both; writes the run directories `out`/base and `out`/ams and a picture.

    A demo that was killed continues from its last checkpoint.
    """
    out = Path(out)
    dataset = make_dataset(SyntheticConfig(seed=seed))
    train, test = dataset.subset("train"), dataset.subset("test")
    say(
        f"synthetic set: {len(train)} training and {len(test)} test videos, {len(dataset.classes)} classes, "
        f"streams {', '.join(dataset.stream_names)}"
    )
    config, notes = for_dataset(dataset)
    config = override(config, [f"optimization.seed={seed}"])
    for note in notes:
        say(note)

    def run(name: str, settings: tuple[str, ...]) -> RunResult:
        say(f"training {name} ...")
        return train_run(dataset, override(config, settings), out / name, resume=True, progress=progress, say=say)

    with hold(out, "amsx demo"):
        # The base branch on video labels and nothing else, for as many epochs as AMS trains its own.
        base = run("base", ("phases.branches=base", "phases.supervision=none"))
        ams = run("ams", ())
        picture = draw_runs(out / "localization.png", _example_video(test), base, ams)
        return DemoResult(base, ams, picture)


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
