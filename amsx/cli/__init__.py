"""The `amsx` command. Each module here adds a group of commands, and is imported when one of them is called.

What a command works with (torch, matplotlib, the decoders of video) is imported by the function that runs it, so that
nobody waits for it who asks for help or mistypes an option. What a module imports at its top is what its options need.
The overview of all commands needs none of them.
"""

import argparse
import atexit
import contextlib
import importlib
import io
import os
import select
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import amsx
from amsx.cli.arguments import Commands, Parser
from amsx.cli.commands import COMMANDS, HELP
from amsx.cli.interruption import Interrupted, signals_interrupt, what_stands
from amsx.system_errors import in_words

ID_OPTIONS = ("--exclude", "--video")  # whose value is the id of a video

# Printed without a traceback. RuntimeError is raised for failed cells and missing packages, and by torch.
USER_ERRORS = (ValueError, TypeError, OSError, RuntimeError, ArithmeticError, ImportError, MemoryError)


_SHOWN_BY_PYTHON = warnings.formatwarning


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Errors that a user can mend are printed without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a console cannot show is escaped, and no error
            stream.reconfigure(errors="backslashreplace")
    warnings.formatwarning = _warning
    arguments = _with_ids_joined(sys.argv[1:] if arguments is None else arguments)
    options = None
    try:
        with signals_interrupt():
            try:
                command = next((a for a in arguments if not a.startswith("-")), None)
                options = (parser(command) if command in HELP else overview()).parse_args(arguments)
                if getattr(options, "set", None):
                    from amsx.training.config import check_assignments

                    check_assignments(options.set)  # before any data is read
                options.run(options)
            finally:
                sys.stdout.flush()
    except USER_ERRORS as error:
        if isinstance(error, OSError) and error.filename is None and _output_is_lost(error):
            if isinstance(error, BrokenPipeError):
                return 141  # the status of a program that SIGPIPE ended: `amsx ... | head` is no error
        elif options is not None and options.traceback:
            raise
        print(f"amsx: error: {in_words(error) if isinstance(error, OSError) else error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        print(f"\namsx: interrupted; {what_stands(options)}", file=sys.stderr)
        return interrupt.status if isinstance(interrupt, Interrupted) else 130
    return 0


def program() -> NoReturn:
    """The `amsx` program: `main`, and the end of its process.

    After a signal it ends as soon as what is registered for the end of a process has run. Python would then take torch
    apart, piece by piece, which takes longer than everything else between Ctrl-C and the prompt.
    """
    status = main()
    if status > 128:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(status)
    sys.exit(status)


def _output_is_lost(error: OSError) -> bool:
    """Whether an error is of our own output, whose reader is gone or whose disk is full; the rest is then dropped."""
    try:
        output = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):  # it is no file: somebody collects what is printed
        return False
    if isinstance(error, BrokenPipeError):
        waiting = select.poll()
        waiting.register(output, 0)
        lost = any(event & select.POLLERR for _, event in waiting.poll(0))
    else:
        try:
            sys.stdout.flush()
            lost = False
        except OSError:
            lost = True
    if lost:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return lost


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning as a line of its own where amsx gives it, else as Python shows it."""
    if Path(filename).is_relative_to(Path(amsx.__file__).parent):
        return f"amsx: warning: {message}\n"
    return _SHOWN_BY_PYTHON(message, category, filename, lineno, line)


def _with_ids_joined(arguments: Sequence[str]) -> list[str]:
    """The arguments, in which `--video ID` is written `--video=ID`: an id may begin with a dash, as YouTube's do."""
    joined: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        value = next(rest, None) if argument in ID_OPTIONS else None
        joined.append(argument if value is None else f"{argument}={value}")
        if argument == "--":
            return [*joined, *rest]
    return joined


FIRST_STEPS = """\
first steps:
  amsx demo                       see it work: trains on a small synthetic set, and draws what it finds
  amsx data DATA                  what is in a folder of features, and what is wrong with it
  amsx train DATA --out RUN       train on it, test, and score; --expect says how long that takes
  amsx report RUN                 scores, errors and a timeline of every video, in one HTML file
  amsx localize RUN NEW.mp4       find actions in new videos
  amsx extract VIDEOS --out DATA  for those who have videos and no features
  amsx config                     every setting that --set changes

`amsx COMMAND --help` explains the options of a command."""


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The command line: all of it, or `command` and those that its module adds beside it."""
    top, commands = _top()
    for module, names in COMMANDS.items():
        if command is None or command in names:
            importlib.import_module(f"amsx.cli.{module}").add_to(commands)
    return top


def overview() -> argparse.ArgumentParser:
    """The command line without the options of commands, whose modules stay unread: for `amsx --help` and `info`."""
    top, commands = _top()
    for command, line in HELP.items():
        commands.add_parser(command, help=line)
    return top


def _top() -> tuple[argparse.ArgumentParser, Commands]:
    top: argparse.ArgumentParser = Parser(
        prog="amsx",
        description="Adaptive Mutual Supervision (AMS) for weakly-supervised temporal action localization: train it on "
        "snippet features, localize actions in seconds, score detections, and reproduce the paper's experiments.",
        epilog=FIRST_STEPS,
    )
    top.add_argument("--version", action="version", version=f"amsx {amsx.__version__}")
    top.add_argument("--traceback", action="store_true", help="show the full traceback of an error")
    commands = top.add_subparsers(required=True, dest="command", metavar="COMMAND")
    info = commands.add_parser("info", help="print versions, devices, and what was compiled")
    info.set_defaults(run=_info)
    return top, commands


def _info(_: argparse.Namespace) -> None:
    from amsx.info import describe  # imports torch

    for name, value in describe():
        print(f"{name:<14} {value}")
