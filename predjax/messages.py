"""What is in files and names, as one line of a terminal."""

import contextlib
import difflib
from collections.abc import Iterable

_LONGEST = 2000  # characters of a line; of more the middle is left out


def one_line(text: str) -> str:
    r"""Text in which line breaks, terminal escapes and whatever else cannot be printed is visible, as `repr` shows it.

    >>> print(one_line("a\nb\x1b[31m"))
    a\nb\x1b[31m
    """
    if text.isprintable() and len(text) <= _LONGEST:
        return text
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]} ... {shown[-_LONGEST // 2 :]}"


@contextlib.contextmanager
def one_line_messages():
    """Makes the messages of ValueErrors and OSErrors of a block or function one line, whatever names they hold."""
    try:
        yield
    except (ValueError, OSError) as error:
        error.args = tuple(one_line(part) if isinstance(part, str) else part for part in error.args)
        raise


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or nothing where none is near.

    >>> suggest("predrn", ["predrnn", "mim"])
    '; did you mean predrnn?'
    """
    by_letters = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), by_letters, 1)
    return f"; did you mean {by_letters[near[0]]}?" if near else ""
