"""Exports a branch of a run and checks the file against PyTorch."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

import amsx
from amsx.export import Target
from amsx.export.branches import branch_of
from amsx.export.formats import FORMATS, INPUTS, OUTPUTS, Run, check_target, quiet
from amsx.files import written_whole
from amsx.inference.model import TrainedModel, load
from amsx.model.ams import AMS
from amsx.training.phases import Branch

SHAPES = ((1, 1), (2, 2), (1, 150), (3, 40), (5, 7))  # videos and snippets of the batches on which a file is checked
MEAN_CAS_DIFFERENCE = 1e-4  # a file is refused above it
PROBABILITY_DIFFERENCE = 1e-3  # likewise


@dataclass(frozen=True)
class Differences:
    """How far an exported branch is from the model in PyTorch on random features of the checked shapes."""

    cas: float  # the largest difference of an activation
    mean_cas: float  # the mean over all activations
    probabilities: float  # the largest difference of a category probability

    @property
    def acceptable(self) -> bool:
        """Whether they are rounding.

        A single activation may differ by more, where rounding moves a sample to the next sub-position of Eq. 6.
        """
        return self.mean_cas <= MEAN_CAS_DIFFERENCE and self.probabilities <= PROBABILITY_DIFFERENCE

    def __str__(self) -> str:
        return (
            f"largest difference {self.cas:.1e} of the CAS (mean {self.mean_cas:.1e}), "
            f"{self.probabilities:.1e} of the probabilities"
        )


@dataclass(frozen=True)
class ExportedBranch:
    """A file that `export_branch` wrote."""

    path: Path
    about: dict[str, Any]  # the metadata in the file
    differences: Differences  # to PyTorch


def export_branch(
    run: Path | str,
    out: Path | str,
    *,
    branch: Branch = "base",
    stream: str | None = None,
    to: Target = "onnx",
    backbone: type[torch.nn.Module] | str | None = None,
) -> ExportedBranch:
    """Write one branch of one stream of a run to the file `out` in the format `to`, and check it against PyTorch.

    The file maps `features` (B, T, D), float32 and as they are in the run's data, and `lengths` (B,), int64, to `cas`
    (B, T, C) in [0, 1], 0 beyond a video's length, and `probabilities` (B, C); B and T may be any. Of the supplementary
    branch, the CAS is aligned to the snippets, and the sampler is in its composite form: amsx is not needed to run it.

    `stream` may be left out where the run has one; `backbone` is that of `amsx.load`. ValueError where the run, its
    stream or its branch is not there or cannot be exported; ImportError where a package is missing; RuntimeError where
    torch cannot write the format, or where the check fails: then there is no file.
    """
    _check_known(to, get_args(Target), "format")
    _check_known(branch, get_args(Branch), "branch")
    check_target(to, Path(out))
    trained = load(run, backbone=backbone)
    stream = _stream_of(trained, stream)
    if branch == "supplementary" and trained.config.phases.branches != "both":
        raise ValueError(f"{run} has no supplementary branch: it was trained with phases.branches=base")
    model, threshold = trained.network(stream), trained.config.sampling.class_threshold
    module = branch_of(model, branch, threshold)
    extractor = trained.extractors.get(stream)
    timebase = trained.own_timebases.get(stream, trained.timebase)
    about = {
        "format": "amsx branch",
        "version": 1,
        "branch": branch,
        "stream": stream,
        "width": trained.widths[stream],
        "classes": list(trained.classes),
        "timebase": None if timebase is None else asdict(timebase),
        "extractor": None if extractor is None else asdict(extractor),
        "inputs": {INPUTS[0]: ["batch", "snippets", "width"], INPUTS[1]: ["batch"]},
        "outputs": {OUTPUTS[0]: ["batch", "snippets", "classes"], OUTPUTS[1]: ["batch", "classes"]},
        "amsx": amsx.__version__,
        "torch": torch.__version__,
    }
    with quiet(), written_whole(out) as temporary, torch.no_grad():
        try:
            FORMATS[to].write(module, _batch(model, 2, 24), about, temporary)
            differences = compare(FORMATS[to].load(temporary), model, branch, threshold)
        except OSError:  # of the file
            raise
        except Exception as error:  # torch's exporters raise errors of many kinds
            raise RuntimeError(f"torch {torch.__version__} could not export this branch to {to}: {error}") from error
        if not differences.acceptable:
            raise RuntimeError(f"the branch that was exported to {to} is not what PyTorch computes: {differences}")
    return ExportedBranch(Path(out), about, differences)


def compare(exported: Run, model: AMS, branch: Branch, class_threshold: float) -> Differences:
    """The differences of an exported branch to `model`, which runs with the ops of the CPU."""
    cas_parts, prob_parts = [], []
    for videos, snippets in SHAPES:
        features, lengths = _batch(model, videos, snippets)
        cas, probs = exported(features, lengths)
        base, aligned, base_probs, supplementary_probs = model.predict(features, lengths, class_threshold)
        expected, expected_probs = (base, base_probs) if branch == "base" else (aligned, supplementary_probs)
        valid = torch.arange(snippets) < lengths[:, None]
        cas_parts.append((cas - expected).abs()[valid].flatten())
        prob_parts.append((probs - expected_probs).abs().flatten())
    cas_differences = torch.cat(cas_parts)
    return Differences(
        cas=float(cas_differences.max()),
        mean_cas=float(cas_differences.mean()),
        probabilities=float(torch.cat(prob_parts).max()),
    )


def _batch(model: AMS, videos: int, snippets: int) -> tuple[Tensor, Tensor]:
    """Random features (B, T, D) of the mean and deviation that the model expects, and lengths (B,), one of them T."""
    generator = torch.Generator().manual_seed(videos * snippets)
    noise = torch.randn(videos, snippets, len(model.base.shift), generator=generator)
    lengths = torch.randint(1, snippets + 1, (videos,), generator=generator)
    lengths[0] = snippets
    return model.base.shift + noise / model.base.scale, lengths


def _stream_of(trained: TrainedModel, stream: str | None) -> str:
    if stream is None and len(trained.streams) > 1:
        raise ValueError(f"{trained.run} has the streams {', '.join(trained.streams)}; expected one of them (--stream)")
    chosen = trained.streams[0] if stream is None else stream
    _check_known(chosen, trained.streams, f"stream of {trained.run}")
    return chosen


def _check_known(name: str, names: tuple[str, ...], what: str) -> None:
    if name not in names:
        raise ValueError(f"unknown {what}: {name!r}; expected one of {', '.join(names)}")
