"""What was taken for what when movies were read: labels that were inferred, values that are no weather."""

from typing import Any

from predjax.radar.formats.lazy import find_tally
from predjax.radar.formats.possible_values import describe_counts
from predjax.radar.movies import Movies


def list_remarks(movies: Movies) -> list[str]:
    """Return a line for each label that was taken for something, and for each kind of value that was changed so far."""
    tally = find_tally(movies["frames"])
    return [*movies.attrs.get("remarks", ()), *(describe_counts(tally.counts()) if tally else ())]


def count_values(movies: Movies) -> dict[str, Any]:
    """Read every frame once; return the counts of changed values, as of `possible_values.Tally.counts`.

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
