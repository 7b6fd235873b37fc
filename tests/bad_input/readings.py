"""Bad input through the doors that users go through."""

import os
import pathlib
import re

import numpy as np

from predjax.messages import one_line
from predjax.radar.readers import read_movies

DAMAGE = (ValueError, OSError)


def read_all(path, **options):
    """The movies of a path, with every frame read."""
    movies = read_movies(path, **options)
    for one in movies:
        one.load()
    return movies


def go_through(kind, path):
    """What a user gets who gives `path`."""
    if kind.door == "movies":
        return read_all(path, **kind.options)
    if kind.door == "torch":
        from predjax.models.interop.torch_weights import read_checkpoint

        return read_checkpoint(path)
    from predjax.nowcasts.model import load_model

    return load_model(path)


def check_refusal(error: BaseException, rule: str, path) -> None:
    """Asserts that an error is one line that names the path and matches the rule."""
    message = str(error)
    assert isinstance(error, DAMAGE), f"{type(error).__name__}: {message[:500]}"
    assert message.isprintable(), repr(message[:500])
    assert len(message) < 3000 and "pickle=" not in message
    names = [one_line(pathlib.Path(os.fspath(path)).name), repr(pathlib.Path(os.fspath(path)).name)[1:-1]]
    assert any(name in message for name in names), message
    assert re.search(rule, message), message


def check_repair(movies, expected) -> None:
    """Asserts the frames, or what a check asserts of the movies."""
    if callable(expected):
        expected(movies)
    else:
        np.testing.assert_array_equal(movies[0].frames.values[0, ..., 0], np.float32(expected))
