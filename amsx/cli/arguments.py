"""How commands take options: help in titled groups with every default, and errors that name the nearest option."""

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # what add_subparsers returns has no public name
else:
    Commands = object

# Title -> the options that stand under it in the help of a command; what is not listed stands under "options".
TITLES: dict[str, tuple[str, ...]] = {
    "data": (
        *("--layout", "--data-option", "--stream", "--validation", "--subset", "--transpose"),
        *("--split", "--exclude", "--ambiguous", "--labels", "--frames"),
    ),
    "settings": ("--preset", "--config", "--set", "--seed", "--backbone"),
    "experiment": (
        *("--table", "--figure", "--row", "--seeds", "--trials", "--share", "--group"),
        *("--try", "--folds", "--perturb"),
    ),
    "output": (
        "--out",
        "--name",
        "--to",
        "--format",
        "--json",
        "--tensorboard",
        "--per-class",
        "--plots",
        "--snippets",
    ),
    "running": ("--resume", "--expect", "--device", "--jobs", "--workers", "--quiet"),
}
_TITLE_OF = {option: title for title, options in TITLES.items() for option in options}
_INVALID_CHOICE = re.compile(r"invalid choice: '?(.*?)'? \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """A parser, and those of its commands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", HelpFormatter)
        self._titled: dict[str, argparse._ArgumentGroup] = {}
        super().__init__(*args, **kwargs)

    def add_argument(self, *names: str, **kwargs: Any) -> argparse.Action:
        """Add an argument, under its title."""
        title = next((_TITLE_OF[name] for name in names if name in _TITLE_OF), None)
        if title is None:
            return super().add_argument(*names, **kwargs)
        if title not in self._titled:
            self._titled[title] = self.add_argument_group(title)
        return self._titled[title].add_argument(*names, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse all arguments: what a command does not know is an error of the command, which shows its usage."""
        parsed, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(self._unknown(rest[0]))
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and exit; what may help is added to the message."""
        if message.endswith("expected one argument"):
            option = message.removeprefix("argument ").partition(":")[0].split("/")[-1]
            message += f" (a value that begins with a dash is given as {option}=VALUE)"
        elif match := _INVALID_CHOICE.search(message):
            message += _nearest(match[1], [choice.strip(" '\"") for choice in match[2].split(",")])
        super().error(message)

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"unexpected argument {argument!r}"
        option = argument.partition("=")[0]
        near = _nearest(option, self._option_string_actions)
        return f"unknown option {option}{near or f'; {self.prog} --help lists those there are'}"


def _nearest(word: str, known: Any) -> str:
    close = get_close_matches(word, list(known), n=2)
    return f"; did you mean {' or '.join(close)}?" if close else ""


class HelpFormatter(argparse.HelpFormatter):
    """Help that shows the default of every option, and keeps the lines of a text that has several."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return super()._fill_text(text, width, indent)
        return "\n".join(indent + line for line in text.splitlines())

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help
        if text is None or not action.option_strings or action.default is argparse.SUPPRESS or "(default" in text:
            return text
        if action.required:
            return f"{text} (required)"
        if action.nargs == 0:
            return f"{text} (default: off)"
        return f"{text} (default: {'none' if action.default in (None, []) else '%(default)s'})"


class SettingsAction(argparse.Action):
    """Collects SECTION.KEY=VALUE; the word "help" in its place prints every setting, and ends the command."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Append one assignment."""
        if values == "help":
            from amsx.training.config_table import settings_text

            print(settings_text())
            parser.exit()
        given: Sequence[str] = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*given, values])
