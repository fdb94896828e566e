"""How long commands take to end after Ctrl-C: `python -m benchmarks.interrupts`.

Each command of `benchmarks.kills` runs once undisturbed, and `train` on wide features, too. Then it is begun again and
again, and gets SIGINT after a random time, in all of its processes, as a terminal sends it. The seconds until it has
ended are printed, and those of processor time that its main process still used: on a machine with a free core the two
are alike. A command must end with status 130, say how to go on, and leave no process behind; the exit status is 1 where
one does not. While Python still loads a command, or ends after it, the signal itself may end the process.
"""

import argparse
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kills import COMMANDS, LIMIT, POLL, Command, make_inputs

LOADED = 1.0  # seconds of processor time after which Python has loaded the command line
SHORT = [
    part
    for name in ("supplementary_epochs=1", "alternate_epochs=1", "iterations=1")
    for part in ("--set", f"phases.{name}")
]
WIDE = Command(
    "train-wide",
    lambda data, out: ["train", data / "wide", "--out", out, "--quiet", "--set", "phases.base_epochs=4", *SHORT],
)


@dataclass(frozen=True)
class End:
    """How a command ended that was interrupted."""

    after: float  # seconds from its start to the signal
    wall: float  # seconds from the signal to its end
    used: float  # seconds of processor time from the signal to its end, of its main process
    fault: str  # what was not as it should be


def main(arguments: Sequence[str] | None = None) -> int:
    """Interrupt the commands, and return 0 where all ended as they should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = (*COMMANDS, WIDE)
    names = [command.name for command in every]
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--times", type=int, default=5, help="interruptions of each command (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments (default %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="a line for every interruption, too")
    options = parser.parse_args(arguments)
    if unknown := set(options.commands) - set(names):
        parser.error(f"unknown command {sorted(unknown)[0]!r}; expected some of {', '.join(names)}")
    chosen = [command for command in every if command.name in (options.commands or names)]
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder, videos=any(command.name == "extract" for command in chosen))
        if WIDE in chosen:
            make = [sys.executable, "-m", "benchmarks.make_dataset", "thumos14", str(folder / "wide")]
            subprocess.run([*make, "--videos", "30", "--streams", "rgb"], check=True, stdout=subprocess.DEVNULL)
        for command in chosen:
            ends = interrupted(command, folder, options.times, options.seed)
            wall, used = [end.wall for end in ends], [end.used for end in ends]
            print(
                f"{command.name:<12}{len(ends):>3} times   by the clock {statistics.median(wall):.2f} s, at most "
                f"{max(wall):.2f} s   processor {statistics.median(used):.2f} s, at most {max(used):.2f} s",
                flush=True,
            )
            for end in ends:
                faults += bool(end.fault)
                if end.fault or options.verbose:
                    print(f"    after {end.after:.1f} s: {end.wall:.2f} s, {end.used:.2f} s  {end.fault}", flush=True)
    return 1 if faults else 0


def interrupted(command: Command, data: Path, times: int, seed: int) -> list[End]:
    """Interrupt a command so many times, each time in a new folder."""
    chance = random.Random(f"{seed} {command.name}")
    out = data / f"{command.name}-out"
    began = time.monotonic()
    process = _begin(command, data, out)
    if process.wait(LIMIT) != 0:
        raise RuntimeError(f"{command.name}: {_errors(data)}")
    seconds = time.monotonic() - began
    complete = _names(out)
    ends: list[End] = []
    while len(ends) < times:
        shutil.rmtree(out, ignore_errors=True)
        end = _interrupt(command, data, out, chance.uniform(0, seconds), complete)
        if end is not None:  # else it had ended before
            ends.append(end)
    shutil.rmtree(out, ignore_errors=True)
    return ends


def _begin(command: Command, data: Path, out: Path) -> "subprocess.Popen[bytes]":
    arguments = [str(argument) for argument in command.arguments(data, out)]
    with (data / "errors.txt").open("wb") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "amsx", *arguments],
            cwd=data,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs of a shell ignore it
        )


def _interrupt(command: Command, data: Path, out: Path, after: float, complete: set[Path]) -> End | None:
    process = _begin(command, data, out)
    time.sleep(after)
    before = _processor_time(process.pid)
    if process.poll() is not None:
        return None
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() - began > LIMIT:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(POLL)
    wall = time.monotonic() - began
    used = _processor_time(process.pid)  # it has ended, and is still in the table of processes
    status, errors = process.wait(), _errors(data)
    if status == 0 or (status == -signal.SIGINT and _names(out) >= complete):
        return None
    faults = []
    loading = before < LOADED
    if status != 130 and not (loading and status == -signal.SIGINT):
        faults.append(f"status {status}")
    if not loading and not re.search(r"interrupted; .*(again|goes on|nothing was written)", errors):
        faults.append(f"it said {errors[-200:]!r}")
    if _remains(process.pid):
        faults.append("a process was left behind")
        os.killpg(process.pid, signal.SIGKILL)
    return End(after, wall, used - before, "; ".join(faults))


def _remains(group: int) -> bool:
    """Whether a process of the group is still there after the time that one takes to notice its parent's end."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def _names(out: Path) -> set[Path]:
    return {path.relative_to(out) for path in out.rglob("*") if not path.name.startswith(".")}


def _errors(data: Path) -> str:
    return (data / "errors.txt").read_text(errors="replace")


def _processor_time(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
