"""Which CUDA architectures CMake compiles for, and which nvcc it takes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULES = Path(__file__).resolve().parents[2] / "cmake"
CMAKE = shutil.which("cmake")
KNOWN = "compute_75\ncompute_80\ncompute_90\ncompute_120\n"  # as `nvcc --list-gpu-arch` prints
VARIABLES = ["CMAKE_CUDA_ARCHITECTURES", "CUDAARCHS", "TORCH_CUDA_ARCH_LIST", "CUDACXX", "CUDA_HOME", "CUDA_PATH"]

ARCHITECTURES = f"""
amsx_cuda_architectures("${{RELEASE}}" architectures source)
amsx_check_cuda_architectures("${{architectures}}" "${{source}}" "{KNOWN}")
message("${{architectures}} from ${{source}}")
"""

pytestmark = pytest.mark.skipif(CMAKE is None, reason="no cmake on PATH to run the modules of cmake/ with")


def run(folder: Path, text: str, *definitions: str, **environment: str) -> tuple[bool, str]:
    """Whether a CMake script that includes the modules succeeds, and its messages on one line."""
    script = folder / "script.cmake"
    includes = "\n".join(f'include("{module}")' for module in sorted(MODULES.glob("*.cmake")))
    script.write_text(f"cmake_minimum_required(VERSION 3.18...3.31)\n{includes}\n{text}")
    inherited = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    command = [str(CMAKE), *(f"-D{definition}" for definition in definitions), "-P", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, env={**inherited, **environment})
    return done.returncode == 0, " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("8.0", "80-real"),
        ("8.0;9.0+PTX", "80-real;90"),
        ("7.5 8.0, 9.0a", "75-real;80-real;90a-real"),
        ("12.0+PTX;12.0", "120"),
        ("Turing", "75"),
        ("8.0;Hopper", "80-real;90"),
        ("Hopper+PTX 9.0", "90"),
    ],
)
def test_the_list_of_torch_is_translated(tmp_path: Path, listed: str, expected: str) -> None:
    succeeded, said = run(tmp_path, ARCHITECTURES, "RELEASE=13.0", TORCH_CUDA_ARCH_LIST=listed)
    assert succeeded, said
    assert said == f"{expected} from the environment variable TORCH_CUDA_ARCH_LIST"


@pytest.mark.parametrize("listed", ["sm_80", "80", "8", "Ampère", "8.0 Kepler"])
def test_what_torch_would_not_read_either(tmp_path: Path, listed: str) -> None:
    succeeded, said = run(tmp_path, ARCHITECTURES, "RELEASE=13.0", TORCH_CUDA_ARCH_LIST=listed)
    assert not succeeded
    assert f"TORCH_CUDA_ARCH_LIST holds '{listed.split()[-1]}'; expected a capability such as 8.0" in said


def test_the_first_that_is_given_counts(tmp_path: Path) -> None:
    environment = {"CMAKE_CUDA_ARCHITECTURES": "80-virtual", "CUDAARCHS": "90", "TORCH_CUDA_ARCH_LIST": "7.5"}
    chosen = []
    for definitions in (["CMAKE_CUDA_ARCHITECTURES=120-real"], [], [], []):
        succeeded, said = run(tmp_path, ARCHITECTURES, "RELEASE=13.0", *definitions, **environment)
        assert succeeded, said
        chosen.append(said.split()[0])
        if not definitions:
            environment.pop(next(iter(environment)))
    assert chosen == ["120-real", "80-virtual", "90", "75-real"]


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("11.4", "70;75-real;80"),
        ("12.4", "70;75-real;80-real;90"),
        ("12.9", "70;75-real;80-real;90-real;100-real;120"),
        ("13.0", "75;80-real;90-real;100-real;120"),
    ],
)
def test_the_default_follows_the_compiler(tmp_path: Path, release: str, expected: str) -> None:
    text = 'amsx_cuda_architectures("${RELEASE}" architectures source)\nmessage("${architectures} from ${source}")\n'
    assert run(tmp_path, text, f"RELEASE={release}") == (True, f"{expected} from the default")


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("80-real;70", "holds '70', for which this nvcc cannot compile; it knows 75, 80, 90, 120"),
        ("sm_80", "holds 'sm_80'; expected entries such as 80, 80-real or 80-virtual"),
    ],
)
def test_what_the_compiler_does_not_know(tmp_path: Path, asked: str, complaint: str) -> None:
    succeeded, said = run(tmp_path, ARCHITECTURES, "RELEASE=13.0", CUDAARCHS=asked)
    assert not succeeded
    assert f"amsx: the environment variable CUDAARCHS {complaint}" in said


def test_the_named_nvcc_goes_first(tmp_path: Path) -> None:
    text = 'amsx_find_nvcc("" nvcc)\nmessage("${nvcc}")\n'
    assert run(tmp_path, text, CUDACXX="/somewhere/nvcc") == (True, "/somewhere/nvcc")


def test_the_newest_nvcc_from_pypi(tmp_path: Path) -> None:
    for toolkit in ("cu12", "cu13", "cu9"):
        (tmp_path / "nvidia" / toolkit / "bin").mkdir(parents=True)
        (tmp_path / "nvidia" / toolkit / "bin" / "nvcc").touch()
    text = f'set(AMSX_NVCC NOTFOUND)\namsx_find_nvcc("{tmp_path}" nvcc)\nmessage("${{nvcc}}")\n'
    # Nothing is searched but the folder: CMake's own places may hold an nvcc.
    text = "macro(find_program)\nendmacro()\n" + text
    assert run(tmp_path, text) == (True, str(tmp_path / "nvidia" / "cu13" / "bin" / "nvcc"))


@pytest.mark.parametrize(("folder", "found"), [("lib", True), ("lib64", False)])
def test_the_runtime_beside_nvcc(tmp_path: Path, folder: str, found: bool) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvcc").touch()
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "libcudart_static.a").touch()
    text = f'amsx_cudart_beside("{tmp_path}/bin/nvcc" folder)\nmessage("[${{folder}}]")\n'
    assert run(tmp_path, text) == (True, f"[{tmp_path / folder if found else ''}]")
