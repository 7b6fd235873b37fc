"""Paths as users give them in flags, in Python and in files of flags: with `~`, commas and patterns."""

import glob
import os
import pathlib
from collections.abc import Iterator

_MOST_COMMAS = 8  # in one name


def expand_home(path: str | os.PathLike) -> str:
    """Return a path as text, in which `~` at the beginning has become the user's folder."""
    return os.path.expanduser(os.fspath(path))


def split_paths(text: str | os.PathLike) -> list[str]:
    """Return the paths in a text, separated by commas, with `~` expanded; a path that exists may contain commas.

    >>> split_paths("a/*.nc, b")
    ['a/*.nc', 'b']
    """
    whole = expand_home(text)
    if os.path.exists(whole):
        return [whole]
    parts, found, start = os.fspath(text).split(","), [], 0
    while start < len(parts):
        ends = range(start + 1, min(start + 1 + _MOST_COMMAS, len(parts)) + 1)
        names = {end: expand_home(",".join(parts[start:end]).strip()) for end in ends}
        end = next((end for end, name in names.items() if name and any(find_matches(name))), start + 1)
        found += [names[end]] if names[end] else []
        start = end
    return found


def find_matches(path: str) -> Iterator[str]:
    """Yield a path if it exists, else the paths that match it as a pattern of `glob`, with `**` for any folders.

    The beginning of a pattern that exists as a folder is taken as it is: of `run[1]/*.nc` only the part behind the
    folder `run[1]` is a pattern.
    """
    if os.path.exists(path):
        yield path
        return
    folder = next((one for one in pathlib.Path(path).parents if one.exists()), pathlib.Path())
    rest = pathlib.Path(path).relative_to(folder)
    yield from glob.iglob(os.path.join(glob.escape(str(folder)), rest), recursive=True)


def join_absolute(text: str | os.PathLike) -> str:
    """Return paths with commas between them as absolute paths."""
    return ",".join(os.path.abspath(path) for path in split_paths(text))
