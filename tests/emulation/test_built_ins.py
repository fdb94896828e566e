"""What the emulation offers to kernels, by small ones: right ones pass under both sanitizers, wrong ones are caught."""

from pathlib import Path

import pytest
from emulation import toolchain
from emulation.toolchain import HERE, OPTIONS, Unit, built, run

SANITIZERS = {"address": toolchain.ADDRESS, "thread": toolchain.THREAD}

RIGHT = ["exchanges", "shares", "chain", "counts", "early"]
WRONG = [
    ("address", "beyond launch bounds", "larger than the launch bounds"),
    ("address", "too many threads", "the launch was refused"),
    ("address", "dynamic memory too small", "use-after-poison"),
    ("address", "too much shared memory", "more than 48 KB of shared memory"),
    ("address", "uninitialised", "320 wrong"),
    ("address", "never", "wait for each other for ever"),
    ("thread", "in place", "data race"),
    ("thread", "chain without a fence", "data race"),
    ("thread", "too early", "data race"),
]


@pytest.fixture(scope="module")
def programs(build_folder: Path) -> dict[str, Path]:
    """built_ins.cu under each sanitizer."""
    made = {}
    for name, flags in SANITIZERS.items():
        folder = build_folder / f"built_ins_{name}"
        folder.mkdir()
        reason = toolchain.works(flags, folder)
        if reason is not None:
            pytest.skip(f"{toolchain.COMPILER} {' '.join(flags)} gives no program that runs: {reason}")
        made[name] = built([Unit(HERE / "built_ins.cu")], folder, "built_ins", flags)
    return made


@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_kernel_passes(programs: dict[str, Path], name: str, sanitizer: str) -> None:
    done = run(programs[sanitizer], name, env=OPTIONS)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    assert done.stdout == "0 wrong\n"


@pytest.mark.parametrize(("sanitizer", "name", "says"), WRONG, ids=[name for _, name, _ in WRONG])
def test_a_wrong_kernel_is_caught(programs: dict[str, Path], sanitizer: str, name: str, says: str) -> None:
    done = run(programs[sanitizer], name, env=OPTIONS)
    assert done.returncode != 0
    assert says in done.stdout + done.stderr


def test_what_the_emulation_does_not_understand(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"x\.cu:2: the emulation does not understand '__shared__ int a, b = 3;'"):
        toolchain.translated("int x;\n__shared__ int a, b = 3;\n", tmp_path / "x.cu")
