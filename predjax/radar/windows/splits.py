"""Parts of a data set for training, for validation and for the test, which share no frame."""

from collections.abc import Sequence
from typing import NamedTuple

from predjax.radar.config import DataConfig
from predjax.radar.windows.runs import Period


class Split(NamedTuple):
    """Periods for training, validation and test that share no frame, and a sentence about the split.

    Where nothing is held out, the sentence gives the reason.
    """

    train: list[Period]
    valid: list[Period]
    test: list[Period]
    rule: str


def split_periods(periods: Sequence[Period], length: int, config: DataConfig) -> Split:
    """Hold out periods for validation and test, before any window of `length` frames is cut.

    By movie: the last movies are the test, the movies before them the validation; only movies that hold a window count.
    By time: the end of every period is the test, the frames before it the validation. Each is at least a window long,
    and the `length` frames between two parts are not used. "auto" is by movie from three movies on.
    Training always keeps a part: without room for all, the test is dropped first, then the validation.
    """
    usable = {(period.source, period.movie): None for period in periods if period.frames >= length}
    if not usable:
        return Split(list(periods), [], [], f"nothing is held out: no run of frames holds a window of {length} frames")
    if config.valid_fraction == config.test_fraction == 0:
        return Split(list(periods), [], [], "nothing is held out: valid_fraction and test_fraction are 0")
    if config.split == "movie" or (config.split == "auto" and len(usable) >= 3):
        return _split_by_movie(periods, list(usable), length, config)
    return _split_by_time(periods, length, config)


def _split_by_movie(periods: Sequence[Period], usable: list[tuple[int, int]], length: int, config: DataConfig) -> Split:
    valid, test = (_share(fraction, len(usable)) for fraction in (config.valid_fraction, config.test_fraction))
    while valid + test > len(usable) - 1:  # training keeps a movie
        valid, test = (valid, test - 1) if test >= valid else (valid - 1, test)
    train = len(usable) - valid - test
    held_out = {movie: part for movie, part in zip(usable, [0] * train + [1] * valid + [2] * test)}
    parts: tuple[list[Period], list[Period], list[Period]] = ([], [], [])
    for period in periods:
        parts[held_out.get((period.source, period.movie), 0)].append(period)
    if not valid + test:
        rule = f"nothing is held out: there is only one movie with a window of {length} frames"
    else:
        rule = f"split by movie: {train} for training, {valid} for validation, {test} for the test"
    return Split(*parts, rule)


def _share(fraction: float, number: int) -> int:
    """Return a fraction of a number of movies as a whole number: at least one, but none for a fraction of 0."""
    return max(1, round(fraction * number)) if fraction else 0


def _split_by_time(periods: Sequence[Period], length: int, config: DataConfig) -> Split:
    parts: tuple[list[Period], list[Period], list[Period]] = ([], [], [])
    fractions = config.valid_fraction, config.test_fraction
    for period in periods:
        frames = period.frames
        valid, test = (max(length, round(fraction * frames)) if fraction else 0 for fraction in fractions)
        if not _fits(frames, length, valid, test):
            test = 0
        if not _fits(frames, length, valid, test):
            valid = 0
        # From the end backwards: the test, a gap, the validation, a gap; training has the rest.
        stop = period.stop
        for part, held_out in ((parts[2], test), (parts[1], valid)):
            if held_out:
                part.append(period._replace(start=stop - held_out, stop=stop))
                stop -= held_out + length
        parts[0].append(period._replace(stop=stop))
    train, valid, test = (sum(period.frames for period in part) for part in parts)
    longest = max(period.frames for period in periods)
    if not valid + test:
        rule = (
            f"nothing is held out: the longest run of {longest} frames has no room for training, a gap and "
            f"a held-out part of at least {length} frames each"
        )
    else:
        rule = (
            f"split by time: {train} frames for training, {valid} for validation, {test} for the test, "
            f"with {length} frames between the parts"
        )
        if fractions[1] and not test:
            rule += f" (the longest run of {longest} frames has no room for a test part as well)"
    return Split(*parts, rule)


def _fits(frames: int, length: int, *held_out: int) -> bool:
    """Return whether `frames` have room for these parts, a gap before each of them, and a window to train on."""
    return sum(part + length for part in held_out if part) + length <= frames
