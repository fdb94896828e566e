"""Every setting as a text: its value, range, meaning and source, for a terminal."""

import textwrap
from collections.abc import Iterable
from typing import Any

from amsx.training.config import Config, to_dict, unknown_key
from amsx.training.config_reference import Setting, section_titles, settings

WIDTH = 100  # columns of a description


def settings_text(config: Config | None = None, part: str | None = None) -> str:
    """A table of all settings, of a section ("sampling") or of one ("sampling.eta"), with the values of `config`.

    Values that are not the default stand beside it. ValueError for a section or key that does not exist.
    """
    values = to_dict(config or Config())
    chosen = settings_of(part)
    lines: list[str] = []
    for section in dict.fromkeys(setting.section for setting in chosen):
        lines += ["", f"{section}: {section_titles()[section]}"]
        for setting in (setting for setting in chosen if setting.section == section):
            lines += _lines(setting, values[section][setting.key])
    return "\n".join([*lines[1:], "", "--set SECTION.KEY=VALUE changes a setting."])


def settings_json(config: Config | None = None, part: str | None = None) -> list[dict[str, Any]]:
    """The same as JSON values."""
    values = to_dict(config or Config())
    default = to_dict(Config())
    return [
        {
            "key": f"{setting.section}.{setting.key}",
            "value": values[setting.section][setting.key],
            "default": default[setting.section][setting.key],
            "type": setting.type.replace("`", ""),
            "range": setting.range or None,
            "description": setting.description,
        }
        for setting in settings_of(part)
    ]


def settings_of(part: str | None) -> list[Setting]:
    """All settings, those of a section, or the one of that key; ValueError where there is none."""
    known = settings()
    if part is None:
        return known
    chosen = [setting for setting in known if part in (setting.section, f"{setting.section}.{setting.key}")]
    if not chosen:
        raise ValueError(unknown_key(part, _names(known)))
    return chosen


def _names(known: Iterable[Setting]) -> list[str]:
    sections = dict.fromkeys(setting.section for setting in known)
    return [*sections, *(f"{setting.section}.{setting.key}" for setting in known)]


def _lines(setting: Setting, value: Any) -> list[str]:
    shown = _as_set(value)
    default = _as_set(to_dict(Config())[setting.section][setting.key])
    notes = [] if shown == default else [f"default {default}"]
    notes.append(setting.range or setting.type.replace("`", "").replace('"', ""))
    text = textwrap.wrap(setting.description, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return [f"  {setting.section}.{setting.key} = {shown}   ({'; '.join(notes)})", *text]


def _as_set(value: Any) -> str:
    """A value as --set takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{name}:{part:g}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return ",".join(f"{part:g}" for part in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
