"""The slabs of an archive, runs of consecutive frames, read and packed for a store."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.formats.lazy import cut_frames, find_codes, find_tally
from predjax.radar.formats.possible_values import Tally, add_counts
from predjax.radar.store.archive import Bad, Source
from predjax.radar.store.packing import Packing, choose_packing


class Reader(NamedTuple):
    """The open frames of one source."""

    source: Source  # where the frames lie
    packing: Packing  # how the store keeps them
    frames: xr.Variable  # (movie, time, y, x, channel), codes of the source or values
    spare: xr.Variable | None  # frames whose times are in `frames` already, in the same form, or None
    units: str


class Slab(NamedTuple):
    """Consecutive frames of a source."""

    numbers: np.ndarray  # (frame, y, x, channel) to store
    values: np.ndarray  # the decoded numbers, float32
    kept: np.ndarray  # (frame,) the indices of the frames in the source, counted through its movies
    differing: int  # the number of frames for which another file has the same time but other values
    clipped: int  # the number of values outside of the range of the packing
    bad: list[Bad]  # the files of frames that cannot be read; such a frame is in `kept` only if another file has it
    changed: dict  # the counts of values that were no weather, as of `possible_values.Tally.counts`


def open_reader(source: Source, dtype: str) -> Reader:
    """Open a source for packing as `dtype`, one of `packing.DTYPES`. Errors: see `choose_packing`."""
    movies = source.open()
    packing, frames = choose_packing(movies, dtype)
    spare = source.joined.spare if source.joined and len(source.joined.spare_times) else None
    if spare is not None and packing.description["kind"] == "source codes":
        coded = find_codes(spare)
        assert coded is not None, "they have the decoders of the frames"
        spare, _ = coded
    if tally := find_tally(frames):
        tally.announce(source.name)
    return Reader(source, packing, frames, spare, movies["frames"].attrs["units"])


def cut_reader(reader: Reader, start: int, stop: int) -> tuple[Reader | Source, int, int]:
    """Return a small reader by which another process reads frames [start, stop), and their range in it.

    For joined files it has the files that hold the frames, without the labels of all other files. For an array file
    that can be mapped it has the source, to be opened there; for any other array file, the frames themselves.
    """
    source = reader.source
    if source.mapped:
        return source, start, stop
    if source.joined is None:
        return reader._replace(frames=cut_frames(reader.frames, start, stop)), 0, stop - start
    if not source.divisible:
        return reader, start, stop  # one file
    joined, spares = source.joined, _find_spare(reader, [start, stop - 1])
    spare = None if reader.spare is None else cut_frames(reader.spare, spares.start, spares.stop)
    times = joined.movies.drop_vars(set(joined.movies.variables) - {"time"}).isel(time=slice(start, stop))
    times.attrs = {}  # they name all files
    joined = joined._replace(
        movies=times,
        places=joined.places[start:stop],
        spare_times=joined.spare_times[spares.start : spares.stop],
        spare_places=joined.spare_places[spares.start : spares.stop],
        spare=spare,
    )
    numbers, places = np.unique(np.concatenate([joined.places[:, 0], joined.spare_places[:, 0]]), return_inverse=True)
    joined = joined._replace(
        files=[joined.files[number] for number in numbers],
        places=places[: stop - start, None],
        spare_places=places[stop - start :, None],
    )
    source = source._replace(joined=joined, open=None)  # type: ignore[arg-type]  # a cut reader has opened it
    return reader._replace(source=source, frames=cut_frames(reader.frames, start, stop), spare=spare), 0, stop - start


def read_slab(reader: Reader, start: int, stop: int, skip: bool) -> Slab:
    """Read frames [start, stop) of a source.

    Raises:
      ValueError: a frame cannot be read, and `skip` is not set or the source is not divisible.
      OSError: from the operating system.
    """
    kept, bad, tallies = np.arange(start, stop), list[Bad](), _find_tallies(reader)
    for tally in tallies:
        tally.clear()
    try:
        found, values = _read(reader, reader.frames, start, stop)
    except ValueError:
        if not (skip and reader.source.divisible):
            raise
        for tally in tallies:
            tally.clear()
        found, values, kept, bad = _read_one_by_one(reader, start, stop)
    changed = add_counts(tally.counts() for tally in tallies)
    differing, more = _compare(reader, values, kept, skip)
    if reader.packing.values is None:
        return Slab(found, values, kept, differing, 0, bad + more, changed)
    assert reader.packing.table is not None, "a ladder has one"
    numbers, clipped = reader.packing.encode(values)
    return Slab(numbers, reader.packing.table[numbers], kept, differing, clipped, bad + more, changed)


def _find_tallies(reader: Reader) -> set[Tally]:
    """Return the tallies of the frames and of the spare ones: one in this process, two for a reader from elsewhere."""
    frames = [reader.frames] if reader.spare is None else [reader.frames, reader.spare]
    return {tally for one in frames if (tally := find_tally(one))}


def _read(reader: Reader, frames: xr.Variable, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frames [start, stop) of `frames`, counted through the movies: the stored numbers, and the values."""
    length, parts = frames.shape[1], []
    for movie in range(start // length, (stop - 1) // length + 1):
        first = movie * length
        parts.append(frames[movie, max(start - first, 0) : stop - first].values)
    found = parts[0] if len(parts) == 1 else np.concatenate(parts)
    found = np.ascontiguousarray(found, reader.packing.dtype if reader.packing.values is None else np.float32)
    values = found
    if reader.packing.description["kind"] == "source codes":
        assert reader.packing.table is not None, "codes have one"
        values = reader.packing.table[found]
    return found, values


def _read_one_by_one(reader: Reader, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Bad]]:
    """Read those frames that some file can give: stored numbers, values and places; also the files of the others."""
    joined, frames, kept, bad = reader.source.joined, [], [], []
    assert joined is not None, "what is divisible is joined"
    for place in range(start, stop):
        candidates: list[tuple[Any, int, int]] = [(reader.frames, place, joined.places[place, 0])]
        for number in _find_spare(reader, [place]):
            candidates.append((reader.spare, number, joined.spare_places[number, 0]))
        for array, number, part in candidates:
            try:
                frames.append(_read(reader, array, number, number + 1))
            except ValueError as error:
                bad.append((joined.files[part], " ".join(str(error).split())))
            else:
                kept.append(place)
                break
    if not kept:
        shape = (0, *reader.source.shape[2:])
        return np.empty(shape, reader.packing.dtype), np.empty(shape, np.float32), np.array(kept, int), bad
    found, values = (np.concatenate(part) for part in zip(*frames))
    return found, values, np.array(kept), bad


def _find_spare(reader: Reader, kept: Sequence[int] | np.ndarray) -> range:
    """Return the numbers of spare frames whose times lie between the first and the last of the frames `kept`."""
    joined = reader.source.joined
    if joined is None or reader.spare is None or not len(kept):
        return range(0)
    times = joined.movies["time"].values[0]
    known = joined.spare_times
    return range(
        int(np.searchsorted(known, times[kept[0]])), int(np.searchsorted(known, times[kept[-1]], side="right"))
    )


def _compare(reader: Reader, values: np.ndarray, kept: np.ndarray, skip: bool) -> tuple[int, list[Bad]]:
    """Count the frames at `kept` for which another file has other values; also return the files that cannot be read."""
    differing, bad = 0, []
    for number in _find_spare(reader, kept):
        joined = reader.source.joined
        assert joined is not None and reader.spare is not None, "they have the spare frame"
        times = joined.movies["time"].values[0, kept]
        place = int(np.searchsorted(times, joined.spare_times[number]))
        if place == len(times) or times[place] != joined.spare_times[number]:
            continue  # the other frame cannot be read either
        try:
            _, other = _read(reader, reader.spare, number, number + 1)
        except ValueError as error:
            if not skip:
                raise
            bad.append((joined.files[joined.spare_places[number, 0]], " ".join(str(error).split())))
            continue
        differing += not np.array_equal(values[place], other[0], equal_nan=True)
    return differing, bad
