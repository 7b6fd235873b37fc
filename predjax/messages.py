"""Messages on one line of a terminal: errors, warnings, suggestions, and the task that a command waits for."""

import contextlib
import difflib
import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator

from tqdm import tqdm

CLOSED_PIPE = 141  # the exit code of a command whose output nobody reads any more: 128 + SIGPIPE
SIGNAL_CODES: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143}  # the exit codes of commands that they end
_NO_MEMORY = "RESOURCE_EXHAUSTED", "failed to map segment", "Cannot allocate memory", "can't start new thread"
_LONGEST = 2000  # characters of a line; the middle of a longer one is left out


def one_line(text: str) -> str:
    r"""Return text with line breaks, terminal escapes and other unprintable characters visible, as in `repr`.

    >>> print(one_line("a\nb\x1b[31m"))
    a\nb\x1b[31m
    """
    if text.isprintable() and len(text) <= _LONGEST:
        return text
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]} ... {shown[-_LONGEST // 2 :]}"


@contextlib.contextmanager
def one_line_messages() -> Iterator[None]:
    """Put the messages of ValueErrors and OSErrors of a block or function on one line, even with odd file names."""
    try:
        yield
    except (ValueError, OSError) as error:
        error.args = tuple(one_line(part) if isinstance(part, str) else part for part in error.args)
        raise


@functools.cache
def warn_once(text: str) -> None:
    """Log a warning that may concern thousands of files once in a process."""
    logging.getLogger("predjax").warning("%s", text)


def report_error(error: BaseException) -> int:
    """Print an error of the input on one line and return the exit code; raise any other error again."""
    if isinstance(error, KeyboardInterrupt):
        print("predjax: interrupted", file=sys.stderr)
        return SIGNAL_CODES[signal.SIGINT]
    if isinstance(error, BrokenPipeError):
        with contextlib.suppress(OSError):  # the last output of Python at its end is dropped
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    known = isinstance(error, ValueError | OSError) or is_lack_of_memory(error)
    if os.environ.get("PREDJAX_TRACEBACK") or not known:
        raise error
    print(f"predjax: {one_line(describe_error(error))}", file=sys.stderr)
    return 2


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python, of XLA on any device, or of loading a library is a lack of memory."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError) and any(sign in str(error) for sign in _NO_MEMORY)
    )


def describe_error(error: BaseException) -> str:
    """Return the message of an error; of an OSError, `path: reason` without its number.

    The message of an error of another kind, which is not about the input, begins with its kind.
    """
    if is_lack_of_memory(error):
        reason = str(error).partition("\n")[0]
        return f"there is not enough memory ({reason})" if reason else "there is not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {error}"


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known name, or nothing where none is near.

    >>> suggest("predrn", ["predrnn", "mim"])
    '; did you mean predrnn?'
    """
    by_letters = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), by_letters, 1)
    return f"; did you mean {by_letters[near[0]]}?" if near else ""


@contextlib.contextmanager
def show_wait(what: str, after: float = 1.0) -> Iterator[None]:
    """Show on a terminal the task that the block works on and how long it has taken so far.

    The line appears after `after` seconds and vanishes at the end.
    """
    ended = threading.Event()

    def tick() -> None:
        if ended.wait(after):
            return
        with tqdm(desc=what, bar_format="{desc} {elapsed}", leave=False) as bar:
            bar.start_t -= after
            while not ended.wait(1.0):
                bar.refresh()

    thread = threading.Thread(target=tick, daemon=True)
    if is_terminal():
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.ident:
            thread.join()


def is_terminal() -> bool:
    """Return whether stderr is a terminal."""
    return bool(sys.stderr and sys.stderr.isatty())


@contextlib.contextmanager
def catch_signals() -> Iterator[list[int]]:
    """Yield a list that collects the numbers of the signals that this process gets in the block."""
    caught: list[int] = []
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in SIGNAL_CODES}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
