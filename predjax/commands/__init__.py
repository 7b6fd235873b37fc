"""The commands: flags become configurations, configurations become one call."""

import functools
import logging
import sys
from collections.abc import Callable

from predjax.messages import one_line, report_error

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
