"""The reference of all settings as Markdown: `python -m amsx.training.config_reference > docs/configuration.md`.

Types, ranges and defaults come from the dataclasses of `amsx.training.config`, descriptions from the comments behind
their fields.
"""

import dataclasses
import inspect
import json
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amsx.ranges import ranges_of
from amsx.training.config import Config

_COMMENT = re.compile(r"^    # (.*)$")
_FIELD = re.compile(r"^    (\w+): [^#]*(?:# (.*))?$")

_INTRODUCTION = """\
<!-- Written by `python -m amsx.training.config_reference > docs/configuration.md`; do not edit. -->

# Configuration

Every setting of a run. The defaults are the paper's for THUMOS14, or this project's where the description says that
the paper is silent. `--set SECTION.KEY=VALUE` changes one, `--config FILE` starts from a file, and `RUN/config.json`
lists all settings of a run. `amsx config` prints what is below (`amsx config sampling` a section of it, with `--preset`
the values of a preset, with `--json` for programs), and so does `--set help`. An unknown key, a wrong type or a value
outside its range is an error. Equations, tables and sections are those of the paper (arXiv:2104.02357).
"""


@dataclass(frozen=True)
class Setting:
    """One key of the configuration."""

    section: str  # e.g. "model"
    key: str  # e.g. "hidden"
    type: str  # in words, e.g. "number"; a list of the choices where there are few
    default: str  # as in config.json
    range: str  # the allowed values in words; empty where the type says it all
    description: str  # meaning, unit and source


def settings() -> list[Setting]:
    """Every key of the configuration, in order."""
    return [setting for name, section in _sections().items() for setting in _settings_of(name, section)]


def section_titles() -> dict[str, str]:
    """Section -> what it is about, in a sentence."""
    return {name: (inspect.getdoc(section) or "").splitlines()[0] for name, section in _sections().items()}


def field_comments(cls: type) -> dict[str, str]:
    """Field -> the comment behind it or above it, for a dataclass or a named tuple and the classes it extends."""
    comments: dict[str, str] = {}
    for part in reversed(cls.__mro__):
        if own := vars(part).get("__annotations__"):
            above: list[str] = []
            for line in inspect.getsource(part).splitlines():
                if comment := _COMMENT.match(line):
                    above.append(comment[1])
                    continue
                field = _FIELD.match(line)
                if field and field[1] in own and (text := field[2] or " ".join(above)):
                    comments[field[1]] = text
                above = []
    return comments


def markdown() -> str:
    """The page docs/configuration.md: one table for each section."""
    parts = [_INTRODUCTION]
    for name, section in _sections().items():
        lines = [f"## {name}", "", inspect.getdoc(section) or "", ""]
        lines += ["| key | type | default | range | what it is |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| `{s.key}` | {s.type} | `{s.default}` | {s.range} | {s.description} |".replace("|  |", "| |")
            for s in _settings_of(name, section)
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _sections() -> dict[str, type]:
    return typing.get_type_hints(Config)


def _settings_of(name: str, section: type) -> list[Setting]:
    hints, ranges, comments = typing.get_type_hints(section), ranges_of(section), field_comments(section)
    return [
        Setting(
            section=name,
            key=field.name,
            type=_type_in_words(hints[field.name]),
            default=json.dumps(_default(field)),
            range="" if _is_choice(hints[field.name]) else ranges[field.name].words if field.name in ranges else "",
            description=comments[field.name],
        )
        for field in dataclasses.fields(section)
    ]


def _default(field: "dataclasses.Field[Any]") -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _is_choice(kind: Any) -> bool:
    return typing.get_origin(kind) is typing.Literal


def _type_in_words(kind: Any) -> str:
    if _is_choice(kind):
        return ", ".join(f"`{json.dumps(choice)}`" for choice in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "list of numbers"
    if typing.get_origin(kind) is Mapping:
        return "name to number; `--set` takes `rgb:0.15,flow:0.85`"
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}[kind]


if __name__ == "__main__":
    print(markdown(), end="")
