"""What nvidia-smi says of the GPU while something runs there: clocks, temperature, power, and why it is slowed down."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FIELDS = {  # nvidia-smi's name -> ours
    "clocks.sm": "sm_mhz",
    "clocks.mem": "memory_mhz",
    "temperature.gpu": "celsius",
    "power.draw": "watts",
}
REASONS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")  # by newer drivers, and by older ones
BITS = {  # of those, as in nvml.h
    0x1: "idle",
    0x2: "application clocks",
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
    0x100: "display clocks",
}


@contextmanager
def watched(into: dict[str, Any], milliseconds: int = 500) -> Iterator[None]:
    """Ask nvidia-smi again and again while the block runs; at its end fill `into` with the extremes, or why not."""
    program = shutil.which("nvidia-smi")
    reasons = next((name for name in REASONS if program and _answers(program, name)), None)
    if program is None or reasons is None:
        into["absent"] = "no nvidia-smi on PATH" if program is None else "nvidia-smi does not tell why clocks are low"
        yield
        return
    query = f"--query-gpu={','.join([*FIELDS, reasons])}"
    with tempfile.TemporaryFile("w+") as lines:
        command = [program, "--id=0", query, "--format=csv,noheader,nounits", f"--loop-ms={milliseconds}"]
        process = subprocess.Popen(command, stdout=lines, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait()
            lines.seek(0)
            into.update(summary(lines.read()))


def summary(lines: str) -> dict[str, Any]:
    """The least and the greatest of each field over lines of nvidia-smi, and all reasons for low clocks among them."""
    samples: list[list[str]] = [[cell.strip() for cell in line.split(",")] for line in lines.splitlines()]
    samples = [cells for cells in samples if len(cells) == len(FIELDS) + 1]
    result: dict[str, Any] = {"samples": len(samples)}
    for i, name in enumerate(FIELDS.values()):
        values = [float(cells[i]) for cells in samples if _is_number(cells[i])]
        if values:
            result[name] = [min(values), max(values)]
    active = 0
    for cells in samples:
        active |= int(cells[-1], 16) if cells[-1].lower().startswith("0x") else 0
    result["slowed_by"] = [name for bit, name in BITS.items() if active & bit]
    return result


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:  # such as "[N/A]"
        return False
    return True


def _answers(program: str, field: str) -> bool:
    command = [program, "--id=0", f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip().lower().startswith("0x")
