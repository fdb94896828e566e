"""`python -m benchmarks.fuzz`: see --help."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fuzz.formats import formats
from benchmarks.fuzz.running import try_all
from benchmarks.fuzz.trial import changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Try files, print a line for each format and what was bad, and return 0 where nothing was."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description="Give changed files to every reader."
    )
    parser.add_argument(
        "--files",
        type=int,
        default=1000,
        help="of every format; fewer of videos, which take longer (default %(default)s)",
    )
    parser.add_argument("--first", type=int, default=0, help="the number of the first file (default %(default)s)")
    parser.add_argument("--format", action="append", help="one of the formats; repeatable (default: all)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the files that were taken badly here")
    parser.add_argument(
        "--show", type=int, default=5, help="bad files of a format that are listed (default %(default)s)"
    )
    options = parser.parse_args(arguments)
    began, total, bad = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        every = formats(Path(folder))
        names = [form.name for form in every]
        if unknown := set(options.format or ()) - set(names):
            parser.error(f"unknown format {sorted(unknown)[0]!r}; expected one of {', '.join(names)}")
        chosen = [form for form in every if form.name in (options.format or names)]
        by_name = {form.name: form for form in every}
        numbers = range(options.first, options.first + options.files)
        for outcome in try_all(chosen, numbers, Path(folder)):
            counts = outcome.verdicts
            total, bad = total + sum(counts.values()), bad + counts["bad"]
            print(
                f"{outcome.name:<20}{sum(counts.values()):>8} files{counts['error']:>8} refused"
                f"{counts['accepted']:>8} accepted{counts['bad']:>6} bad",
                flush=True,
            )
            kinds = Counter(verdict[:90] for _, verdict in outcome.faults)
            shown: Counter[str] = Counter()
            for number, verdict in outcome.faults:
                shown[verdict[:90]] += 1
                if shown[verdict[:90]] == 1 and len(shown) <= options.show:
                    print(f"    file {number} ({kinds[verdict[:90]]} alike): {verdict}", flush=True)
                if options.keep is not None:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    form = by_name[outcome.name]
                    name = f"{form.name.replace(' ', '-')}-{number}{form.suffix}"
                    (options.keep / name).write_bytes(changed(form, number))
    print(f"{total} files in {time.monotonic() - began:.0f} s, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
