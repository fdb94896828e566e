"""A run tested on another data set than the one it was trained on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from amsx.data.batching import FeatureSet
from amsx.data.layouts.shared.assembly import shortened
from amsx.data.videos import Dataset
from amsx.files import write_json
from amsx.inference import Part
from amsx.inference.model import load
from amsx.inference.sources import check_extractors, videos_of
from amsx.locks import hold
from amsx.training.activations import save_activations, save_input
from amsx.training.run import RunResult, check_values, test_run
from amsx.training.run_directory import RunDescription, describe_run, ground_truth, read_run


def test_on(
    run: Path | str,
    dataset: Dataset,
    *,
    overrides: Sequence[str] = (),
    part: Part = "test",
    out: Path | str | None = None,
    device: str = "cpu",
    backbone: type[nn.Module] | str | None = None,
) -> RunResult:
    """Test a run on the videos of another data set, `part` of them, and write what a test writes to `out`.

    `out` is then a folder like a run directory without checkpoints, which `amsx test` and `amsx report` read; the
    default is the folder tested/<name of the data set> of the run. `overrides` may change the sections localization and
    evaluation; `backbone` is that of `amsx.load`. ValueError where the data set does not have the run's streams, widths
    or extractors, where its videos have labels that are not among the run's classes, where it has no such videos, and
    where `out` holds something else.
    """
    run = Path(run)
    model = load(run, overrides=overrides, device=device, backbone=backbone)
    model.check_streams(dataset.dims, dataset.origin)
    if dataset.extraction is not None:
        check_extractors(model.extractors, dataset.extraction.streams, run, dataset.origin)
    videos = [replace(video, subset="test") for video in videos_of(dataset, part)]
    unknown = sorted({label for video in videos for label in video.labels} - set(model.classes))
    if unknown:
        raise ValueError(
            f"{dataset.origin}: {len(unknown)} labels of its {part} videos are no classes of {run} "
            f"({shortened(unknown)}); it can find {shortened(model.classes, 10)}"
        )
    tested = replace(dataset, videos=tuple(videos))
    check_values(tested, model.streams)
    described = _describe(tested, model.description)
    out = run / "tested" / _name(dataset) if out is None else Path(out)
    with hold(out, "amsx test"):
        if (out / "config.json").exists() and (changed := read_run(out).changes_to(described, "there")):
            raise ValueError(f"{out} holds something else ({'; '.join(changed)}); choose another folder with --out")
        write_json(out / "config.json", described.to_json())
        write_json(out / "ground_truth.json", ground_truth(videos))
        storage = model.config.optimization.storage
        for stream in model.streams:
            save_activations(out / stream / "activations.safetensors", model.stream_activations(stream, videos))
            save_input(
                out / stream / "input.safetensors", FeatureSet.load(videos, stream, model.classes, storage=storage)
            )
        return test_run(out)


def _describe(tested: Dataset, trained: RunDescription) -> RunDescription:
    """The description of the test: the other data, with the classes and the configuration of the run."""
    described = describe_run(tested, trained.data.streams, trained.config)
    return replace(described, data=replace(described.data, classes=trained.data.classes), stopping=trained.stopping)


def _name(dataset: Dataset) -> str:
    return dataset.layout if dataset.root is None else dataset.root.resolve().name
