"""Compiles the native sources for the tests: the CUDA files as C++, against the emulation header beside this file."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CSRC = HERE.parents[1] / "csrc"
COMPILER = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
KERNELS = sorted((CSRC / "cuda").glob("*.cu"))
TWINS = sorted((CSRC / "cpu").glob("*.cpp"))

# As the extension is built: neither side may contract a * b + c.
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", f"-I{CSRC}", "-pthread")
ADDRESS = ("-O0", "-g1", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
THREAD = ("-O0", "-g1", "-fsanitize=thread", "-DEMULATION_THREADS")

# No search for leaks: it takes ptrace, which containers often forbid, and the kernels allocate nothing by hand.
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


@dataclass(frozen=True)
class Unit:
    """One source file and the flags that it needs beside the common ones."""

    source: Path
    flags: tuple[str, ...] = ()


# Every kernel of both devices behind one main(). OpenMP without its library: openmp.cpp has what it takes.
DRIVER = [
    *map(Unit, KERNELS),
    *(Unit(twin, ("-fopenmp",)) for twin in TWINS),
    Unit(HERE / "driver.cpp"),
    Unit(HERE / "openmp.cpp"),
]


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = None if env is None else {**os.environ, **env}
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, env=environment)


def compiled(unit: Unit, folder: Path, flags: tuple[str, ...] = ()) -> Path:
    """The object file of one source."""
    out = folder / f"{unit.source.parent.name}_{unit.source.stem}.o"
    emulated = ("-x", "c++", f"-I{HERE}", "-include", "cuda_runtime.h") if unit.source.suffix == ".cu" else ()
    done = run(str(COMPILER), *FLAGS, *flags, *unit.flags, *emulated, "-c", unit.source, "-o", out)
    if done.returncode != 0:
        raise RuntimeError(f"{unit.source} does not compile:\n{done.stderr[-4000:]}")
    return out


def built(units: list[Unit], folder: Path, name: str, flags: tuple[str, ...] = ()) -> Path:
    """Compiles side by side and links to `folder / name`."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        objects = list(pool.map(lambda unit: compiled(unit, folder, flags), units))
    return linked(objects, folder / name, flags)


def linked(objects: list[Path], out: Path, flags: tuple[str, ...] = ()) -> Path:
    done = run(str(COMPILER), *objects, "-pthread", *(f for f in flags if not f.startswith("-D")), "-o", out)
    if done.returncode != 0:
        raise RuntimeError(f"{out.name} does not link:\n{done.stderr[-4000:]}")
    return out


def works(flags: tuple[str, ...], folder: Path) -> str | None:
    """Why a program with these flags cannot be built and run here; None if it can."""
    source = folder / "probe.cpp"
    source.write_text("int main() { return 0; }\n")
    done = run(str(COMPILER), *flags, source, "-o", folder / "probe")
    if done.returncode == 0:
        done = run(folder / "probe")
    return None if done.returncode == 0 else (done.stderr.strip() or f"exit status {done.returncode}")[-300:]
