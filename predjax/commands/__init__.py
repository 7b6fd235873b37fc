"""The commands: flags become configurations, configurations become one call."""

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Callable

from predjax.messages import one_line

COMMANDS = {
    "train": "trains a model on radar movies and verifies it on held-out ones",
    "evaluate": "scores a model or baselines, and writes the predicted frames",
    "forecast": "continues the newest frames of a folder, once or whenever new ones arrive",
    "launch": "starts several processes of a training, and again when one dies",
    "prepare": "turns an archive of files into one store that trains fast",
    "analyse": "finds the fixed points of a model of a series, and draws its dynamics",
    "export-weights": "writes the weights of a trained model without what training needs",
    "models": "prints the models with their papers, states and options",
}
CLOSED_PIPE = 141  # the exit code of a command whose output nobody reads any more: 128 + SIGPIPE


def one_line_errors(command: Callable) -> Callable:
    """A command whose errors about its input are one line on stderr and exit code 2; PREDJAX_TRACEBACK=1 shows all."""

    @functools.wraps(command)
    def run(arguments=None) -> int:
        logging.basicConfig(level=logging.WARNING, handlers=[_handler()])
        logging.getLogger("predjax").setLevel(logging.INFO)
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(line_buffering=True)  # also where it is a file or a pipe that somebody follows
        try:
            try:
                return command(arguments) or 0
            finally:
                sys.stdout.flush()
        except (ValueError, OSError, MemoryError, KeyboardInterrupt) as error:
            return report_error(error)

    return run


def report_error(error: BaseException) -> int:
    """Says on one line what is wrong with the input; the exit code. Raises what is no such error again."""
    if isinstance(error, KeyboardInterrupt):
        print("predjax: interrupted", file=sys.stderr)
        return 130
    if isinstance(error, BrokenPipeError):
        with contextlib.suppress(OSError):  # what Python still writes at its end goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    if os.environ.get("PREDJAX_TRACEBACK") or not isinstance(error, ValueError | OSError | MemoryError):
        raise error
    print(f"predjax: {one_line(_describe(error))}", file=sys.stderr)
    return 2


class _Lines(logging.Formatter):
    """Messages of one line each, whatever names of files are in them."""

    def formatMessage(self, record):
        return one_line(super().formatMessage(record))


class _Output(logging.StreamHandler):
    """Writes to stdout; where that fails the command does."""

    def handleError(self, record):
        raise


def _handler() -> logging.Handler:
    handler = _Output(sys.stdout)
    handler.setFormatter(_Lines("%(message)s"))
    return handler


def _describe(error) -> str:
    """An OSError as `path: reason` without its number."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory ({error})" if str(error) else "there is not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
