"""Every setting of a run: typed, with its unit and source. The defaults are the paper's."""

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from amsx.evaluation.protocols import protocol_named
from amsx.localization.options import PostProcessing
from amsx.ops.checks import MAX_INTERP_FACTOR

NOT_NEGATIVE = "at least 0 and finite"
THUMOS14_TIOU = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # what weakly-supervised papers average over on THUMOS14


@dataclass(frozen=True)
class ModelConfig:
    """The backbone of both branches."""

    hidden: int = 1024  # units of the hidden layer; not in the paper, 1024 as I3D
    dropout: float = 0.5  # probability; the paper does not say, W-TALC uses 0.5
    top_k_divisor: int = 8  # category evidence is the mean of the top n / 8 snippets; W-TALC, ASM-Loc
    standardize: bool = False  # to mean 0, deviation 1 over the training snippets; not in the paper
    smoothing: float = 0.0  # of the features over time, a Gaussian's deviation in snippets; 0: none, as in the paper

    def __post_init__(self) -> None:
        _require(self.hidden >= 1, "model.hidden", self.hidden, "at least 1")
        _require(0 <= self.dropout < 1, "model.dropout", self.dropout, "in [0, 1)")
        _require(self.top_k_divisor >= 1, "model.top_k_divisor", self.top_k_divisor, "at least 1")
        _require(0 <= self.smoothing < math.inf, "model.smoothing", self.smoothing, "a finite number, at least 0")


@dataclass(frozen=True)
class SamplingConfig:
    """The adaptive sampler between the branches."""

    weights: Literal["adaptive", "random", "erase"] = "adaptive"  # Eq. 4, or Table IV's others; see model/ams.py
    eta: float = 0.75  # added to every sampling weight; Eq. 4, the paper's grid search (Fig. 5)
    interp_factor: int = 20  # H, sub-positions per snippet; Eq. 6, the paper's grid search
    aggregate: Literal["max", "mean", "random"] = "max"  # over the classes; Eq. 4, Table V
    mode: Literal["grid", "continuous"] = "grid"  # Eq. 6, or its limit of infinite H (this project's)
    class_threshold: float = 0.25  # probability; test time: whose channels drive it; theta_cls, Section IV-B
    erase_threshold: float = 0.7  # of weights "erase", as a multiple of the mean activation; as alpha of Eq. 8

    def __post_init__(self) -> None:
        for name in ("eta", "erase_threshold"):
            _require(0 <= getattr(self, name) < math.inf, f"sampling.{name}", getattr(self, name), NOT_NEGATIVE)
        inside = 0 <= self.class_threshold <= 1
        _require(inside, "sampling.class_threshold", self.class_threshold, "in [0, 1]")
        inside = 1 <= self.interp_factor <= MAX_INTERP_FACTOR
        _require(inside, "sampling.interp_factor", self.interp_factor, f"in 1..{MAX_INTERP_FACTOR}")


@dataclass(frozen=True)
class LossConfig:
    """The objectives and their weights."""

    cas_classification: Literal["softmax", "binary"] = "softmax"  # how video labels train the CAS; Eq. 10's form
    cas_weight: float = 1.0  # of that term; the paper does not say how its CAS layer learns of the labels
    similarity_weight: float = 1.0  # of the co-activity similarity; as in W-TALC
    similarity_margin: float = 0.5  # in cosine distance; W-TALC
    localization_weight: float = 1.0  # lambda of Eq. 11; the paper's grid search
    pseudo_threshold: float = 0.7  # alpha of Eq. 8, as a multiple of the mean activation; Section IV-B
    exclusive_targets: bool = False  # a snippet is positive for its highest class only; the paper does not say

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, (bool, str)):
                continue
            _require(0 <= value < math.inf, f"loss.{name}", value, NOT_NEGATIVE)


@dataclass(frozen=True)
class PhasesConfig:
    """Which branches there are, who teaches whom, and for how long (Table III's rows)."""

    branches: Literal["base", "both"] = "both"  # row A has the base branch alone
    sampler: bool = True  # whether the supplementary branch sees adaptively sampled features; rows C and F
    supervision: Literal["none", "self", "mutual"] = "mutual"  # who makes the pseudo-labels; rows D, E and F
    base_epochs: int = 20  # phase zero, base branch on video labels alone; Section IV-B
    supplementary_epochs: int = 0  # the same for the supplementary branch; the paper has none
    alternate_epochs: int = 5  # of phase one, and of phase two, in every iteration; Section IV-B
    iterations: int = 4  # of phases one and two; Fig. 4 levels off there

    def __post_init__(self) -> None:
        for name in ("base_epochs", "alternate_epochs", "iterations"):
            _require(getattr(self, name) >= 1, f"phases.{name}", getattr(self, name), "at least 1")
        epochs = self.supplementary_epochs
        _require(epochs >= 0, "phases.supplementary_epochs", epochs, "at least 0")


@dataclass(frozen=True)
class OptimizationConfig:
    """How a phase is optimized."""

    learning_rate: float = 1e-4  # of Adam; Section IV-B
    weight_decay: float = 0.0  # of Adam (L2); the paper does not say
    restart: bool = True  # Adam's moments begin anew with every phase; the paper does not say, not tuned
    batch_size: int = 16  # videos, taken in pairs that share a class; the paper's neighbours use 10 to 32
    max_snippets: int = 1000  # T, training crops; the paper: 1000 THUMOS14, 400 ActivityNet
    sampling: Literal["crop", "jittered", "uniform"] = "crop"  # how longer videos become T snippets; Section IV-B
    storage: Literal["auto", "float32", "float16", "mapped"] = "auto"  # of the features, where they fit
    seed: int = 0  # of initialization, order, crops and dropout

    def __post_init__(self) -> None:
        rate, decay = self.learning_rate, self.weight_decay
        _require(0 < rate < math.inf, "optimization.learning_rate", rate, "greater than 0 and finite")
        _require(0 <= decay < math.inf, "optimization.weight_decay", decay, NOT_NEGATIVE)
        even = self.batch_size >= 2 and self.batch_size % 2 == 0
        _require(even, "optimization.batch_size", self.batch_size, "an even number (of pairs), at least 2")
        _require(self.max_snippets >= 1, "optimization.max_snippets", self.max_snippets, "at least 1")
        _require(self.seed >= 0, "optimization.seed", self.seed, "at least 0")


@dataclass(frozen=True)
class LocalizationConfig(PostProcessing):
    """From CASs to detections; `amsx test` can change these, and those of `PostProcessing`, without training again."""

    beta: float = 0.15  # weight of the rgb stream, the rest goes to the other streams; Eq. 12, grid search
    supplementary_weight: float = 0.5  # of the supplementary CAS; 0 tests the base branch alone

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta", "supplementary_weight"):
            _require(0 <= getattr(self, name) <= 1, f"localization.{name}", getattr(self, name), "in [0, 1]")


@dataclass(frozen=True)
class EvaluationConfig:
    """How detections are scored at the end of a run."""

    protocol: str = "activitynet"  # a name that amsx.evaluation knows
    tiou: tuple[float, ...] = THUMOS14_TIOU  # temporal IoU thresholds, averaged over

    def __post_init__(self) -> None:
        inside = len(self.tiou) > 0 and all(0 < t <= 1 for t in self.tiou)
        once = len(set(self.tiou)) == len(self.tiou)
        _require(inside and once, "evaluation.tiou", self.tiou, "one or more values in (0, 1], each once")
        try:
            protocol_named(self.protocol)
        except ValueError as error:
            raise ValueError(f"evaluation.protocol: {error}") from None


@dataclass(frozen=True)
class Config:
    """A run's whole configuration; `Config()` is the paper's for THUMOS14."""

    model: ModelConfig = field(default_factory=ModelConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    phases: PhasesConfig = field(default_factory=PhasesConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)


_T = TypeVar("_T")


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON values, every field present."""
    return {
        f.name: to_dict(value) if dataclasses.is_dataclass(value) else _plain(value)
        for f in dataclasses.fields(config)
        for value in [getattr(config, f.name)]
    }


def from_dict(values: Mapping[str, Any]) -> Config:
    """The inverse of `to_dict`; absent keys take the defaults, unknown keys and wrong types are errors."""
    return _build(Config, values, "")


def override(config: Config, assignments: Iterable[str]) -> Config:
    """`config` after assignments like "loss.localization_weight=0.5", each parsed by its field's type.

    Values are checked when all of them are in place, so their order does not matter; of two for a key the last counts.
    """
    changes: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        parts = key.strip().split(".")
        if not equals or len(parts) != 2:
            raise ValueError(f"expected section.field=value, got {assignment!r}")
        section_types = typing.get_type_hints(Config)
        if parts[0] not in section_types:
            raise ValueError(_unknown(parts[0], section_types, ""))
        field_types = typing.get_type_hints(section_types[parts[0]])
        if parts[1] not in field_types:
            raise ValueError(_unknown(parts[1], field_types, parts[0] + "."))
        changes.setdefault(parts[0], {})[parts[1]] = _parse(text.strip(), field_types[parts[1]], key.strip())
    sections = {name: dataclasses.replace(getattr(config, name), **values) for name, values in changes.items()}
    return dataclasses.replace(config, **sections)


def differences(a: Config, b: Config) -> list[str]:
    """The fields in which two configurations differ, as "section.field: a, b" lines."""
    left, right = to_dict(a), to_dict(b)
    return [
        f"{section}.{name}: {left[section][name]!r}, {right[section][name]!r}"
        for section in left
        for name in left[section]
        if left[section][name] != right[section][name]
    ]


def _build(cls: type[_T], values: Any, prefix: str) -> _T:
    if not isinstance(values, Mapping):
        raise TypeError(f"{prefix.rstrip('.') or 'the configuration'} must be a mapping, got {values!r}")
    hints = typing.get_type_hints(cls)
    arguments = {}
    for key, value in values.items():
        if key not in hints:
            raise ValueError(_unknown(key, hints, prefix))
        if dataclasses.is_dataclass(hints[key]):
            arguments[key] = _build(hints[key], value, f"{prefix}{key}.")
        else:
            arguments[key] = _checked(value, hints[key], prefix + key)
    return cls(**arguments)


def _checked(value: Any, kind: Any, name: str) -> Any:
    """`value` as the field type `kind`, or a TypeError that names the field."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _checked(value, next(k for k in get_args(kind) if k is not type(None)), name)
    if origin is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(kind)))}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{name} must be a list, got {value!r}")
        return tuple(_checked(v, get_args(kind)[0], name) for v in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"{name} must be of type {kind.__name__}, got {value!r}")
    return value


def _parse(text: str, kind: Any, name: str) -> Any:
    """The text of a command-line assignment as the field type `kind`."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if text.lower() == "none":
            return None
        return _parse(text, next(k for k in get_args(kind) if k is not type(None)), name)
    if origin is tuple:
        try:
            return tuple(_parse(part.strip(), get_args(kind)[0], name) for part in text.split(",") if part.strip())
        except ValueError:
            raise ValueError(f"{name} must be numbers separated by commas, got {text!r}") from None
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{name} must be true or false, got {text!r}")
        return text.lower() == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            expected = "a whole number" if kind is int else "a number"
            raise ValueError(f"{name} must be {expected}, got {text!r}") from None
    return _checked(text, kind, name)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _unknown(key: str, known: Iterable[str], prefix: str) -> str:
    names = list(known)
    close = get_close_matches(key, names)
    hint = f"did you mean {' or '.join(prefix + c for c in close)}?" if close else f"known: {', '.join(names)}"
    return f"unknown configuration key {prefix + key!r}; {hint}"


def _require(condition: bool, name: str, value: Any, expected: str) -> None:
    if not condition:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
