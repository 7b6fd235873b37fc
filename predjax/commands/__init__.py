"""The commands: flags become configurations, configurations become one call."""

import argparse
import difflib
import functools
import logging
import os
import sys
from collections.abc import Callable

from predjax.messages import one_line


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, with the nearest flag for an unknown one."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message):
        unknown = message.removeprefix("unrecognized arguments: ").split()[0]
        near = difflib.get_close_matches(unknown.split("=")[0], self._option_string_actions, 1)
        if unknown.startswith("--") and near:
            message += f"; did you mean {near[0]}?"
        self.exit(2, f"{self.prog}: {one_line(message)} (--help lists the flags)\n")


def one_line_errors(command: Callable) -> Callable:
    """A command whose errors about its input are one line on stderr and exit code 2; PREDJAX_TRACEBACK=1 shows all."""

    @functools.wraps(command)
    def run(arguments=None) -> int:
        logging.basicConfig(level=logging.WARNING, handlers=[_handler()])
        logging.getLogger("predjax").setLevel(logging.INFO)
        try:
            return command(arguments) or 0
        except (ValueError, OSError, MemoryError, KeyboardInterrupt) as error:
            return report_error(error)

    return run


def report_error(error: BaseException) -> int:
    """Says on one line what is wrong with the input; the exit code. Raises what is no such error again."""
    if isinstance(error, KeyboardInterrupt):
        print("predjax: interrupted", file=sys.stderr)
        return 130
    if os.environ.get("PREDJAX_TRACEBACK") or not isinstance(error, ValueError | OSError | MemoryError):
        raise error
    print(f"predjax: {one_line(_describe(error))}", file=sys.stderr)
    return 2


class _Lines(logging.Formatter):
    """Messages of one line each, whatever names of files are in them."""

    def formatMessage(self, record):
        return one_line(super().formatMessage(record))


def _handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines("%(message)s"))
    return handler


def _describe(error) -> str:
    """An OSError as `path: reason` without its number."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({error})" if str(error) else "there is not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
