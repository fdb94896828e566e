"""Trains and tests every stream of a data set, and writes a run directory (see `amsx.training.run_directory`)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from amsx.data.batching import FeatureSet
from amsx.data.storage import storage_of
from amsx.data.value_check import broken_values
from amsx.data.videos import Dataset, Timebase, Video
from amsx.evaluation import Evaluation, evaluate
from amsx.evaluation.classification import Classification, ranked_ap
from amsx.evaluation.columns import listing
from amsx.evaluation.predictions import write_predictions
from amsx.evaluation.selection import Selection
from amsx.file_names import folder_name_fault
from amsx.files import read_json, remove_unfinished, write_json
from amsx.localization.degenerate import Coverage
from amsx.localization.detections import detect
from amsx.localization.fusion import FUSED, Activations, fuse
from amsx.localization.smoothing import smoothed
from amsx.locks import hold
from amsx.training import checkpoint
from amsx.training.activations import (
    StreamActivations,
    in_order,
    on_common_axis,
    save_activations,
    save_input,
    save_snapshot,
    video_activations,
)
from amsx.training.config import TRAINED, Config, differences, override
from amsx.training.epoch_log import LOG_FILE, TensorBoardLog, require_tensorboard, write_log
from amsx.training.phases import both_trained, snapshot_epochs
from amsx.training.ranks import Ranks, joined
from amsx.training.resume import refusal_to_resume
from amsx.training.retests import is_retest, retest_folder
from amsx.training.run_directory import (
    UNPLACED,
    ChosenEpoch,
    EpochsChosen,
    RunDescription,
    describe_run,
    ground_truth,
    read_activations,
    read_run,
)
from amsx.training.setup import check_backbone, choose_device
from amsx.training.stopping import CRITERIA, EpochChoice, Split, in_words, split
from amsx.training.trainer import Trainer

NO_STREAM = (FUSED, "tested")  # the view of all streams fused, and a folder of `amsx test` in a run, beside retests


@dataclass(frozen=True)
class RunResult:
    """The result of a test. Scores are None where no test video is annotated."""

    out: Path  # the folder that the result was written to
    metrics: Evaluation | None  # of all streams fused
    streams: dict[str, Evaluation | None]  # of each stream alone
    # Classification mAP (percent) of the fused category probabilities, where only the labels of test videos are known
    classification: float | None = None
    warnings: tuple[str, ...] = ()  # sentences on detections that localize nothing, and on what to try


def train_run(
    dataset: Dataset,
    config: Config,
    out: Path | str,
    *,
    streams: Sequence[str] | None = None,
    resume: bool = False,
    device: str | None = None,
    progress: bool = True,
    tensorboard: bool = False,
    after_epoch: Callable[[str, int], None] = lambda stream, epoch: None,
    say: Callable[[str], None] = print,
) -> RunResult:
    """Train each of `streams` (default: all) by itself, test the last epoch, and write a run directory to `out`.

    `resume=True` continues an interrupted run, which then has the result that it would have had without the
    interruption. `tensorboard=True` also writes the log as TensorBoard events. `after_epoch(stream, epoch)` is called
    with the finished epochs of a stream after each of them, and where the stream's training begins or goes on.
    FileExistsError where `out` already holds a run and `resume` is not set; FolderInUse where another process writes
    it. ValueError where a stream is unknown, where there are no training videos, where test videos have labels but
    none that is a class, where features of training or test videos cannot be used, where the run to resume has another
    configuration or other data, and where `tensorboard` is set but the package is not installed.

    Where `torchrun` started several processes that all call this, they train together: each computes on its share of
    every batch and tests its share of the videos. The first one writes, and all of them return the result.
    """
    if tensorboard:
        require_tensorboard()
    out = Path(out)
    names = chosen_streams(dataset, streams)
    test = dataset.subset("test")
    if not dataset.subset("train"):
        raise ValueError(f"{dataset.origin}: no training videos")
    _check_labels(dataset, test)
    parted = split(dataset, config.stopping)
    config.localization.stream_weights(names)  # so that a wrong name is an error before the training, not after it
    check_backbone([dataset.dims[name] for name in names], len(dataset.classes), config.model)
    described = describe_run(dataset, names, config)
    if parted.held:
        say(in_words(parted, config.stopping))
        described = replace(described, stopping=EpochsChosen(tuple(video.id for video in parted.held)))
    chosen_device = choose_device(device)

    def begin() -> None:
        if (out / "config.json").exists():
            if not resume:
                raise FileExistsError(f"{out} already holds a run; continue it (--resume), or choose another folder")
            if refusal := refusal_to_resume(out, read_run(out), described):
                raise ValueError(refusal)
        for name in names:
            storage_of(dataset.videos, name, config.optimization.storage, None)
        check_values(dataset, names, progress)
        remove_unfinished(out)
        write_json(out / "config.json", described.to_json())
        write_json(out / "ground_truth.json", ground_truth(test))

    with joined(chosen_device) as ranks, ExitStack() as held:
        ranks.require_same((described.to_json()["config"], [video.id for video in dataset.videos]), "settings or data")
        ranks.on_first(lambda: held.enter_context(hold(out, "amsx train")))
        ranks.on_first(begin)
        for name in names:
            trained = _train_stream(
                parted,
                test,
                dataset.classes,
                name,
                config,
                out / name,
                chosen_device,
                ranks,
                progress,
                tensorboard,
                after_epoch,
                say,
            )
            if trained.activations is not None:
                save_activations(out / name / "activations.safetensors", trained.activations)
            if described.stopping is not None and trained.chosen is not None:
                chosen = {**described.stopping.chosen, name: trained.chosen}
                described = replace(described, stopping=replace(described.stopping, chosen=chosen))
                if ranks.first:
                    write_json(out / "config.json", described.to_json())
        if not test:
            if ranks.first:
                say("no test videos: nothing was tested")
            return RunResult(out, None, dict.fromkeys(names))
        return ranks.on_first(lambda: test_run(out))


def _check_labels(dataset: Dataset, test: Sequence[Video]) -> None:
    """Raise ValueError where nothing that is learned could be scored, for the labels of training and test differ."""
    labels = sorted({label for video in test for label in video.labels})
    if labels and not set(labels) & set(dataset.classes):
        raise ValueError(
            f"{dataset.origin}: no class of the training videos is a label of a test video, so nothing could be "
            f"scored: the training videos have {listing(dataset.classes)}, the test videos {listing(labels)}; "
            "expected the same names in both"
        )


def test_run(
    run: Path | str,
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    *,
    name: str | None = None,
    say: Callable[[str], None] = print,
) -> RunResult:
    """Fuse, localize and score again from a run's saved activations, without features or model.

    `overrides` ("localization.beta=0.3") may change the sections localization and evaluation. The results are written
    to `out`. The default is the run directory, or where a setting is overridden a folder of the run for this retest,
    which no other one is written over: retest-<name>, or retest, retest-2, ... (`amsx.training.retests`). ValueError
    where `out` or the named folder holds something else.
    """
    run = Path(run)
    described = read_run(run)
    changed = localization_config(described, overrides)
    config = changed.config
    truth = read_json(run / "ground_truth.json")
    if not isinstance(truth, dict) or not isinstance(truth.get("database"), dict):
        raise ValueError(f"{run}/ground_truth.json was not written by amsx train; expected an object under 'database'")
    parts = read_activations(run, described.data.streams)
    if name is not None and (out is not None or config == described.config):
        raise ValueError("--name names a retest with other settings in the run; expected it with --set, without --out")
    there = False
    if out is not None:
        out = Path(out)
        held = read_run(out) if out.resolve() != run.resolve() and (out / "config.json").exists() else changed
        if other := held.changes_to(changed, "there"):
            raise ValueError(f"{out} holds something else ({'; '.join(other)}); choose another folder with --out")
    elif config != described.config:
        out, there = retest_folder(run, changed, name)
    else:
        out = run
    if there:
        say(f"{out} holds a retest with these settings already; it is made anew, from the run as it is")
    with hold(out, "amsx test"):
        if out.resolve() != run.resolve():
            write_json(out / "config.json", changed.to_json())
        streams = {part.stream: score([part], config, truth, out / part.stream) for part in parts}
        metrics = score(parts, config, truth, out)
        warnings = tuple(coverage(parts, config).warnings())
        write_json(out / "warnings.json", list(warnings))
        classification = None
        if truth.get(UNPLACED):
            classified = classify_by_labels(parts, config, truth)
            classification = classified.mean_ap
            write_json(out / "classification.json", classified.to_json())
        return RunResult(out, metrics, streams, classification, warnings)


def localization_config(described: RunDescription, overrides: Sequence[str]) -> RunDescription:
    """The description of a run with `overrides` in localization and evaluation; ValueError for other sections."""
    config = override(described.config, overrides)
    fixed = [line for line in differences(described.config, config) if line.split(".")[0] in TRAINED]
    if fixed:
        raise ValueError(
            "only the sections localization and evaluation can change after training; trained with and asked for were "
            + "; ".join(fixed)
        )
    return replace(described, config=config)


def score(
    parts: Sequence[StreamActivations], config: Config, truth: dict[str, Any], out: Path | None = None
) -> Evaluation | None:
    """Fuse streams (Eq. 12), localize and score; predictions.json and metrics.json are written to `out`, if given.

    None where no test video is annotated. Videos of which only the labels are known are not scored where others have
    segments. ValueError where the streams were tested on different videos or classes.
    """
    fused, timebases = fuse_streams(parts, config)
    detections = detect(fused, parts[0].ids, parts[0].classes, timebases, config.localization)
    metrics = None
    if any(entry["annotations"] for entry in truth["database"].values()):
        placed = Selection(exclude=tuple(truth.get(UNPLACED, ())))
        metrics = evaluate(detections, truth, config.evaluation.protocol, config.evaluation.tiou, selection=placed)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_predictions(out / "predictions.json", detections)
        if metrics is not None:
            write_json(out / "metrics.json", metrics.to_json())
    return metrics


def coverage(parts: Sequence[StreamActivations], config: Config) -> Coverage:
    """How many detections of all streams fused there are, and how many of them cover their whole video."""
    fused, timebases = fuse_streams(parts, config)
    detections = detect(fused, parts[0].ids, parts[0].classes, timebases, config.localization)
    return Coverage.of_videos(detections, fused.lengths, timebases)


def classify_by_labels(parts: Sequence[StreamActivations], config: Config, truth: Mapping[str, Any]) -> Classification:
    """How well the fused category probabilities rank the test videos by each class, where their labels are known.

    Videos without a label are left out, of which nobody may have said what they show, and so is a class that none of
    the others has.
    """
    fused, _ = fuse_streams(parts, config)
    ids, classes = parts[0].ids, parts[0].classes
    labels = {name: {a["label"] for a in entry["annotations"]} for name, entry in truth["database"].items()}
    labels |= {name: set(names) for name, names in truth.get(UNPLACED, {}).items()}
    positive = np.array([[label in labels.get(name, ()) for label in classes] for name in ids], dtype=bool)
    known_rows = np.array([bool(labels.get(name)) for name in ids])
    ap = 100 * ranked_ap(fused.probs[known_rows], positive[known_rows])
    known = {label: float(value) for label, value in zip(classes, ap, strict=True) if not np.isnan(value)}
    return Classification(float(np.mean(list(known.values()))) if known else float("nan"), known)


def fuse_streams(parts: Sequence[StreamActivations], config: Config) -> tuple[Activations, tuple[Timebase, ...]]:
    """The activations that detections are made from, and where each video's snippets lie in time.

    They are fused over each stream's branches, then over the streams (Eq. 12) that have a weight, on the time axis of
    the stream with the shortest snippets (`amsx.localization.common_axis`), and then smoothed over time as
    `localization.smoothing` says.
    """
    weights = config.localization.stream_weights([part.stream for part in parts])
    weighed = [(part, weight) for part, weight in zip(parts, weights, strict=True) if weight]
    aligned = on_common_axis([part for part, _ in weighed])
    fused = [part.fused(config.localization.supplementary_weight) for part in aligned]
    finished = smoothed(fuse(fused, [weight for _, weight in weighed]), config.localization.smoothing)
    return finished, aligned[0].timebases


def chosen_streams(dataset: Dataset, streams: Sequence[str] | None) -> list[str]:
    """The names in `streams` (default: all) in their customary order.

    ValueError for an unknown name, and for one that cannot be the name of a stream's folder in a run.
    """
    known = dataset.stream_names
    for name in known:
        fault = (
            f"{name!r} is what amsx calls another folder"
            if name in NO_STREAM or is_retest(name)
            else folder_name_fault(name)
        )
        if fault:
            raise ValueError(f"stream {name!r} of {dataset.origin} cannot have a folder of its name: {fault}")
    for name in streams or ():
        if name not in known:
            raise ValueError(f"unknown stream {name!r}; the data has {', '.join(known)}")
    return [name for name in known if streams is None or name in streams]


def check_values(dataset: Dataset, streams: Sequence[str], progress: bool = True) -> None:
    """ValueError where features hold values that cannot be used, so that no run stops at them after hours.

    Files that were found good before are not read again, see `amsx.data.value_check`.
    """
    broken = broken_values(dataset, streams, remembered=True, progress=progress)
    if broken:
        where, what = next(iter(broken.items()))
        more = f", and of {len(broken) - 1} more" if len(broken) > 1 else ""
        raise ValueError(f"features of {where} cannot be used: {what}{more} (`amsx data` lists them)")


def stream_activations(trainer: Trainer, videos: Sequence[Video]) -> StreamActivations:
    """The activations of `videos` by a trainer's present model, see `video_activations`."""
    return video_activations(
        trainer.model,
        videos,
        stream=trainer.stream,
        classes=trainer.classes,
        config=trainer.config,
        epoch=trainer.epoch,
    )


def epoch_measure(videos: Sequence[Video], config: Config) -> Callable[[StreamActivations], float]:
    """The criterion of `config.stopping` for the activations of `videos` from one stream, percent."""
    truth = ground_truth(videos)

    def measure(activations: StreamActivations) -> float:
        if config.stopping.on == "labels":
            return classify_by_labels([activations], config, truth).mean_ap
        metrics = score([activations], config, truth)
        if metrics is None:
            raise ValueError("no held-out training video has a segment")  # `split` has made sure that one has
        return metrics.average

    return measure


@dataclass(frozen=True)
class _Trained:
    """What becomes of a stream's training."""

    activations: StreamActivations | None  # of the test videos; None: there are none
    chosen: ChosenEpoch | None  # None: the last epoch is kept


def _train_stream(
    parted: Split,
    test: Sequence[Video],
    classes: Sequence[str],
    stream: str,
    config: Config,
    folder: Path,
    device: torch.device,
    ranks: Ranks,
    progress: bool,
    tensorboard: bool,
    after_epoch: Callable[[str, int], None],
    say: Callable[[str], None],
) -> _Trained:
    """Train one stream, from its last checkpoint if there is one, and test the model that is kept.

    The activations are None on all ranks but the first.
    """
    features = FeatureSet.load(parted.train, stream, classes, storage=config.optimization.storage)
    if features.note and ranks.first:
        say(f"{stream}: {features.note}")
    trainer = Trainer(
        features,
        config,
        stream=stream,
        classes=classes,
        device=device,
        progress=progress,
        ranks=ranks,
    )
    path = folder / "checkpoint.safetensors"
    saved = ranks.on_first(lambda: checkpoint.load(path, kind="checkpoint") if path.exists() else None)
    if saved is not None:
        trainer.restore(*saved)
        if ranks.first:
            write_log(folder / LOG_FILE, trainer.history)  # a run killed after a checkpoint has not logged its epoch
            say(f"{stream}: resumed after epoch {trainer.epoch}")

    choice = EpochChoice(parted.held, trainer, folder, epoch_measure(parted.held, config))
    # Snapshots are of the iterations that made the model, which an epoch that is chosen need not be the last of.
    ends = {} if parted.held else snapshot_epochs(trainer.phases)
    logged = tensorboard and ranks.first
    with TensorBoardLog(folder / "tensorboard", trainer.history) if logged else nullcontext() as events:

        def save_state(trainer: Trainer) -> None:
            choice.after_epoch(trainer)
            # The snapshot is written before the checkpoint, so that a run killed between the two writes it again.
            snapshot = _test_activations(trainer, test, ranks) if test and trainer.epoch in ends else None
            if not ranks.first:
                return
            if snapshot is not None:
                if not both_trained(trainer.phases, trainer.epoch):
                    snapshot = replace(snapshot, supplementary=None)
                save_snapshot(folder, ends[trainer.epoch], snapshot)
            checkpoint.save(path, *trainer.state(), kind="checkpoint")
            write_log(folder / LOG_FILE, trainer.history)
            if events is not None:
                events.add(trainer.history[-1])
            after_epoch(stream, trainer.epoch)

        if ranks.first:
            after_epoch(stream, trainer.epoch)
        trainer.train(after_epoch=save_state, stop=choice.stop)
    best, trained = choice.take(trainer), trainer.epoch
    chosen = None
    if best is not None and best.validation is not None:
        chosen = ChosenEpoch(best.epoch, trained, best.validation)
        trainer.epoch = best.epoch
        if ranks.first:
            by = f"{CRITERIA[config.stopping.on]} {best.validation:.1f}"
            say(f"{stream}: epoch {best.epoch} of {trained} chosen, {by}")
    if not test:
        return _Trained(None, chosen)
    if ranks.first:
        test_features = FeatureSet.load(test, stream, classes, storage=config.optimization.storage)
        save_input(folder / "input.safetensors", test_features)
    return _Trained(_test_activations(trainer, test, ranks), chosen)


def _test_activations(trainer: Trainer, videos: Sequence[Video], ranks: Ranks) -> StreamActivations | None:
    """The activations of `videos`, of which each rank computes a share, on the first rank; None on the others."""
    sampler = trainer.model.sampler
    if ranks.count == 1 or (sampler is not None and sampler.draws):  # what is drawn depends on the videos of a batch
        return stream_activations(trainer, videos) if ranks.first else None
    own = videos[ranks.rank :: ranks.count]
    parts = ranks.gather(stream_activations(trainer, own) if own else None)
    return None if parts is None else in_order([part for part in parts if part is not None], [v.id for v in videos])
