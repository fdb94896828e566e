"""A search whose trials cost nothing, for a process of its own."""

from multiprocessing.synchronize import Event
from pathlib import Path

from amsx.data.videos import Dataset
from amsx.experiments import tuning
from amsx.training.config import Config


def search(dataset: Dataset, config: Config, out: Path, trials: int, go: Event) -> None:
    """Search in `out`; every trial waits for `go`, and its score is a function of its settings."""

    def measure(_: object, settings: Config) -> tuple[float, list[str]]:
        go.wait()
        return 100 - abs(settings.sampling.eta - 1), []

    for owner, name, value in ((tuning._TrialScorer, "measure", measure), (tuning, "LOOK", 0.1)):
        setattr(owner, name, value)
    tuning.tune(dataset, config, out, trials=trials, streams=["rgb"], jobs=1, say=lambda _: None)
