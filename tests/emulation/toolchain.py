"""Compiles the native sources for the tests: the CUDA files as C++, against the emulation header beside this file."""

import os
import re
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
THREAD = ("-O0", "-g1", "-fsanitize=thread")

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
    Unit(HERE / "driver.cpp", (f"-I{HERE}",)),
    Unit(HERE / "openmp.cpp"),
]


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = None if env is None else {**os.environ, **env}
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=300, env=environment)


# `__shared__ T x[n];`, with `extern` before it or `alignas(..)` behind it, and the head of a kernel with launch bounds.
_SHARED = re.compile(
    r"(extern )?__shared__ (?:alignas\(([^()]+)\) )?((?:[^;=,\[\]<>]|<[^;=<>]*>)+?) (\w+)((?:\[[^\]]*\])*);"
)
_BOUNDS = re.compile(r"__launch_bounds__\(((?:[^()]|\([^()]*\))*)\)(\s+\w+\([^()]*\)\s*\{)")


def translated(text: str, path: Path) -> str:
    """CUDA source as C++ for the emulation, of the same lines. RuntimeError where it would not understand."""

    def shared(match: re.Match[str]) -> str:
        dynamic, alignment, kind, name, bounds = match.groups()
        if dynamic:
            return f"{kind}* const {name} = emulation::dynamic_shared<{kind}>({alignment or ''});"
        return f"auto& {name} = emulation::shared<{kind}{bounds}>([] {{}}{', ' + alignment if alignment else ''});"

    text = _SHARED.sub(shared, text)
    text = _BOUNDS.sub(r"\2 emulation::launch_bounds(\1);", text)
    for number, line in enumerate(text.splitlines(), 1):
        if "__shared__" in line or "__launch_bounds__" in line:
            raise RuntimeError(f"{path}:{number}: the emulation does not understand {line.strip()!r}")
    return f'#line 1 "{path}"\n{text}'


def emulated(source: Path, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The translation of a .cu file with the .cuh files beside it, and the flags to compile it with."""
    folder.mkdir(exist_ok=True)
    for path in (source, *source.parent.glob("*.cuh")):
        (folder / path.name).write_text(translated(path.read_text(), path))
    # "../rows_at.h" and "launch.h" are found beside the original.
    return folder / source.name, ("-x", "c++", f"-I{source.parent}", f"-I{HERE}", "-include", "cuda_runtime.h")


def compiled(unit: Unit, folder: Path, flags: tuple[str, ...] = ()) -> Path:
    """The object file of one source."""
    out = folder / f"{unit.source.parent.name}_{unit.source.stem}.o"
    source, own = unit.source, unit.flags
    if source.suffix == ".cu":
        source, translation = emulated(source, out.with_suffix(""))
        own = (*translation, *own)
    done = run(str(COMPILER), *own, *FLAGS, *flags, "-c", source, "-o", out)
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
