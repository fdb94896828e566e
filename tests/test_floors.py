"""No import runs upward or in a circle. The floors are declared in pyproject.toml, for import-linter."""

import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp", reason="import-linter wants Python 3.11")

ROOT = Path(__file__).resolve().parents[1]


def test_the_floors_of_pyproject() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_imports_itself_by_way_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """import-linter compares the children of each package; here the packages' own `__init__` count as modules too."""
    monkeypatch.syspath_prepend(str(ROOT))
    graph = grimp.build_graph("amsx", "benchmarks", cache_dir=None)
    assert len(graph.modules) > 100
    graph.remove_import(importer="amsx.ops.native", imported="amsx")  # it imports the compiled amsx._C
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # CycleError names the modules of a circle
