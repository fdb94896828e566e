"""Benchmarks of amsx beside its rivals: `python -m benchmarks`, and `python -m benchmarks.gpu_check` on a GPU.

Run from the repository root, which `python -m` puts first on the import path. It goes last here, so that an installed
amsx is what gets measured, and the source folder only where there is none, or where PYTHONPATH names it.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if Path(sys.path[0]).resolve() == ROOT:
    sys.path.append(sys.path.pop(0))
