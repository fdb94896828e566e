"""The device, the model and the random numbers with which a training run begins."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from amsx.data.file_rows import FileRows
from amsx.model.ams import AMS, Branch
from amsx.model.backbone import Backbone
from amsx.model.backbone_class import backbone_class, is_papers
from amsx.model.own_backbone import own_branch
from amsx.model.sampler import Sampler
from amsx.training.config import Config, ModelConfig, Precision
from amsx.training.ranks import local_count, local_rank


def choose_device(name: str | None = None) -> torch.device:
    """The device called `name`; with None, the CUDA device where torch sees one, else the CPU.

    Each of several processes that `torchrun` started on this machine has a CUDA device of its own. A device for which
    the native core has no kernels will do: the ops run there in plain PyTorch, with a warning.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if local_count() > 1 and name.startswith("cuda"):
        if name != "cuda":
            raise ValueError(
                f"device {name!r} is one for {local_count()} processes; expected cuda, of which each takes its own"
            )
        if local_count() > torch.cuda.device_count():
            raise ValueError(
                f"torchrun started {local_count()} processes here and torch sees {torch.cuda.device_count()} GPUs; "
                "expected at most one process for each GPU, or --device cpu"
            )
        name = f"cuda:{local_rank()}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"unknown device {name!r}; expected cpu, cuda, cuda:N or another device that torch has"
        ) from error
    if device.type == "meta":
        raise ValueError(
            f"device {name!r} holds no values; expected cpu, cuda, cuda:N or another device that torch has"
        )
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r} was asked for, but torch {torch.__version__} sees no GPU")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ValueError(f"device {name!r} was asked for, but torch sees {count} GPUs, counted from cuda:0")
    if device.type not in ("cpu", "cuda"):
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, NotImplementedError, AssertionError) as error:
            raise ValueError(
                f"device {name!r} was asked for, but torch {torch.__version__} has none: {error}"
            ) from error
    return device


def build_model(width: int, num_classes: int, config: Config) -> AMS:
    """The model that `config` describes, for features of `width` columns, freshly initialized.

    ValueError where its backbone is a class that is not imported, or that does not do what a branch must.
    """
    base, supplementary = (build_branch(width, num_classes, config.model) for _ in range(2))
    return AMS(base, supplementary, build_sampler(config) if config.phases.sampler else None)


def build_branch(width: int, num_classes: int, config: ModelConfig) -> Branch:
    """A branch of the class that `config` names, for features of `width` columns; errors as of `build_model`."""
    made = backbone_class(config.backbone)
    settings: dict[str, Any] = {
        "hidden": config.hidden,
        "dropout": config.dropout,
        "top_k_divisor": config.top_k_divisor,
        "smoothing": config.smoothing,
    }
    if is_papers(made):
        return Backbone(
            width,
            num_classes,
            kernel=config.kernel,
            background=config.background,
            attention=config.attention,
            **settings,
        )
    if config.attention:
        raise ValueError(
            f"model.attention=true is a head of the paper's backbone, and {config.backbone} has its own; leave "
            "model.attention at false"
        )
    if config.kernel != 1:
        raise ValueError(
            f"model.kernel={config.kernel} is for the first layer of the paper's backbone, and {config.backbone} has "
            "its own layers; leave model.kernel at 1"
        )
    if not config.background:
        raise ValueError(
            f"model.background=false is for the softmax of the paper's backbone, and {config.backbone} has its own; "
            "leave model.background at true"
        )
    return own_branch(made, config.backbone, width, num_classes, **settings)


def check_backbone(widths: Iterable[int], num_classes: int, config: ModelConfig) -> None:
    """ValueError where a backbone of the user's does not work for features of these widths."""
    if not is_papers(backbone_class(config.backbone)):
        with seeded(0, 0, torch.device("cpu")):
            for width in set(widths):
                build_branch(width, num_classes, config)


def build_sampler(config: Config) -> Sampler:
    """The sampler that `config.sampling` describes, whether or not the branches of `config.phases` use one."""
    return Sampler(
        weights=config.sampling.weights,
        eta=config.sampling.eta,
        normalize=config.sampling.normalize,
        interp_factor=config.sampling.interp_factor,
        aggregate=config.sampling.aggregate,
        mode=config.sampling.mode,
        erase_threshold=config.sampling.erase_threshold,
    )


def load_model(model: AMS, tensors: Mapping[str, Tensor]) -> None:
    """Load the weights among the tensors of a checkpoint into `model`; ValueError where they do not fit."""
    weights = {name[len("model.") :]: value for name, value in tensors.items() if name.startswith("model.")}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint does not fit the configured model: {error}") from error


def moments(features: Tensor | FileRows) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (D,) of the columns of `features` (N, D); a constant column has the deviation 1."""
    if isinstance(features, Tensor):
        deviation, mean = torch.std_mean(features.float(), dim=0, correction=0)
    else:
        deviation, mean = _moments_of_files(features)
    return mean, torch.where(deviation > 1e-6 * (1 + mean.abs()), deviation, torch.ones_like(deviation))


def _moments_of_files(features: FileRows) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean (D,), video by video in float64 (Chan, Golub and LeVeque, 1983)."""
    mean = squares = torch.zeros(features.shape[1], dtype=torch.float64)
    done = 0
    for rows in features.to("cpu").videos():  # not every device has float64
        variance, own = torch.var_mean(rows.double(), dim=0, correction=0)
        share, difference = len(rows) / (done + len(rows)), own - mean
        squares = squares + len(rows) * variance + done * share * difference**2
        mean = mean + share * difference
        done += len(rows)
    return (squares / done).sqrt().float().to(features.device), mean.float().to(features.device)


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Within the context, matrix products and the like compute in `precision`, weights and results remaining float32.

    Nothing is cached: what is computed there without a gradient would be taken for what needs one.
    """
    enabled = precision != "float32"
    return torch.autocast(device.type, getattr(torch, precision) if enabled else None, enabled, cache_enabled=False)


@contextmanager
def seeded(seed: int, part: int, device: torch.device) -> Iterator[None]:
    """Within the context, torch's random numbers depend on (seed, part) alone; afterwards its former state returns."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(_mixed(seed, part))
        yield


def _mixed(seed: int, part: int) -> int:
    """A 63-bit seed from the seed of a run and the number of a part, mixed so that near numbers have unlike seeds."""
    return int(np.random.SeedSequence([seed, part]).generate_state(1, np.uint64)[0] >> np.uint64(1))
