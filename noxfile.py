"""The matrix of compilers, Pythons and torch releases that amsx is built and tested with: `nox --list` names all.

    nox -s compilers            # every compiler that is here x OpenMP on and off, and a scalar build: the same bits
    nox -s compilers -- g++-11  # the named ones alone
    nox -s cross                # compiles for aarch64, and runs the kernels there where qemu-user is installed
    nox -s pythons              # every Python that is here: install, the tests of the ops
    nox -s oldest newest        # the oldest torch and NumPy, and the newest: the tests of what computes

A compiler or Python that is not installed is skipped with a sentence. Debian has the packages g++-11, g++-12, clang-14
to clang-22, g++-aarch64-linux-gnu and qemu-user.
"""

import shutil
import sys
from pathlib import Path

import nox

COMPILERS = ["g++-10", "g++-11", "g++-12", "g++-13", "g++-14", "g++-15", "clang++-14", "clang++-19", "clang++-22"]
# The options are for the kernels: one build for each compiler shows that the module compiles, too.
BUILDS = [(), ("-DAMSX_OPENMP=OFF", "-DAMSX_MODULE=OFF"), ("-DAMSX_SCALAR=ON", "-DAMSX_MODULE=OFF")]
NO_CUDA = {"SKBUILD_CMAKE_DEFINE": "AMSX_CUDA=OFF"}
# The folders of tests that depend most on what torch and NumPy do.
COMPUTING = [f"tests/{each}" for each in ("ops", "model", "training", "localization", "evaluation", "data")]
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]

nox.options.sessions = ["compilers", "cross"]
nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "venv"


def digest_with(session: nox.Session, compiler: str, options: tuple[str, ...], runner: tuple[str, ...] = ()) -> str:
    """Compiles module and digest with one compiler, and returns the digest of all outputs, the same on every path."""
    folder = Path(session.create_tmp()) / "-".join([compiler, *options]).replace("=", "-")
    session.run("cmake", "-S", ".", "-B", str(folder), "-GNinja", "-DAMSX_CUDA=OFF", "-DAMSX_DIGEST=ON",
                f"-DCMAKE_CXX_COMPILER={compiler}", f"-DPython_EXECUTABLE={sys.executable}", *options,
                silent=True)  # fmt: skip
    session.run("cmake", "--build", str(folder), silent=True)
    printed = session.run(*runner, str(folder / "digest"), silent=True, external=True)
    assert isinstance(printed, str)
    session.log(f"{compiler} {' '.join(options)}: {printed.strip()}")
    digests = {line.split()[-1] for line in printed.splitlines()}
    if len(digests) != 1:
        session.error(f"the instruction sets of {compiler} {' '.join(options)} give different bits")
    return digests.pop()


def build_tools(session: nox.Session) -> None:
    session.install("cmake", "ninja", "pybind11")
    found = session.run("python", "-m", "pybind11", "--cmakedir", silent=True)
    session.env["pybind11_DIR"] = str(found).strip()


@nox.session
def compilers(session: nox.Session) -> None:
    """Every compiler that is here x {OpenMP, no OpenMP, scalar}: all of them give the same bits."""
    build_tools(session)
    digests: dict[tuple[str, tuple[str, ...]], str] = {}
    for compiler in session.posargs or COMPILERS:
        if shutil.which(compiler) is None:
            session.log(f"{compiler} is not here: skipped")
            continue
        for options in BUILDS:
            digests[compiler, options] = digest_with(session, compiler, options)
    if not digests:
        session.skip("no compiler of the list is here")
    if len(set(digests.values())) != 1:
        session.error(f"builds give different bits: {digests}")


@nox.session
def cross(session: nox.Session) -> None:
    """Compiles for aarch64; under qemu-user the kernels give the bits of this machine's own compiler."""
    compiler = "aarch64-linux-gnu-g++"
    if shutil.which(compiler) is None:
        session.skip(f"{compiler} is not here")
    if shutil.which("qemu-aarch64") is None:
        session.skip("qemu-aarch64 is not here to run what was compiled")
    build_tools(session)
    target = ("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64", "-DAMSX_MODULE=OFF")
    there = digest_with(session, compiler, target, ("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"))
    here = digest_with(session, "c++", ())
    if here != there:
        session.error(f"aarch64 gives other bits: {there}, not {here}")


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """Installs amsx as a user would and runs the tests of the ops."""
    session.install("-c", "constraints.txt", ".[test]", env=NO_CUDA)
    session.run("pytest", "-q", "tests/ops", "tests/installation", *session.posargs)


@nox.session
def oldest(session: nox.Session) -> None:
    """The tests of what computes beside the oldest torch and NumPy."""
    session.install("torch==2.4.1", "numpy==1.26.4", ".[h5]", "pytest", "hypothesis", env=NO_CUDA)
    session.run("pytest", "-q", *(session.posargs or COMPUTING))


@nox.session
def newest(session: nox.Session) -> None:
    """The same beside the newest of everything. What is deprecated there and used by amsx is an error."""
    session.install("--upgrade", ".[test]", env=NO_CUDA)
    session.run("pytest", "-q", *(session.posargs or COMPUTING))
