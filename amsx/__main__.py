"""`python -m amsx` is the `amsx` command."""

import sys

from amsx.cli import main

if __name__ == "__main__":
    sys.exit(main())
