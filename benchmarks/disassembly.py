"""Compiles CUDA sources for one architecture and reads what came out: registers, spills and instructions.

It takes nvcc and nvdisasm (the package nvidia-cuda-nvdisasm, or the CUDA toolkit), and no GPU.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import ROOT
from benchmarks.control_flow import Block, Flow, Instruction

SOURCES = ROOT / "csrc" / "cuda"
# As CMakeLists.txt compiles them.
FLAGS = ("-std=c++17", "-O3", "--fmad=false", "--expt-relaxed-constexpr")
_TYPES = {"f": "float32", "d": "float64", "NS_8BFloat16E": "bfloat16", "NS_4HalfE": "float16"}
_ENTRY = re.compile(r"\d([a-z][a-z_]*_kernel)(?:I((?:[fd]|NS_\d+\w+?E)+)(?:Li(\d+)E)*E)?(?=E|v)")
_LINE = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:(@!?U?P\w+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;")
_LABEL = re.compile(r"^([.$\w]+):\s*$")


class NoToolError(Exception):
    """A tool is missing, or does not compile for that architecture."""


@dataclass(frozen=True)
class Kernel:
    """One kernel of the machine code of one architecture."""

    name: str  # gather_kernel<bfloat16, 8>: the element type, and how many elements are moved at a time
    architecture: int  # 90 for sm_90
    registers: int  # of a thread
    spilled: int  # bytes of stores and loads of spilled registers, and of stack
    shared: int  # bytes of static shared memory of a block
    blocks: tuple[Block, ...]  # the control flow, without the subroutines that the compiler adds

    def _accesses(self) -> list[Instruction]:
        """The accesses to global memory in loops: they move rows, or read timestamps."""
        looped = [b for b in self.blocks if b.index in self.flow.depth]
        inside = [i for b in looped for i in b.instructions]
        return [i for i in inside if i.opcode.startswith(("LDG", "STG"))]

    @property
    def wide_share(self) -> float | None:
        """The share of 128-bit accesses among those to global memory in loops; None where there are none."""
        accesses = self._accesses()
        return sum(".128" in i.opcode for i in accesses) / len(accesses) if accesses else None

    @cached_property
    def flow(self) -> Flow:
        return Flow(self.blocks)


def nvcc() -> str | None:
    return _tool("nvcc")


def nvdisasm() -> str | None:
    return _tool("nvdisasm")


def _tool(name: str) -> str | None:
    """Where a program of the CUDA toolkit is: on PATH, in the toolkit, or in a package of NVIDIA's on PyPI."""
    roots = [Path(root, "bin") for root in (os.environ.get("CUDA_HOME"), "/usr/local/cuda") if root]
    packages = importlib.util.find_spec("nvidia")
    for folder in packages.submodule_search_locations or () if packages else ():
        roots += sorted(Path(folder).glob("*/bin"))
    return shutil.which(name) or next((path for root in roots if (path := shutil.which(name, path=str(root)))), None)


def missing_tool() -> str | None:
    """What is missing, in words; None where nothing is."""
    if nvcc() is None:
        return "no nvcc on PATH or in /usr/local/cuda"
    if nvdisasm() is None:
        return "no nvdisasm: pip install nvidia-cuda-nvdisasm"
    return None


def kernels(source: Path, architecture: int, folder: Path) -> list[Kernel]:
    """Compiles `source` for one architecture into `folder`; all its kernels. NoToolError where that is impossible."""
    compiler, disassembler = nvcc(), nvdisasm()
    if compiler is None or disassembler is None:
        raise NoToolError(missing_tool())
    out = folder / f"{source.stem}-{architecture}.cubin"
    command = [compiler, *FLAGS, f"-arch=sm_{architecture}", "-Xptxas=-v", "-cubin", str(source), "-o", str(out)]
    compiled = _run(command)
    resources = _resources(compiled.stdout + compiled.stderr)
    listing = _run([disassembler, "-c", str(out)]).stdout
    return [
        Kernel(readable(symbol), architecture, *resources[symbol], _blocks(lines))
        for symbol, lines in _functions(listing)
        if symbol in resources
    ]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise NoToolError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done


def readable(symbol: str) -> str:
    """gather_kernel<bfloat16, 8> from the mangled name of a kernel."""
    match = _ENTRY.search(symbol)
    if match is None:
        return symbol
    types = [_TYPES.get(t, t) for t in re.findall(r"[fd]|NS_\d+\w+?E", match[2] or "")]
    numbers = re.findall(r"Li(\d+)E", symbol[match.start(1) + len(match[1]) :])
    arguments = [*types[:1], *numbers]  # what follows the element type follows from it
    return f"{match[1]}<{', '.join(arguments)}>" if arguments else match[1]


def _resources(report: str) -> dict[str, tuple[int, int, int]]:
    """(registers, spilled bytes, shared bytes) of every kernel in what `ptxas -v` prints."""
    found = {}
    for part in report.split("Compiling entry function ")[1:]:
        symbol = part.split("'")[1]
        spilled = sum(int(n) for n in re.findall(r"(\d+) bytes (?:stack frame|spill stores|spill loads)", part))
        registers, shared = re.search(r"Used (\d+) registers", part), re.search(r"(\d+) bytes smem", part)
        found[symbol] = (int(registers[1]) if registers else 0, spilled, int(shared[1]) if shared else 0)
    return found


def _functions(listing: str) -> Iterable[tuple[str, list[str]]]:
    for part in re.split(r"^\s*\.section\s+\.text\.", listing, flags=re.M)[1:]:
        symbol = re.split(r"[,\s]", part, maxsplit=1)[0]
        yield symbol, part.splitlines()


def _blocks(lines: list[str]) -> tuple[Block, ...]:
    """The basic blocks of a function up to its subroutines, whose labels hold a dollar sign."""
    code: list[tuple[str | None, Instruction | None]] = []
    for line in lines:
        label = _LABEL.match(line)
        if label and "$" in label[1]:
            break
        if label:
            code.append((label[1], None))
        elif (match := _LINE.match(line)) and not match[2].startswith("NOP"):
            code.append((None, Instruction(match[2], match[3], match[1] is not None)))
    groups: list[list[Instruction]] = [[]]
    starts: dict[str, int] = {}
    for label_name, instruction in code:
        if instruction is None:
            if groups[-1]:
                groups.append([])
            starts[str(label_name)] = len(groups) - 1
            continue
        groups[-1].append(instruction)
        if instruction.opcode.startswith(("BRA", "EXIT", "BRX", "RET")):
            groups.append([])
    return tuple(_block(i, group, groups, starts) for i, group in enumerate(groups))


def _block(index: int, group: list[Instruction], groups: list[list[Instruction]], starts: dict[str, int]) -> Block:
    after: list[int] = []
    last = group[-1] if group else None
    ends = last is not None and last.opcode.startswith(("BRA", "EXIT", "RET")) and not _conditional(last)
    if not ends and index + 1 < len(groups):
        after.append(index + 1)
    if last is not None and last.opcode.startswith("BRA"):
        target = re.search(r"\((\.L_x_\d+)\)", last.operands)
        if target and starts.get(target[1]) not in (None, index):
            after.append(starts[target[1]])
        elif target and target[1] in starts and index not in after and _conditional(last):
            after.append(index)  # a loop of one block
    return Block(index, tuple(group), tuple(after))


def _conditional(branch: Instruction) -> bool:
    """Whether a branch may not be taken: `@P0 BRA target`, or `BRA.U UP0, target` and the like."""
    return branch.guarded or re.match(r"!?U?P\d", branch.operands) is not None
