"""Commands that are killed at random moments and run again: `python -m benchmarks.kills`.

Each command runs once undisturbed. Then it is begun in a new folder, killed by SIGKILL, run again in the same words,
killed again, and so on, until it is left to end. What it wrote must be what the undisturbed run wrote: tensors,
features and detections to the bit, records but for the times that they hold. Every other kill comes after a random
time, the others after a random number of changes in the folder, so that many fall between two writes. Every third kill
ends the main process alone, as the kernel does where memory runs out; the others end its workers with it. With
`--signal INT` they are interrupted instead, as by Ctrl-C, and with `--signal TERM` ended as by a cluster.

The data are a small synthetic set and short videos, which the script makes. It prints a line for each command, and ends
with status 1 where a result differs.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from amsx.data.convert import convert
from amsx.data.synthetic import StreamConfig, SyntheticConfig, make_dataset
from amsx.files import is_hidden

SHORT = (
    "model.hidden=16",
    "phases.base_epochs=6",
    "phases.supplementary_epochs=3",
    "phases.alternate_epochs=2",
    "phases.iterations=2",
)
LIMIT = 600.0  # seconds that one run of a command may take
POLL = 0.005  # seconds between two looks at the folder
TIMES = ("seconds", "trial")  # keys of values that two runs differ in; a trial that was killed keeps its number


@dataclass(frozen=True)
class Command:
    """A command whose results are compared."""

    name: str
    arguments: Callable[[Path, Path], Sequence[Any]]  # of the folder with data and of OUT
    once: bool = False  # OUT appears when it is done, and then the command refuses to write there again


COMMANDS = (
    Command("train", lambda data, out: ["train", data / "set", "--out", out, "--resume", "--quiet", *_settings()]),
    Command(
        "reproduce",
        lambda data, out: [
            *("reproduce", data / "set", "--out", out, "--table", 3, "--row", "A", "--row", "F", "--seeds", 1),
            *("--jobs", 2, "--stream", "rgb", "--quiet", *_settings()),
        ],
    ),
    Command("convert", lambda data, out: ["convert", data / "set", out, "--to", "bas_net"], once=True),
    Command(
        "extract",
        lambda data, out: [
            "extract",
            data / "videos",
            "--out",
            out,
            "--extractor",
            "motion",
            "--workers",
            2,
            "--quiet",
        ],
    ),
    Command(
        "tune",
        lambda data, out: [
            *("tune", data / "set", "--out", out, "--trials", 2, "--jobs", 1, "--stream", "rgb", "--quiet"),
            *_settings(),
        ],
    ),
)


@dataclass(frozen=True)
class Tally:
    """What became of one command."""

    name: str
    kills: int  # runs that were killed
    ended: int  # runs that had ended before the kill came
    left: tuple[str, ...]  # unfinished files that are still there at the end
    differences: tuple[str, ...]  # files that are not what the undisturbed run wrote

    def __str__(self) -> str:
        verdict = "differs" if self.differences else "the same result"
        more = "".join(f"\n    {line}" for line in [*self.differences, *(f"left behind: {each}" for each in self.left)])
        return f"{self.name:<12}{self.kills:>4} kills{self.ended:>4} came too late   {verdict}{more}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill the commands, print what became of each, and return 0 where every result is the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [command.name for command in COMMANDS]
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--kills", type=int, default=10, help="of each command (default %(default)s)")
    parser.add_argument("--in-a-row", type=int, default=3, help="kills before a run may end (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (default %(default)s)")
    parser.add_argument("--signal", choices=("KILL", "INT", "TERM"), default="KILL", help="default: %(default)s")
    options = parser.parse_args(arguments)
    if unknown := set(options.commands) - set(names):
        parser.error(f"unknown command {sorted(unknown)[0]!r}; expected some of {', '.join(names)}")
    chosen = [command for command in COMMANDS if command.name in (options.commands or names)]
    with tempfile.TemporaryDirectory() as folder:
        make_inputs(Path(folder), videos=any(command.name == "extract" for command in chosen))
        tallies, sent = [], signal.Signals[f"SIG{options.signal}"]
        for command in chosen:
            tallies.append(endure(command, Path(folder), options.kills, options.in_a_row, options.seed, sent))
            print(tallies[-1], flush=True)
    print(f"{sum(tally.kills for tally in tallies)} kills in all")
    return 1 if any(tally.differences for tally in tallies) else 0


def make_inputs(folder: Path, *, videos: bool = True) -> None:
    """Write a small data set, and short videos for `extract`."""
    streams = {"rgb": StreamConfig(dim=16), "flow": StreamConfig(dim=16)}
    small = SyntheticConfig(classes=3, train_videos=24, test_videos=8, length=(30, 50), streams=streams)
    convert(make_dataset(small), folder / "set", "bas_net")
    if videos:
        (folder / "videos").mkdir()
        for number in range(8):
            write_video(folder / "videos" / f"clip{number}.mp4", number)


def endure(
    command: Command,
    data: Path,
    kills: int,
    in_a_row: int,
    seed: int,
    sent: signal.Signals = signal.SIGKILL,
) -> Tally:
    """Kill a command `kills` times, `in_a_row` of them before each run that may end, and compare what it wrote.

    `sent` is the signal that kills it.
    """
    chance = random.Random(f"{seed} {command.name}")
    calm = data / f"{command.name}-undisturbed"
    began = time.monotonic()
    with Watch(calm) as watch:
        process = _begin(command, data, calm)
        while process.poll() is None:
            watch.look()
            time.sleep(POLL)
    _expect_success(process, command)
    seconds, changes = time.monotonic() - began, watch.changes
    expected = contents(calm)
    done = late = 0
    differences: list[str] = []
    left: list[str] = []
    while done < kills and not differences:
        out = data / f"{command.name}-killed"
        for _ in range(min(in_a_row, kills - done)):
            by_clock, alone = done % 2 == 0, done % 3 == 2
            after = chance.uniform(0, seconds) if by_clock else chance.uniform(1, max(2, changes))
            killed = not (command.once and out.exists()) and _kill(command, data, out, after, by_clock, alone, sent)
            done, late = done + killed, late + (not killed)
        if not (command.once and out.exists()):
            _expect_success(_begin(command, data, out), command)
        differences += difference(expected, contents(out))
        left += [str(path.relative_to(data)) for path in _unfinished(data)]
        for path in (out, *_unfinished(data)):
            shutil.rmtree(path, ignore_errors=True)
    return Tally(command.name, done, late, tuple(left), tuple(differences))


def contents(folder: Path) -> dict[str, str]:
    """File -> a digest of what it says, of all files that are no records of times, locks or databases."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or is_hidden(path.name) or path.suffix in (".lock", ".log") or path.name[0] == ".":
            continue
        content = path.read_bytes()
        if path.suffix in (".json", ".jsonl"):
            text = content.decode("utf-8")
            content = _timeless(
                [json.loads(line) for line in (text.splitlines() if path.suffix == ".jsonl" else [text])]
            )
        elif path.suffix == ".safetensors":
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            own = {key: json.loads(value) for key, value in header.pop("__metadata__", {}).items()}
            content = _timeless([header, own]) + content[8 + length :]
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """A line for every file that is missing, new or not the same."""
    lines = [f"{name}: missing" for name in expected if name not in found]
    lines += [f"{name}: not there in the undisturbed run" for name in found if name not in expected]
    return lines + [f"{name}: not the same" for name in found if expected.get(name, found[name]) != found[name]]


class Watch:
    """Counts the changes in a folder and in those below it: files that come, go or are written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changes = 0
        self._seen: dict[str, int] = {}

    def __enter__(self) -> "Watch":
        self.look()
        self.changes = 0
        return self

    def __exit__(self, *_: object) -> None:
        self.look()

    def look(self) -> int:
        """The changes that were seen so far, with those since the last look."""
        present = dict(_files(self.folder))
        present |= {name: when for beside in _unfinished(self.folder.parent) for name, when in _files(beside)}
        self.changes += len(present.items() ^ self._seen.items())
        self._seen = present
        return self.changes


def _kill(
    command: Command, data: Path, out: Path, after: float, by_clock: bool, alone: bool, sent: signal.Signals
) -> bool:
    """Begin the command, and kill it after so many seconds or changes; False where it came to its end."""
    began = time.monotonic()
    with Watch(out) as watch:
        process = _begin(command, data, out)
        while process.poll() is None:
            if time.monotonic() - began > LIMIT:
                os.killpg(process.pid, signal.SIGKILL)
                raise RuntimeError(f"{command.name} did not end in {LIMIT:.0f} s")
            if (time.monotonic() - began if by_clock else watch.look()) >= after:
                process.send_signal(sent) if alone else os.killpg(process.pid, sent)
                process.communicate(timeout=LIMIT)
                return process.returncode != 0
            time.sleep(POLL)
    _expect_success(process, command)
    return False


def _begin(command: Command, data: Path, out: Path) -> "subprocess.Popen[str]":
    arguments = [str(argument) for argument in command.arguments(data, out)]
    return subprocess.Popen(
        [sys.executable, "-m", "amsx", *arguments],
        cwd=data,  # not the checkout, whose amsx/ would hide the installed one
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs of a shell ignore it
    )


def _expect_success(process: "subprocess.Popen[str]", command: Command) -> None:
    errors = process.communicate(timeout=LIMIT)[1]
    if process.returncode:
        raise RuntimeError(f"{command.name} ended with status {process.returncode}: {errors.strip()[-2000:]}")


def _unfinished(folder: Path) -> list[Path]:
    """Files and folders below `folder` that a killed process had begun."""
    return [path for path in _below(folder) if path.name.endswith(".partial") or ".partial." in path.name]


def _below(folder: Path) -> Iterator[Path]:
    """All files and folders below `folder`, some of which may be gone again."""
    for root, folders, files in os.walk(folder):
        yield from (Path(root, name) for name in (*folders, *files))


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    for path in _below(folder):
        with contextlib.suppress(OSError):  # it may be gone again
            yield str(path), path.stat().st_mtime_ns


def _timeless(values: Any) -> bytes:
    return json.dumps(_without_times(values), sort_keys=True).encode()


def _without_times(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _without_times(value) for key, value in values.items() if key not in TIMES}
    return [_without_times(value) for value in values] if isinstance(values, list) else values


def _settings() -> list[str]:
    return [part for setting in SHORT for part in ("--set", setting)]


def write_video(path: Path, number: int, *, frames: int = 100, codec: str = "mpeg4") -> None:
    """Write a short video of noise that moves, drawn by `number`."""
    import av

    noise = np.random.default_rng(number)
    picture = noise.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, index * (1 + number % 3), axis=1), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    sys.exit(main())
