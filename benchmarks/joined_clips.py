"""Untrimmed videos with exact boundaries, made by joining short clips of single actions end to end.

CLIPS is a folder `<action>/<person>_<action>.avi`, as the Weizmann set is distributed. Every video joins a few clips of
one person, each of another action, so that its labels say less than its segments. The clips of training people occur in
several videos, in other company and order each time; those of test people occur in one video each.
"""

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

FPS = 25
CLIPS_A_VIDEO = 3  # at least; the clips left over go to the last videos
TRAINING_ROUNDS = 2  # how many videos of one person hold the same clip


@dataclass(frozen=True)
class JoinedVideo:
    """One video: its name, its subset ("train" or "test"), and the clips it joins."""

    id: str
    subset: str
    clips: tuple[Path, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(clip.parent.name for clip in self.clips)


def plan_videos(clips: Path, test_people: int = 3, seed: int = 0) -> list[JoinedVideo]:
    """Which clips are joined, drawn by `seed`; the last `test_people` people in alphabetical order are tested."""
    of_person: dict[str, list[Path]] = {}
    for clip in sorted(clips.glob("*/*.avi")):
        of_person.setdefault(clip.stem.split("_")[0], []).append(clip)
    if len(of_person) <= test_people:
        raise ValueError(
            f"{clips}: expected <action>/<person>_<action>.avi of over {test_people} people, found {len(of_person)}"
        )
    generator = random.Random(seed)
    videos = []
    for number, (person, own) in enumerate(sorted(of_person.items())):
        subset = "test" if number >= len(of_person) - test_people else "train"
        for turn in range(TRAINING_ROUNDS if subset == "train" else 1):
            for part, joined in enumerate(_parts(generator.sample(own, len(own)))):
                videos.append(JoinedVideo(f"{person}-{turn}-{part}", subset, tuple(joined)))
    return videos


def _parts(clips: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """The clips in parts of `CLIPS_A_VIDEO`, or one more."""
    count = max(1, len(clips) // CLIPS_A_VIDEO)
    bounds = [len(clips) * part // count for part in range(count + 1)]
    for begin, end in itertools.pairwise(bounds):
        yield clips[begin:end]


def write_set(clips: Path, out: Path, *, test_people: int = 3, seed: int = 0) -> list[JoinedVideo]:
    """Write `out`/videos/<id>.mp4, `out`/labels.csv, which holds no times, and `out`/ground_truth.json of the tests."""
    videos = plan_videos(clips, test_people, seed)
    (out / "videos").mkdir(parents=True, exist_ok=True)
    lines = ["video,labels,subset"]
    database = {}
    for video in videos:
        bounds = _join(video.clips, out / "videos" / f"{video.id}.mp4")
        lines.append(f"{video.id},{';'.join(sorted(video.labels))},{video.subset}")
        if video.subset == "test":
            segments = zip(video.labels, *zip(*itertools.pairwise(bounds), strict=True), strict=True)
            database[video.id] = {
                "subset": "test",
                "duration": bounds[-1],
                "annotations": [{"label": label, "segment": [begin, end]} for label, begin, end in segments],
            }
    (out / "labels.csv").write_text("\n".join(lines) + "\n")
    (out / "ground_truth.json").write_text(json.dumps({"database": database}))
    return videos


def _join(clips: Sequence[Path], path: Path) -> list[float]:
    """Write the frames of all clips into one video; the seconds where each begins, and where the last ends."""
    bounds, frames = [0.0], 0
    with av.open(str(path), "w") as container:
        stream: Any = None
        for clip in clips:
            with av.open(str(clip)) as source:
                for decoded in source.decode(video=0):
                    if stream is None:
                        stream = container.add_stream("libx264", rate=FPS, options={"crf": "15"})
                        stream.width, stream.height, stream.pix_fmt = decoded.width, decoded.height, "yuv420p"
                        stream.time_base = Fraction(1, FPS)
                    picture: Any = decoded.to_ndarray(format="rgb24")
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    frame.pts, frame.time_base = frames, Fraction(1, FPS)
                    container.mux(stream.encode(frame))
                    frames += 1
            bounds.append(frames / FPS)
        if stream is not None:
            container.mux(stream.encode())
    return bounds
