"""Remarks on movies: labels that were inferred, and values that cannot be weather and were changed."""

from collections.abc import Iterable
from typing import Any

from predjax.radar.formats.lazy import find_tally
from predjax.radar.formats.possible_values import describe_counts
from predjax.radar.movies import Movies


def list_remarks(movies: Movies) -> list[str]:
    """Return a line for each inferred label, and for each kind of value that was changed so far."""
    tally = find_tally(movies["frames"])
    return [*movies.attrs.get("remarks", ()), *(describe_counts(tally.counts()) if tally else ())]


def log_changes(movies: Movies, said: set[str] | None = None) -> None:
    """Log the kinds of values that were changed so far, and from now on each kind when it is first found.

    Movies that share `said` log each kind of change once.
    """
    if tally := find_tally(movies["frames"]):
        tally.announce(movies.attrs["source"], said)


def list_changes(sources: Iterable[Movies]) -> list[str]:
    """Return a line for each kind of value that was changed so far, with the name of its source."""
    tallies = [(movies.attrs["source"], find_tally(movies["frames"])) for movies in sources]
    return [f"{name}: {line}" for name, tally in tallies if tally for line in describe_counts(tally.counts())]


def count_values(movies: Movies) -> dict[str, Any]:
    """Read every frame once; return the counts of changed values, see `possible_values.Tally.counts`.

    Errors: ValueError, a frame cannot be read or holds what cannot be weather.
    """
    tally = find_tally(movies["frames"])
    if tally is None:
        return {}
    tally.clear()
    for movie in movies["frames"].variable:
        for frame in movie:
            frame.load()
    return tally.counts()
