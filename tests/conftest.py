"""Fixtures that several test folders share."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Makes the `benchmarks` folder beside `tests` importable: last, so that `import amsx` finds the installed one.
sys.path.append(str(Path(__file__).resolve().parents[1]))

settings.register_profile("amsx", deadline=None)  # shared machines are slow at times
settings.load_profile("amsx")

os.environ["AMSX_CACHE"] = ""  # tests remember nothing, and leave the user's folder for caches alone

DATA = Path(os.environ.get("AMSX_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes run the tests (`pytest -n 2`), all tests of a folder go to one of them.

    What the tests of a folder share, such as the emulated device, is built once for all of them. (The groups of
    `--dist loadgroup` would say the same, but pytest 9.2 has another way to hold the names that they change.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.partition("::")[0].removeprefix("tests/").partition("/")[0]

    return ByFolder(config, log)


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """The folder of a real data set by name; skips where the sets are absent (AMSX_TEST_DATA points at them)."""

    def find(name: str) -> Path:
        folder = DATA / name
        if not folder.is_dir():
            pytest.skip(f"real data set {name!r} is not at {folder} (set AMSX_TEST_DATA)")
        return folder

    return find


@pytest.fixture(scope="session")
def forked_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., BaseContext]]:
    """Start the workers of experiments from one process that has imported torch, where each would import it for itself.

    Like spawned processes, they share nothing with the tests' process. The fixture is the function that it replaces.
    """
    context_for = multiprocessing.get_context

    def forking(method: str | None = None) -> BaseContext:
        return context_for("forkserver" if method == "spawn" else method)

    # torch imports torch._dynamo at an optimizer's first step. The process imports from the folder it is started in
    # before all others: from an empty one it finds the installed amsx, not the source folder beside the tests.
    multiprocessing.set_forkserver_preload(["amsx.experiments.parallel", "torch._dynamo"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        forkserver.ensure_running()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing, "get_context", forking)
        yield context_for
