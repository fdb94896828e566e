"""A training step on the CPU beside the same step with its loss compiled by `torch.compile`, gradients included.

Steps of both take turns, in one thread and in seconds of processor time, which other work on the machine changes least.
The first two of a phase are left out, in which graphs are made.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.settings import Settings
from benchmarks.training import PHASES, kinds_of_videos, trainer_of

FIRST = 2  # steps of a phase that do not count


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for every phase, for videos of T snippets and for videos as long as THUMOS14's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compiled_step", description=__doc__)
    parser.add_argument("--steps", type=int, default=5, help="of every phase that count (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, which only show that it runs")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    settings, rounds = Settings(threads=1, quick=options.quick), options.steps + FIRST
    for lengths, what in kinds_of_videos(settings):
        plain, compiled = (trainer_of(settings, rounds, lengths) for _ in range(2))
        compiled._objective.forward = torch.compile(compiled._objective.forward)  # type: ignore[method-assign]
        for phase, title in PHASES:
            seconds: list[list[float]] = [[], []]
            for _ in range(rounds):
                for taken, trainer in zip(seconds, (plain, compiled), strict=True):
                    began = time.process_time()
                    trainer.train(until=trainer.epoch + 1)  # a batch is an epoch
                    taken.append(time.process_time() - began)
            a, b = (float(np.median(taken[FIRST:])) for taken in seconds)
            print(f"videos {what}, phase {phase}, {title}: {a:.2f} s, compiled {b:.2f} s, {b / a:.2f} x", flush=True)


if __name__ == "__main__":
    main()
