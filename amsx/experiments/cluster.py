"""Runs a command's work as jobs of a cluster, by submitit.

OUT/jobs/...   what submitit writes: the work of every job as a pickle, and its output as text

Every job does the whole work in OUT, and jobs share it out by holding what they are at (`amsx.locks`). So nobody keeps
a list of what is done: a job that is preempted begins again and goes on, and who submitted the jobs may be killed.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    import submitit

JOBS = "jobs"  # the folder in OUT
LOOK = 2.0  # seconds between two looks at the jobs
DAY = 24 * 60  # minutes
REQUEUES = 1000  # how often a job may be put into the queue again when its time is over


@dataclass(frozen=True)
class Cluster:
    """Where jobs run, and what is asked for each of them."""

    executor: Literal["slurm", "local"]  # "local": processes of this machine
    jobs: int = 1  # how many are submitted
    options: Mapping[str, str] = field(default_factory=dict)  # of sbatch, by their long names without dashes in front


class Work:
    """The work of a job. submitit asks for `checkpoint` when a job is preempted or its time is over."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work

    def __call__(self) -> None:
        """Do the work. What it returns stays in OUT."""
        self.work()

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """The work of the same job when it begins again, which is all of it: what is done is in OUT."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def run_jobs(cluster: Cluster, out: Path | str, work: Callable[[], object], say: Callable[[str], None] = print) -> None:
    """Submit jobs that each do `work` in `out`, and wait until one of them has come to its end.

    `work` must be picklable, and `out` must be at the same path for all machines. RuntimeError where submitit or Slurm
    is missing, where the jobs are refused, or where all of them ended before the work was done; ValueError for options
    that the executor does not have.
    """
    out = Path(out).resolve()
    executor = _executor(cluster, out / JOBS)
    with executor.batch():
        jobs = [executor.submit(Work(work)) for _ in range(cluster.jobs)]
    say(f"submitted: {', '.join(job.job_id for job in jobs)}; their output is in {out / JOBS}")
    failed: dict[str, str] = {}  # the number of a job -> why it ended
    while len(failed) < len(jobs):
        for job in jobs:
            if job.job_id not in failed and job.done():
                error = job.exception()  # waits for some seconds for what a job that was killed did not write
                if error is None:
                    return
                failed[job.job_id] = f"job {job.job_id}: {_last_line(error)}; its output is {job.paths.stderr}"
        time.sleep(LOOK)
    raise RuntimeError(
        "all jobs ended before the work was done; the same command submits new ones, which go on. "
        + next(iter(failed.values()))
    )


def _last_line(error: BaseException) -> str:
    """The last line of a job's error, or the first of what submitit says where it left none."""
    lines = str(error).strip().splitlines()
    return next((line for line in reversed(lines) if re.match(r"[\w.]+: ", line)), lines[0])


def _executor(cluster: Cluster, folder: Path) -> "submitit.AutoExecutor":
    try:
        import submitit
    except ModuleNotFoundError as error:
        raise RuntimeError("jobs need submitit; pip install 'amsx[slurm]' or pip install submitit") from error
    if cluster.jobs < 1:
        raise ValueError(f"workers must be at least 1, got {cluster.jobs}")
    if cluster.executor == "local":
        if cluster.options:
            raise ValueError(f"{', '.join(cluster.options)}: options of Slurm; expected them with the executor slurm")
        executor = submitit.AutoExecutor(folder, cluster="local")
        executor.update_parameters(timeout_min=365 * DAY, gpus_per_node=torch.cuda.device_count())
        return executor
    try:
        executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=REQUEUES)
    except RuntimeError as error:
        raise RuntimeError(f"{error} (no `srun` on the PATH); expected a machine that submits to Slurm") from error
    # All options are handed to sbatch as they are, which knows them best. submitit spells those that it has with `_`.
    additional = {"job_name": "amsx"} | {key.replace("-", "_"): value for key, value in cluster.options.items()}
    executor.update_parameters(timeout_min=DAY, slurm_additional_parameters=additional)
    return executor
