"""Benchmarks of amsx beside its rivals: `python -m benchmarks`, and `python -m benchmarks.gpu_check` on a GPU.

Run from the repository root, which `python -m` puts first on the import path. It goes last here, so that an installed
amsx is what gets measured, and the source folder only where there is none.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_here = [entry for entry in sys.path if Path(entry).resolve() == ROOT]
if _here:
    sys.path[:] = [*(entry for entry in sys.path if entry not in _here), str(ROOT)]
