"""What the emulation tests build once: the emulated device, and the driver under the sanitizers."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from emulation import device, toolchain


@pytest.fixture(scope="session")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if toolchain.COMPILER is None:
        pytest.skip("no C++ compiler (CXX, g++ or c++): the CUDA sources cannot be compiled as C++")
    return tmp_path_factory.mktemp("emulation")


@pytest.fixture(scope="session")
def emulated(build_folder: Path) -> device.EmulatedDevice:
    return device.build(build_folder / "module")


@pytest.fixture(scope="session")
def cuda(emulated: device.EmulatedDevice) -> Callable[[], AbstractContextManager[None]]:
    """`with cuda():` amsx's ops run the CUDA kernels, emulated, on CPU tensors."""
    return lambda: device.in_place_of_the_cpu(emulated)


def _driver(folder: Path, flags: tuple[str, ...]) -> Path:
    folder.mkdir()
    reason = toolchain.works(flags, folder)
    if reason is not None:
        pytest.skip(f"{toolchain.COMPILER} {' '.join(flags)} gives no program that runs: {reason}")
    return toolchain.built(toolchain.DRIVER, folder, "driver", flags)


@pytest.fixture(scope="session")
def address_driver(build_folder: Path) -> Path:
    """The driver under AddressSanitizer and UndefinedBehaviorSanitizer."""
    return _driver(build_folder / "address", toolchain.ADDRESS)


@pytest.fixture(scope="session")
def thread_driver(build_folder: Path) -> Path:
    """The driver under ThreadSanitizer: every CUDA thread is a fiber, every OpenMP thread of the CPU a std::thread."""
    return _driver(build_folder / "thread", toolchain.THREAD)
