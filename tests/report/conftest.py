"""Small runs and a small reproduction to report on, with names that try to break out of the page."""

from dataclasses import replace
from typing import Any

import pytest
from report.browser import Browser, find_chromium

from amsx.data.synthetic import SyntheticConfig, make_dataset
from amsx.data.videos import Dataset
from amsx.experiments import single_videos
from amsx.experiments.reproduce import reproduce
from amsx.experiments.reproduction import read_reproduction
from amsx.report.run_groups import read_groups
from amsx.training.config import override
from amsx.training.presets import for_dataset
from amsx.training.run import train_run

SETTINGS = [
    "model.hidden=16",
    "phases.base_epochs=3",
    "phases.supplementary_epochs=0",
    "phases.alternate_epochs=1",
    "phases.iterations=2",
    "optimization.learning_rate=5e-3",
]
HOSTILE_CLASS = "</script><script>window.broken=1</script>"
HOSTILE_FOLDER = "<b onclick=broken>&"
LONG_VIDEO = "فيديو_" + "very_long_" * 20  # it begins from right to left
HOSTILE_VIDEO = '"><img src=x onerror=window.broken=1>&amp;<!--INDEX-->'


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """12 test videos of 4 classes; the first class and the first test video carry markup as their names.

    The second test video has a long name that begins from right to left.
    """
    made = make_dataset(SyntheticConfig(classes=4, train_videos=24, test_videos=12, length=(30, 50)))

    def renamed(label: str) -> str:
        return HOSTILE_CLASS if label == made.classes[0] else label

    videos, odd = [], [LONG_VIDEO, HOSTILE_VIDEO]
    for video in made.videos:
        name = video.id
        if video.subset == "test" and odd:
            name = odd.pop()
        labels = tuple(sorted(map(renamed, video.labels)))
        segments = tuple(replace(s, label=renamed(s.label)) for s in video.segments)
        videos.append(replace(video, id=name, labels=labels, segments=segments))
    return Dataset(None, "memory", tuple(sorted(map(renamed, made.classes))), tuple(videos))


@pytest.fixture(scope="session")
def runs(dataset, tmp_path_factory):
    """Run directories: two seeds of all of AMS, and one of the base branch alone."""
    folder = tmp_path_factory.mktemp("runs")
    config = override(for_dataset(dataset)[0], SETTINGS)
    alone = override(config, ["phases.branches=base", "phases.supervision=none"])
    for name, settings in (
        ("ams0", config),
        ("ams1", override(config, ["optimization.seed=1"])),
        ("base", alone),
    ):
        train_run(dataset, settings, folder / name, progress=False)
    return [folder / "ams0", folder / "ams1", folder / "base"]


@pytest.fixture(scope="session")
def groups(runs):
    return read_groups(runs)


@pytest.fixture(scope="session")
def experiments_folder(dataset, tmp_path_factory, forked_workers):
    """What `amsx reproduce` leaves of three rows of Table III, Fig. 4 and Fig. 6; two seeds, two streams."""
    out = tmp_path_factory.mktemp("reproduced") / HOSTILE_FOLDER
    config = override(for_dataset(dataset)[0], [*SETTINGS, "phases.base_epochs=1"])
    asked: dict[str, Any] = {"tables": [3], "rows": ["A", "C", "F"], "figures": [4, 6], "seeds": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(single_videos, "VIDEOS", 1)  # pictures take long to draw
        reproduce(dataset, config, out, **asked, jobs=2, quiet=True, say=lambda _: None)
    return out


@pytest.fixture(scope="session")
def experiments(experiments_folder):
    return read_reproduction(experiments_folder)


@pytest.fixture(scope="module")
def browser():
    """A real headless browser; skips where there is none."""
    program = find_chromium()
    if program is None:
        pytest.skip("no chromium or google-chrome on the PATH (set AMSX_CHROMIUM)")
    opened = Browser(program)
    yield opened
    opened.close()
