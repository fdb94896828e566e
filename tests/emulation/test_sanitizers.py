"""Every kernel of both devices over awkward shapes and hostile values, in one process without Python, under sanitizers.

The shapes and values are driver.cpp's. CUDA threads are fibers, which ThreadSanitizer takes for threads of their own: a
barrier orders the memory of its block, a shuffle orders none, and nothing but atomics with fences orders that of two
blocks of one launch.
"""

from pathlib import Path

from emulation.toolchain import OPTIONS, run


def test_address_and_undefined_behaviour(address_driver: Path) -> None:
    done = run(address_driver, env=OPTIONS)
    assert done.returncode == 0, done.stderr[-6000:] + done.stdout[-2000:]
    assert done.stdout == "0 failures\n"


def test_races(thread_driver: Path) -> None:
    done = run(thread_driver, "small", env=OPTIONS)
    assert done.returncode == 0, done.stderr[-6000:] + done.stdout[-2000:]
    assert done.stdout == "0 failures\n"
