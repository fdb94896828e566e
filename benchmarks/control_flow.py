"""The control flow of a kernel's machine code: its basic blocks, its loops, and the longest way through them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Instruction:
    opcode: str  # with its modifiers: LDG.E.128
    operands: str
    guarded: bool  # whether a predicate decides if it is carried out


@dataclass(frozen=True)
class Loop:
    """The instructions that belong to a loop and to no loop inside it, on the longest way through it."""

    depth: int  # 1: in no other loop
    length: int  # instructions
    slow: int  # of them, those that a pipe of half the issue rate takes
    loads: int  # of 16 bytes from global memory
    stores: int  # of 16 bytes to it
    lookups: int  # loads of less
    votes: int  # of a warp
    prefetches: int


@dataclass(frozen=True)
class Block:
    """A basic block: its instructions, and the blocks that can follow."""

    index: int
    instructions: tuple[Instruction, ...]
    successors: tuple[int, ...]

    @property
    def rare(self) -> bool:
        """Whether it calls a subroutine of the compiler's, which it takes for unlikely operands."""
        return any(i.opcode.startswith("CALL") for i in self.instructions)


# Instructions of the pipes that take one warp every second cycle on Hopper: integer arithmetic, logic, comparison and
# conversion (64 results per cycle and multiprocessor: CUDA C++ Programming Guide, "Throughput of native arithmetic
# instructions").
_SLOW = (
    "LOP3", "SHF", "IADD3", "VIADD", "PRMT", "SEL", "ISETP", "FSETP", "FMNMX", "FSEL", "LEA", "F2FP", "PLOP3", "VIMNMX",
    "IMNMX", "IABS", "SGXT", "BMSK",
)  # fmt: skip

# What the fields of a loop count, after its depth.
_COUNTED: tuple[Callable[[Instruction], bool], ...] = (
    lambda i: True,
    lambda i: i.opcode.split(".")[0] in _SLOW,
    lambda i: i.opcode.startswith("LDG") and ".128" in i.opcode,
    lambda i: i.opcode.startswith("STG") and ".128" in i.opcode,
    lambda i: i.opcode.startswith("LDG") and ".128" not in i.opcode,
    lambda i: i.opcode.startswith("VOTE"),
    lambda i: i.opcode.startswith("CCTL"),
)


class Flow:
    """Loops of a control flow, and the longest way through it."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks
        self._before: list[set[int]] = [set() for _ in blocks]
        for block in blocks:
            for after in block.successors:
                self._before[after].add(block.index)
        self._loops = self._natural_loops()  # header -> members
        self.depth: dict[int, int] = {}  # of every block that is in a loop
        for members in self._loops.values():
            for index in members:
                self.depth[index] = self.depth.get(index, 0) + 1

    def _dominators(self) -> list[set[int]]:
        everything = set(range(len(self._blocks)))
        dominators = [everything.copy() for _ in self._blocks]
        dominators[0] = {0}
        changed = True
        while changed:
            changed = False
            for index in range(1, len(self._blocks)):
                before = [dominators[b] for b in self._before[index]]
                found = (set.intersection(*before) if before else set()) | {index}
                if found != dominators[index]:
                    dominators[index], changed = found, True
        return dominators

    def _natural_loops(self) -> dict[int, set[int]]:
        dominators = self._dominators()
        loops: dict[int, set[int]] = {}
        for block in self._blocks:
            for header in block.successors:
                if header not in dominators[block.index]:
                    continue
                members = loops.setdefault(header, {header})
                waiting = [block.index]
                while waiting:
                    index = waiting.pop()
                    if index not in members:
                        members.add(index)
                        waiting += self._before[index]
        return loops

    def straight(self) -> Loop:
        """The longest way from the entry to the end, outside of loops."""
        return self._longest(set(range(len(self._blocks))), 0, None)

    def loops(self) -> list[tuple[Loop, int | None]]:
        """Every loop, and the place in this list of the loop around it."""
        headers = sorted(self._loops, key=lambda h: len(self._loops[h]), reverse=True)
        found: list[tuple[Loop, int | None]] = []
        for header in headers:
            around = [i for i, other in enumerate(headers[: len(found)]) if header in self._loops[other]]
            found.append((self._longest(self._loops[header], len(around) + 1, header), around[-1] if around else None))
        return found

    def _longest(self, members: set[int], depth: int, header: int | None) -> Loop:
        """The longest way through `members` that counts only blocks at this depth of loops, and each of them once."""
        entry = 0 if header is None else header
        best: dict[int, tuple[int, ...]] = {}

        def own(index: int) -> tuple[int, ...]:
            block = self._blocks[index]
            if self.depth.get(index, 0) != depth or block.rare:
                return (0,) * len(_COUNTED)
            return tuple(sum(map(counts, block.instructions)) for counts in _COUNTED)

        order: list[int] = []  # every block after all that lie behind it, without the ways back to headers
        seen: set[int] = set()
        stack: list[tuple[int, bool]] = [(entry, False)]
        while stack:
            index, done = stack.pop()
            if done:
                order.append(index)
                continue
            if index in seen:
                continue
            seen.add(index)
            stack.append((index, True))
            stack += [(after, False) for after in self._blocks[index].successors if after in members]
        for index in order:
            behind = [best[a] for a in self._blocks[index].successors if a in best and a != entry]
            longest = max(behind, default=(0,) * len(_COUNTED))
            best[index] = tuple(a + b for a, b in zip(own(index), longest, strict=True))
        return Loop(depth, *best[entry])
