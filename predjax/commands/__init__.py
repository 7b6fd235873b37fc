"""The commands: each turns its flags into a request, makes one call with it, and prints the result."""

import functools
import logging
import sys
from collections.abc import Callable, Sequence

from predjax.messages import one_line, report_error

COMMANDS = {
    "inspect": "says what predjax understands of files, before anything is trained",
    "train": "trains a model on radar movies and verifies it on held-out ones",
    "evaluate": "scores a model or baselines, and writes the predicted frames",
    "compare": "trains several models alike, with several seeds, and scores them in one table",
    "sweep": "searches flags of a training: many short ones, by their validation scores",
    "forecast": "continues the newest frames of a folder, once or whenever new ones arrive",
    "launch": "starts several processes of a training, and again when one dies",
    "prepare": "turns an archive of files into one store that trains fast",
    "analyse": "finds the fixed points of a model of a series, and draws its dynamics",
    "export-weights": "writes the weights of a trained model without what training needs",
    "recipes": "prints the published settings that train --recipe takes",
    "models": "prints the models with their papers, states and options",
}


def one_line_errors(command: Callable) -> Callable:
    """Make a command report an error of its input as one line on stderr, with exit code 2.

    PREDJAX_TRACEBACK=1 shows the whole error.
    """

    @functools.wraps(command)
    def run(arguments: Sequence[str] | None = None) -> int:
        logging.basicConfig(level=logging.WARNING, handlers=[make_handler()])
        logging.getLogger("predjax").setLevel(logging.INFO)
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(line_buffering=True)  # also where it is a file or a pipe that somebody follows
        try:
            try:
                return command(arguments) or 0
            finally:
                sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            return report_error(error)

    return run


class _Lines(logging.Formatter):
    """A formatter that writes each message in one line, even if names of files have line breaks."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))


class _Output(logging.StreamHandler):
    """A handler that writes to stdout, and raises the error when writing fails, so that the command fails too."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise


def make_handler() -> logging.Handler:
    """Return the handler that prints each message of the log as one line of the command's output."""
    handler = _Output(sys.stdout)
    handler.setFormatter(_Lines("%(message)s"))
    return handler
