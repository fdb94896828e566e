"""Makes the `benchmarks` folder beside `tests` importable: last, so that `import amsx` finds the installed one."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
