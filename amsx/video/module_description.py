"""The TOML file in which users say how a network of theirs is fed and read; docs/extractors.md explains every key."""

import json
import sys
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

Format = Literal["torchscript", "torch-export", "onnx"]
SUFFIXES: Mapping[str, Format] = {".pt": "torchscript", ".ts": "torchscript", ".pt2": "torch-export", ".onnx": "onnx"}

_T = TypeVar("_T")


@dataclass(frozen=True)
class Frames:
    """Which frames of a snippet the network sees."""

    snippet: int = 16  # frames that a snippet's clip spans
    count: int | None = None  # how many of them are given to the network, evenly spaced; None: all
    short_side: int | None = None  # pixels of the shorter side after resizing, the shape is kept; None: as it is
    crop: int | None = None  # pixels of the sides of the square that is cut from the centre; None: the whole frame
    resize: tuple[int, ...] = ()  # height and width to which the rest is resized, whatever its shape

    def __post_init__(self) -> None:
        if self.snippet < 1 or not 1 <= self.seen <= self.snippet:
            raise ValueError(f"count must be in 1..{max(self.snippet, 1)}, the frames of a snippet, got {self.count}")
        if self.resize and (len(self.resize) != 2 or min(self.resize) < 1):
            raise ValueError(f"resize must be a height and a width in pixels, got {list(self.resize)}")

    @property
    def seen(self) -> int:
        """The frames that are given to the network."""
        return self.snippet if self.count is None else self.count


@dataclass(frozen=True)
class Input:
    """The tensor that the network takes: (value clipped to +-clip, / divide_by - mean) / std in one order of axes."""

    layout: Literal["NCTHW", "NTCHW", "NCHW"] = "NCTHW"  # NCHW: every frame by itself; their vectors are averaged
    colours: Literal["rgb", "bgr"] = "rgb"  # the order of the channels of frames
    clip: float | None = None  # of flow: pixels beyond which it is cut off
    divide_by: float = 1.0
    mean: tuple[float, ...] = (0.0,)  # one value, or one for each channel
    std: tuple[float, ...] = (1.0,)  # likewise
    batch: int = 8  # clips (of NCHW: frames) that are given to the network at once

    def __post_init__(self) -> None:
        if not self.divide_by or not all(self.std):
            raise ValueError("divide_by and std must not be 0")
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, got {self.batch}")
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"clip must be greater than 0, got {self.clip}")


@dataclass(frozen=True)
class Output:
    """Where the vector is in what the network returns."""

    index: int = 0  # of several outputs
    name: str | None = None  # of an output in place of its index, where outputs have names
    pool: Literal["none", "tokens", "first-token", "map"] = (
        "none"  # (N, D); (N, ..., D) mean or first; (N, D, ...) mean
    )
    normalize: bool = False  # whether the vector is scaled to length 1


@dataclass(frozen=True)
class ModuleDescription:
    """A network in a file, and how it is fed and read."""

    file: Path
    kind: Literal["rgb", "flow"]  # what it looks at
    width: int  # D, the length of a vector
    format: Format | None = None  # None: by the file's suffix
    sha256: str | None = None  # the checksum that the file must have
    frames: Frames = field(default_factory=Frames)
    input: Input = field(default_factory=Input)
    output: Output = field(default_factory=Output)

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")
        if self.format is None and self.file.suffix not in SUFFIXES:
            raise ValueError(
                f"format must be one of {', '.join(get_args(Format))}: {self.file.name} does not say which"
            )
        channels = 3 if self.kind == "rgb" else 2
        for name in ("mean", "std"):
            if len(getattr(self.input, name)) not in (1, channels):
                raise ValueError(f"input.{name} must have 1 value or {channels}, those of {self.kind}")
        if self.kind == "flow" and self.input.colours != "rgb":
            raise ValueError("input.colours is of frames; flow has none")
        if self.kind == "rgb" and self.input.clip is not None:
            raise ValueError("input.clip is of flow; frames are not clipped")

    @property
    def known_format(self) -> Format:
        """The format, stated or by the file's suffix."""
        return self.format or SUFFIXES[self.file.suffix]

    def settings(self) -> dict[str, Any]:
        """Everything that the vectors depend on but the file's content, as JSON values."""
        values = asdict(self)
        del values["file"], values["sha256"], values["input"]["batch"]
        as_read: dict[str, Any] = json.loads(json.dumps({**values, "format": self.known_format}))  # lists, no tuples
        return as_read


def read_description(path: Path) -> ModuleDescription:
    """Read a description; the file that it names is looked for beside it.

    FileNotFoundError where there is none; ValueError, naming file and key, for what is no TOML, for unknown and missing
    keys, for values of another type, and for values that do not fit together.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no description of a module at {path}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error
    try:
        description = _section(ModuleDescription, values, "")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return description


def _section(cls: type[_T], values: Mapping[str, Any], prefix: str) -> _T:
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in hints:
            close = get_close_matches(key, hints)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known are {', '.join(prefix + k for k in hints)}"
            raise ValueError(f"unknown key {prefix}{key}; {hint}")
    declared: Any = cls
    for one in fields(declared):
        if one.default is MISSING and one.default_factory is MISSING and one.name not in values:
            raise ValueError(f"the key {prefix}{one.name} is missing")
    return cls(**{key: _value(value, hints[key], prefix + key) for key, value in values.items()})


def _value(value: Any, kind: Any, key: str) -> Any:
    """`value` as the type `kind` of a field, without any conversion but of whole numbers to float."""
    options = [option for option in get_args(kind) if option is not type(None)]
    if type(None) in get_args(kind):
        return _value(value, options[0], key)
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ValueError(f"{key} must be a table, got {value!r}")
        return _section(typing.cast(type[Any], kind), value, f"{key}.")
    if get_origin(kind) is Literal:
        if value not in options:
            raise ValueError(f"{key} must be one of {', '.join(map(repr, options))}, got {value!r}")
        return value
    if get_origin(kind) is tuple:
        values = value if isinstance(value, list) else [value]
        return tuple(_value(one, options[0], key) for one in values)
    if kind is float and type(value) is int:
        return float(value)
    if kind is Path and type(value) is str:
        return Path(value)
    if type(value) is not kind:
        words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a text"}
        raise ValueError(f"{key} must be {words[kind]}, got {value!r}")
    return value
