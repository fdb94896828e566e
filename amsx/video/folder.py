"""Extracts the features of many videos into a folder that `amsx train` reads, in several processes; resumable."""

import multiprocessing
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from amsx.data.extraction_record import ExtractedVideoRecord, ExtractionRecord, feature_file, write_video_record
from amsx.files import remove_unfinished, written_whole
from amsx.locks import hold
from amsx.processes import end_with_parent, stop, unmoved_by_interrupts
from amsx.system_errors import in_words
from amsx.video.extraction import describe, extract_video
from amsx.video.extractors import Extractor, make_extractor
from amsx.video.flow import FlowSettings
from amsx.video.snippets import FPS, STRIDE


@dataclass(frozen=True)
class StreamPlan:
    """The extractor of a stream: its name, and settings as `make_extractor` takes them."""

    extractor: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExtractionPlan:
    """How every video is extracted."""

    streams: Mapping[str, StreamPlan]
    fps: float = FPS
    stride: int = STRIDE
    flow: FlowSettings = field(default_factory=FlowSettings)
    device: str = "cpu"

    def build(self) -> dict[str, Extractor]:
        """The extractors; ValueError and RuntimeError as from `make_extractor`."""
        return {name: make_extractor(plan.extractor, plan.settings, self.device) for name, plan in self.streams.items()}


@dataclass(frozen=True)
class Outcome:
    """What became of one video."""

    id: str
    path: Path
    record: ExtractedVideoRecord | None  # None: it failed
    error: str = ""  # why it failed
    stage_seconds: Mapping[str, float] = field(default_factory=dict)  # stage -> time it took
    done_before: bool = False  # whether its features were there already


def extract_folder(
    files: Mapping[str, Path],
    out: Path,
    plan: ExtractionPlan,
    *,
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> Generator[Outcome, None, None]:
    """Extract the videos id -> file into the folder `out`, and yield what became of each as soon as it is known.

    A video whose features are there already is not read again, so that a killed extraction goes on with the same
    command. A file that cannot be read does not stop the others. ValueError where `out` was extracted with other
    settings; FolderInUse where another process extracts into it; errors of the extractors as in `make_extractor`.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    asked = describe(plan.build(), plan.fps, plan.stride, plan.flow)
    with hold(out, "amsx extract"):
        before = ExtractionRecord.read(out)
        if before is None:
            asked.begin(out)
        elif different := before.differences(asked):
            raise ValueError(
                f"{out} holds features that were extracted with other settings, so these cannot be added to it; its "
                f"own and the new ones are {'; '.join(different)}"
            )
        remove_unfinished(out)
        todo = {}
        for name, path in files.items():
            record = before.videos.get(name) if before is not None else None
            if record is not None and all(feature_file(out, stream, name).is_file() for stream in plan.streams):
                yield Outcome(name, path, record, done_before=True)
            else:
                todo[name] = path
        yield from _in_processes(todo, out, plan, min(workers, max(1, len(todo))), say)


def _in_processes(
    todo: Mapping[str, Path], out: Path, plan: ExtractionPlan, workers: int, say: Callable[[str], None]
) -> Iterator[Outcome]:
    """Work through `todo`. Of the files that were being read when a process died, each is tried once more, alone."""
    waiting = list(todo.items())
    suspects: list[tuple[str, Path]] = []
    while waiting or suspects:
        alone = not waiting
        batch, size = (suspects[:1], 1) if alone else (waiting, workers)
        begun: dict[Future[Outcome], tuple[str, Path]] = {}
        others = set(multiprocessing.active_children())
        with _pool(plan, size) as pool:
            rest = iter(batch)
            try:
                for _ in range(2 * size):
                    _submit(pool, rest, begun, out)
                while begun:
                    for future in wait(begun, return_when=FIRST_COMPLETED).done:
                        yield future.result()
                        del begun[future]
                        _submit(pool, rest, begun, out)
                waiting, suspects = (waiting, suspects[1:]) if alone else ([], suspects)
            except BrokenProcessPool:
                unfinished = list(begun.values())
                if alone:
                    name, path = suspects.pop(0)
                    yield Outcome(name, path, None, "reading it ended the process that read it")
                else:
                    say(f"a process died; the {len(unfinished)} files it may have been reading are tried again alone")
                    suspects += unfinished
                    waiting = list(rest)
            except BaseException:  # an interrupt, or nobody wants the rest: the videos at work are not waited for
                stop(set(multiprocessing.active_children()) - others)
                raise


def _submit(
    pool: ProcessPoolExecutor,
    rest: Iterator[tuple[str, Path]],
    begun: dict["Future[Outcome]", tuple[str, Path]],
    out: Path,
) -> None:
    item = next(rest, None)
    if item is None:
        return
    with unmoved_by_interrupts():
        begun[pool.submit(_extract_one, *item, out)] = item


_worker: tuple[ExtractionPlan, dict[str, Extractor]] | None = None  # in a process of the pool: what it extracts with


def _pool(plan: ExtractionPlan, size: int) -> ProcessPoolExecutor:
    threads = max(1, torch.get_num_threads() // size)
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(size, mp_context=context, initializer=_begin, initargs=(plan, threads))


def _begin(plan: ExtractionPlan, threads: int) -> None:
    global _worker
    end_with_parent()
    torch.set_num_threads(threads)
    try:
        import cv2

        cv2.setNumThreads(threads)
    except ModuleNotFoundError:  # no stream of optical flow
        pass
    _worker = (plan, plan.build())


def _extract_one(name: str, path: Path, out: Path) -> Outcome:
    assert _worker is not None  # `_begin` ran
    plan, extractors = _worker
    try:
        video = extract_video(path, extractors, fps=plan.fps, stride=plan.stride, flow=plan.flow)
    except (ValueError, RuntimeError, MemoryError, OSError) as error:
        reason = in_words(error) if isinstance(error, OSError) else str(error)
        return Outcome(name, path, None, reason or type(error).__name__)
    began = time.perf_counter()
    for stream, rows in video.streams.items():
        with written_whole(feature_file(out, stream, name)) as temporary:
            np.save(temporary, rows)
    record = video.record(path)
    write_video_record(out, name, record)
    return Outcome(name, path, record, "", {**video.stage_seconds, "write": time.perf_counter() - began})


def total_stages(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Stage -> the seconds that all videos together took in it."""
    total: dict[str, float] = {}
    for outcome in outcomes:
        for stage, seconds in outcome.stage_seconds.items():
            total[stage] = total.get(stage, 0.0) + seconds
    return total
