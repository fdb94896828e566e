"""The embedded default: AMS beside its base branch alone on a small synthetic set, and one picture of what changed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Video
from amsx.figures.localization import Strip, draw_localization
from amsx.localization.detections import detect
from amsx.localization.fusion import Activations
from amsx.training.activations import load_activations
from amsx.training.config import Config, from_dict, override
from amsx.training.presets import for_dataset
from amsx.training.run import RunResult, fuse_streams, read_run, train_run


@dataclass(frozen=True)
class DemoResult:
    """Where the demo left its runs and its picture, and what they scored."""

    base: RunResult
    ams: RunResult
    picture: Path


def run_demo(
    out: Path | str, *, seed: int = 0, progress: bool = True, say: Callable[[str], None] = print
) -> DemoResult:
    """Make the synthetic set, train both, write `out`/{base,ams} (run directories) and `out`/localization.png.

    A demo that was killed continues where it stood.
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

    # The base branch on video labels and nothing else, for as many epochs as AMS trains its own.
    base = run("base", ("phases.branches=base", "phases.supervision=none"))
    ams = run("ams", ())
    picture = draw_runs(out / "localization.png", _telling_video(test), base, ams)
    return DemoResult(base, ams, picture)


def draw_runs(path: Path, video: Video, base: RunResult, ams: RunResult) -> Path:
    """The strips of one video's first label: base branch alone, then AMS's branches and both fused; streams fused."""
    label = video.labels[0]
    config = from_dict(read_run(ams.out)["config"])
    only = replace(config.localization, supplementary_weight=0.0)
    other = replace(config.localization, supplementary_weight=1.0)
    strips = [
        _strip("base branch\nalone", base, video, label, from_dict(read_run(base.out)["config"])),
        _strip("AMS: base", ams, video, label, replace(config, localization=only)),
        _strip("AMS:\nsupplementary", ams, video, label, replace(config, localization=other)),
        _strip("AMS: fused", ams, video, label, config),
    ]
    truth = [segment for segment in video.segments if segment.label == label]
    return draw_localization(path, f"{video.id}: {label}", strips, truth, video.timebase)


def _strip(name: str, run: RunResult, video: Video, label: str, config: Config) -> Strip:
    """One CAS of a video, with the intervals that `amsx test` makes from it."""
    parts = [load_activations(run.out / stream / "activations.safetensors") for stream in run.streams]
    fused = fuse_streams(parts, config)
    index = parts[0].ids.index(video.id)
    channel = parts[0].classes.index(label)
    begin = int(fused.lengths[:index].sum())
    cas = fused.cas[begin : begin + int(fused.lengths[index])]
    only = np.zeros_like(fused.probs[index : index + 1])
    only[0, channel] = 1.0  # the label is known here: draw it whether or not it was predicted
    alone = Activations(cas, only, fused.lengths[index : index + 1])
    options = replace(config.localization, class_threshold=1.0)
    detections = detect(alone, [video.id], parts[0].classes, [video.timebase], options)[video.id]
    intervals = [(d["segment"][0], d["segment"][1]) for d in detections]
    threshold = config.localization.threshold * float(cas[:, channel].mean(dtype=np.float64))
    return Strip(name, cas[:, channel], threshold, intervals)


def _telling_video(videos: tuple[Video, ...]) -> Video:
    """The test video with the most instances of one single class; the first of equals."""
    single = [video for video in videos if len(video.labels) == 1] or list(videos)
    return max(single, key=lambda video: len(video.segments))
