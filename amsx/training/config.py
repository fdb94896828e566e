"""Every setting of a run: its type, range, default, unit and source. The defaults are the paper's.

docs/configuration.md, which `amsx/training/config_reference.py` writes, describes each field by the comment behind it.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from amsx.choices import MAX_INTERP_FACTOR, Aggregate, CropSampling, MeanReading, Mode, SamplingWeights, Storage
from amsx.evaluation.protocols import PROTOCOLS
from amsx.localization.fusion import stream_weights, weights_fault
from amsx.localization.post_processing import PostProcessing
from amsx.ranges import Count, CountOrZero, Fraction, NotNegative, Positive, Range, check_ranges, ranges_of

Probability = Annotated[float, Range("in [0, 1)", lambda value: 0 <= value < 1)]
InterpFactor = Annotated[int, Range(f"in 1..{MAX_INTERP_FACTOR}", lambda value: 1 <= value <= MAX_INTERP_FACTOR)]
EvenCount = Annotated[int, Range("an even number (of pairs), at least 2", lambda value: value >= 2 and value % 2 == 0)]
OddCount = Annotated[int, Range("an odd number, at least 1", lambda value: value >= 1 and value % 2 == 1)]
ProtocolName = Annotated[
    str,
    Range(
        f"one of {', '.join(protocol.name for protocol in PROTOCOLS)}",
        lambda value: value in [protocol.name for protocol in PROTOCOLS],
    ),
]
TiouThresholds = Annotated[
    tuple[float, ...],
    Range(
        "one or more values in (0, 1], each once",
        lambda values: len(values) > 0 and all(0 < t <= 1 for t in values) and len(set(values)) == len(values),
    ),
]

StreamWeights = Annotated[
    Mapping[str, float],
    Range("numbers of at least 0 that sum to 1, one for every stream", lambda values: weights_fault(values) is None),
]

CasClassification = Literal["softmax", "binary"]
TrainedBranches = Literal["base", "both"]
Supervision = Literal["none", "self", "mutual"]
Precision = Literal["float32", "bfloat16", "float16"]
ChosenBy = Literal["none", "labels", "segments"]
FoldCount = Annotated[int, Range("at least 2", lambda value: value >= 2)]
BackboneName = Annotated[
    str,
    Range("package.module:Class", lambda value: re.fullmatch(r"[^\W\d][\w.]*:[^\W\d][\w.]*", value) is not None),
]

# The sections that cannot change after the training.
TRAINED = ("model", "sampling", "loss", "phases", "optimization", "stopping")
THUMOS14_TIOU = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # what weakly-supervised papers average over on THUMOS14


@dataclass(frozen=True)
class ModelConfig:
    """The backbone of both branches."""

    backbone: BackboneName = "amsx.model.backbone:Backbone"  # the class of a branch; Section III-B, or one of your own
    hidden: Count = 1024  # units of the hidden layer; not in the paper, 1024 as I3D
    dropout: Probability = 0.5  # the probability of dropping a unit; not in the paper, W-TALC uses 0.5
    top_k_divisor: Count = 8  # category evidence is the mean of the top n / 8 of n snippets; W-TALC, ASM-Loc
    standardize: bool = False  # whether features get mean 0, deviation 1 over the training snippets; not in the paper
    background: bool = True  # whether the softmax of the CAS has a channel for background; not in the paper
    smoothing: NotNegative = 0.0  # deviation in snippets of a Gaussian that smooths features in time; not in the paper
    attention: bool = False  # whether a foreground weight of each snippet suppresses the CAS; BaS-Net, CO2-Net
    kernel: OddCount = 1  # snippets that the first layer sees; the paper's is fully connected, 3 in BaS-Net and later

    def __post_init__(self) -> None:
        check_ranges(self, "model")


@dataclass(frozen=True)
class SamplingConfig:
    """The adaptive sampler between the branches (`amsx/model/sampler.py`)."""

    weights: SamplingWeights = "adaptive"  # source of the weights; Eq. 4, or a control (Table IV)
    eta: NotNegative = 0.75  # added to every sampling weight; Eq. 4, the paper's grid search (Fig. 5)
    normalize: bool = False  # whether the CAS in Eq. 4 is stretched to [0, 1] in every video; not in the paper
    interp_factor: InterpFactor = 20  # H, sub-positions per snippet; Eq. 6, the paper's grid search
    aggregate: Aggregate = "max"  # how the activations of classes become one; Eq. 4, Table V
    mode: Mode = "grid"  # Eq. 6, or its limit for infinite H (not in the paper)
    class_threshold: Fraction = 0.25  # probability from which a class guides the sampler at test time; Section IV-B
    erase_threshold: NotNegative = 0.7  # weights "erase" skip what exceeds this multiple of the mean; as alpha of Eq. 8

    def __post_init__(self) -> None:
        check_ranges(self, "sampling")


@dataclass(frozen=True)
class LossConfig:
    """The objectives and their weights."""

    cas_classification: CasClassification = "softmax"  # the loss by which video labels train the CAS
    cas_weight: NotNegative = 1.0  # weight of that loss; the paper does not say how video labels train its CAS layer
    sparsity_weight: NotNegative = 0.1  # weight of the mean of `model.attention`, which keeps it to the foreground
    similarity_weight: NotNegative = 1.0  # weight of the co-activity similarity; as in W-TALC
    similarity_margin: NotNegative = 0.5  # margin of the co-activity similarity, in cosine distance; W-TALC
    localization_weight: NotNegative = 1.0  # lambda of Eq. 11, the localization loss's weight; the paper's grid search
    pseudo_threshold: NotNegative = 0.7  # alpha of Eq. 8, a multiple of the mean activation; Section IV-B
    pseudo_threshold_of: MeanReading = "mean"  # what avg(M) in alpha is taken over; the paper does not say
    confidence: bool = False  # whether a pseudo-label counts in Eq. 9 by how far its activation is from the threshold
    teacher_decay: Probability = 0.0  # of the moving average of weights that gives pseudo-labels; 0: the branch itself
    exclusive_targets: bool = False  # a snippet is positive for its highest class only; the paper does not say

    def __post_init__(self) -> None:
        check_ranges(self, "loss")


@dataclass(frozen=True)
class PhasesConfig:
    """Which branches there are, which of them gives pseudo-labels to which, and for how many epochs (Table III)."""

    branches: TrainedBranches = "both"  # which branches are trained; row A trains the base branch alone
    sampler: bool = True  # whether the supplementary branch sees adaptively sampled features; rows C and F
    supervision: Supervision = "mutual"  # which branch gives pseudo-labels; rows D, E and F
    base_epochs: Count = 20  # epochs of phase zero: the base branch on video labels alone; Section IV-B
    supplementary_epochs: CountOrZero = 0  # epochs of phase zero for the supplementary branch; the paper has none
    alternate_epochs: Count = 5  # epochs of phase one, and of phase two, in every iteration; Section IV-B
    iterations: Count = 4  # how often phases one and two are repeated; Fig. 4 levels off at 4

    def __post_init__(self) -> None:
        check_ranges(self, "phases")


@dataclass(frozen=True)
class OptimizationConfig:
    """How a phase is optimized."""

    learning_rate: Positive = 1e-4  # Adam's learning rate; Section IV-B
    weight_decay: NotNegative = 0.0  # Adam's L2 penalty; the paper does not say
    restart: bool = True  # whether every phase begins with new Adam moments; the paper does not say, not tuned
    batch_size: EvenCount = 16  # videos in a batch, in pairs that share a class; similar methods use 10 to 32
    max_snippets: Count = 1000  # T, the snippets of a training crop; Section IV-B: 1000 THUMOS14, 400 ActivityNet
    sampling: CropSampling = "crop"  # how T snippets of longer videos are taken; Section IV-B
    precision: Precision = "float32"  # of the networks in training (torch.autocast); losses and tests: float32
    storage: Storage = "auto"  # how features are held: in memory, in a temporary file, or read from their own files
    seed: CountOrZero = 0  # seed of initialization, order, crops and dropout

    def __post_init__(self) -> None:
        check_ranges(self, "optimization")


@dataclass(frozen=True)
class StoppingConfig:
    """Whether a run keeps its last epoch, or the best one on training videos that are held out for that choice."""

    on: ChosenBy = "none"  # classification mAP by the held-out videos' labels, or mAP of localization by their segments
    folds: FoldCount = 5  # one of so many parts of the training videos is held out; it trains nothing
    group: str = ""  # regular expression for what names the group in a video's id: groups stay whole; empty: none
    patience: CountOrZero = 0  # epochs without as good a score that end the training; 0: the whole schedule is trained
    seed: CountOrZero = 0  # which videos are held out

    def __post_init__(self) -> None:
        check_ranges(self, "stopping")


@dataclass(frozen=True)
class LocalizationConfig(PostProcessing):
    """From CASs to detections; `amsx test` can change these without training again."""

    beta: Fraction = 0.15  # weight of the rgb stream, equal parts of the rest go to the others; Eq. 12, grid search
    weights: StreamWeights = field(default_factory=dict)  # stream -> its weight, in place of beta; Eq. 12; 0: left out
    supplementary_weight: Fraction = 0.5  # weight of the supplementary CAS beside the base CAS; 0: base branch alone
    smoothing: NotNegative = 0.0  # deviation in snippets of a Gaussian that smooths the fused CAS; not in the paper

    def __post_init__(self) -> None:
        if fault := weights_fault(self.weights):
            raise ValueError(f"localization.weights: {fault}")
        super().__post_init__()

    def stream_weights(self, streams: Sequence[str]) -> list[float]:
        """The weights of `streams` in late fusion (Eq. 12), in their order; ValueError as `fusion.stream_weights`."""
        return stream_weights(streams, self.beta, self.weights)


@dataclass(frozen=True)
class EvaluationConfig:
    """How detections are scored at the end of a run."""

    protocol: ProtocolName = "activitynet"  # the rules by which detections are scored, by their name
    tiou: TiouThresholds = THUMOS14_TIOU  # temporal IoU thresholds; the score is the mean of their mAPs

    def __post_init__(self) -> None:
        check_ranges(self, "evaluation")


@dataclass(frozen=True)
class Config:
    """The whole configuration of a run. `Config()` has the paper's settings for THUMOS14."""

    model: ModelConfig = field(default_factory=ModelConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    phases: PhasesConfig = field(default_factory=PhasesConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    stopping: StoppingConfig = field(default_factory=StoppingConfig)
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
    """`config` with assignments like "loss.localization_weight=0.5", each parsed according to its field's type.

    Values are checked together, so their order does not matter; of two assignments to one key, the last counts.
    """
    changes: dict[str, dict[str, Any]] = {}
    for section, field_name, value in map(_assigned, assignments):
        changes.setdefault(section, {})[field_name] = value
    sections = {name: dataclasses.replace(getattr(config, name), **values) for name, values in changes.items()}
    return dataclasses.replace(config, **sections)


def check_assignments(assignments: Iterable[str]) -> None:
    """ValueError where `override` would refuse an assignment whatever the configuration that it changes."""
    section_types = typing.get_type_hints(Config)
    for assignment in assignments:
        section, field_name, value = _assigned(assignment)
        allowed = ranges_of(section_types[section]).get(field_name)
        if allowed is not None and not allowed.includes(value):
            raise ValueError(f"{section}.{field_name} must be {allowed.words}, got {value!r}")


def _assigned(assignment: str) -> tuple[str, str, Any]:
    """The section, the field and the value of an assignment."""
    key, equals, text = assignment.partition("=")
    parts = key.strip().split(".")
    section_types = typing.get_type_hints(Config)
    if not equals or len(parts) != 2:
        homes = [f"{name}.{key}" for name, kind in section_types.items() if key in typing.get_type_hints(kind)]
        hint = f"; did you mean {' or '.join(homes)}?" if homes else ""
        raise ValueError(f"expected section.field=value, got {assignment!r}{hint}")
    if parts[0] not in section_types:
        raise ValueError(unknown_key(parts[0], section_types))
    field_types = typing.get_type_hints(section_types[parts[0]])
    if parts[1] not in field_types:
        raise ValueError(unknown_key(parts[1], field_types, parts[0] + "."))
    return parts[0], parts[1], _parse(text.strip(), field_types[parts[1]], key.strip())


def differences(a: Config, b: Config, wording: str = "{key}: {a!r}, {b!r}") -> list[str]:
    """The fields in which two configurations differ, each as `wording` puts its key and its two values."""
    left, right = to_dict(a), to_dict(b)
    return [
        wording.format(key=f"{section}.{name}", a=left[section][name], b=right[section][name])
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
            raise ValueError(unknown_key(key, hints, prefix))
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
    if origin is Mapping:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise TypeError(f"{name} must be an object of names and numbers, got {value!r}")
        return {key: _checked(v, get_args(kind)[1], f"{name}.{key}") for key, v in value.items()}
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
        if text.lower() == "none":
            return ()
        try:
            return tuple(_parse(part.strip(), get_args(kind)[0], name) for part in text.split(",") if part.strip())
        except ValueError:
            raise ValueError(f"{name} must be numbers separated by commas, got {text!r}") from None
    if origin is Mapping:
        return _parse_mapping(text, get_args(kind)[1], name)
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


def _parse_mapping(text: str, kind: Any, name: str) -> dict[str, Any]:
    """The text "rgb:0.15,flow:0.85" as a mapping, empty for "none"."""
    values: dict[str, Any] = {}
    for part in text.split(",") if text.lower() != "none" else []:
        key, colon, value = map(str.strip, part.rpartition(":"))
        if not colon or not key or key in values:
            raise ValueError(f"{name} must be NAME:NUMBER pairs separated by commas, each name once, got {text!r}")
        values[key] = _parse(value, kind, f"{name}, {key},")
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def unknown_key(key: str, known: Iterable[str], prefix: str = "") -> str:
    """What to say of a key that is none of the `known` ones below `prefix`: the nearest of them."""
    names = list(known)
    close = get_close_matches(key, names)
    hint = f"did you mean {' or '.join(prefix + c for c in close)}?" if close else f"known: {', '.join(names)}"
    return f"unknown configuration key {prefix + key!r}; {hint}"
