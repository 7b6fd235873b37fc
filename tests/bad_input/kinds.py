"""What a kind of bad input is, and how one is registered.

A kind is a function `(folder) -> path`: it writes the files into an empty folder and returns what a user would give.
It ends in one of two ways:

- refused: `@refused(door, rule)`: a ValueError or OSError whose message is one line, names the input and matches
  `rule`;
- repaired: `@repaired(**options)`: it is read, and gives the frames (or passes the check) that the function returns
  beside the path.

Doors are those that users go through: "movies" (`read_movies` and all of its frames), "torch" (the weights of a
`.ckpt`), "model" (`load_model`) and "flags" (a command line: the function returns its arguments, the command first).
"""

import os
import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

DOORS = ("movies", "torch", "model", "flags")
SENTINEL = "somebody-was-here"


class Kind(NamedTuple):
    """One kind of bad input.

    Attributes:
      name: of the function.
      door: one of DOORS.
      make: the function.
      rule: pattern of the refusal; None where it is repaired.
      options: of `read_movies`.
      huge: whether it asks for more memory than there is: read in a process with little memory.
    """

    name: str
    door: str
    make: Callable
    rule: str | None
    options: dict
    huge: bool


KINDS: dict[str, Kind] = {}


def refused(door: str, rule: str, *, huge: bool = False, **options):
    """Registers a kind that must be refused."""
    return _register(door, rule, huge, options)


def repaired(*, huge: bool = False, **options):
    """Registers a kind that must be read, as movies."""
    return _register("movies", None, huge, options)


def _register(door, rule, huge, options):
    def register(make):
        if make.__name__ in KINDS or door not in DOORS:
            raise ValueError(f"{make.__name__} is there already, or its door {door} is unknown")
        KINDS[make.__name__] = Kind(make.__name__, door, make, rule, options, huge)
        return make

    return register


class Intruder:
    """Unpickled, it would run a command that leaves the file SENTINEL in `folder`."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def __reduce__(self):
        return os.system, (f'"{sys.executable}" -c "open({str(self.folder / SENTINEL)!r}, \'w\')"',)
