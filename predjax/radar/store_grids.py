"""The sources of an archive become the grids of a store, block by block."""

import contextlib
import shutil
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from predjax.radar.archive import Bad, Source
from predjax.radar.blocks import Reader, open_reader, read_block
from predjax.radar.movies import check_movies, has_times
from predjax.radar.open_files import OPEN_FILES
from predjax.radar.store import FORMAT, VERSION, describe_movies, read_grid
from predjax.radar.store_statistics import STATISTICS, WET_THRESHOLDS, measure_frames
from predjax.radar.store_writer import GrowingArray, Journal, write_values
from predjax.radar.windows import find_periods

BLOCK_BYTES = 2**24  # of the float32 values of a block; the memory that it takes is a few times that


class Options(NamedTuple):
    """How frames are kept.

    Attributes:
      dtype: one of `packing.DTYPES`.
      wet_threshold: in the unit of the frames, or None for that of `store_statistics.WET_THRESHOLDS`.
      skip: whether what cannot be read is left out.
    """

    dtype: str
    wet_threshold: float | None
    skip: bool


def write_grids(journal: Journal, sources: Sequence[Source], bad: Sequence[Bad], options: Options) -> dict:
    """Writes what the journal does not have yet; the index of the store.

    Args:
      journal: of the store.
      sources: of the archive, one a grid.
      bad: the files that could not be opened.
      options: see there.

    Raises:
      ValueError: one line: what cannot be read or kept as `dtype`, or that nothing is left.
      OSError: from the operating system.
    """
    if options.wet_threshold is None:
        units = sources[0].open()["frames"].attrs["units"]
        options = options._replace(wet_threshold=WET_THRESHOLDS.get(units))
    with tqdm(total=sum(source.frames for source in sources), unit="frame", desc="store", disable=None) as bar:
        found = [_write_grid(journal, number, source, options, bar) for number, source in enumerate(sources)]
    grids = [grid for grid in found if grid]
    bad = [*bad, *(tuple(one) for n in sorted(journal.blocks) for line in journal.blocks[n] for one in line["bad"])]
    if not grids:
        raise ValueError(f"no frame can be read: {bad[0][1]}")
    first = dict(reversed(bad))  # of each file the first reason
    return {
        "format": FORMAT,
        "version": VERSION,
        "wet_threshold": options.wet_threshold,
        "statistics": STATISTICS,
        "skipped": [{"file": file, "reason": first[file]} for file in dict.fromkeys(file for file, _ in bad)],
        "grids": grids,
    }


def _write_grid(journal: Journal, number: int, source: Source, options: Options, bar: tqdm) -> dict | None:
    """The entry of the index, or None where no frame can be read."""
    folder, lines = journal.store / f"grid_{number}", journal.blocks.get(number, [])
    read, rows = (lines[-1]["read"], lines[-1]["rows"]) if lines else (0, 0)
    folder.mkdir(exist_ok=True)
    reader = open_reader(source, options.dtype)
    times = _times(source)
    columns = {"frames.npy": (reader.packing.dtype, source.shape[2:]), "statistics.npy": ("<f4", (len(STATISTICS),))}
    if times is not None:
        columns["times.npy"] = ("<i8", ())
    bar.update(read)
    with contextlib.ExitStack() as stack:
        arrays = [
            stack.enter_context(contextlib.closing(GrowingArray(folder / name, dtype, shape, rows)))
            for name, (dtype, shape) in columns.items()
        ]
        size = max(1, BLOCK_BYTES // (4 * int(np.prod(source.shape[2:]))))
        while read < source.frames:
            stop = min(read + size, source.frames)
            block = _read(reader, read, stop, options.skip)
            if isinstance(block, dict):  # movies of one file have one length: all of them, or none
                stop, rows, record = source.frames, 0, block
            else:
                found = [block.numbers, measure_frames(block.values, options.wet_threshold)]
                found += [] if times is None else [times[block.kept]]
                for array, column in zip(arrays, found):
                    array.append(column)
                rows += len(block.kept)
                record = {"differing": block.differing, "clipped": block.clipped, "bad": block.bad}
            journal.add({"grid": number, "read": stop, "rows": rows, **record})
            bar.update(stop - read)
            read = stop
            # Memory is given back: of chunks, which HDF5 keeps of files that are open, and of pages that were read.
            OPEN_FILES.close()
            if source.mapped:
                reader = open_reader(source, options.dtype)
        if rows:
            files = {array.path.name: array.finish() for array in arrays}
            return _describe_grid(journal, number, source, reader, files, rows)
    shutil.rmtree(folder)
    return None


def _read(reader: Reader, start: int, stop: int, skip: bool):
    """A block; of a source that is to be skipped, what the journal says instead."""
    try:
        return read_block(reader, start, stop, skip)
    except ValueError as error:
        if not skip or reader.source.divisible:
            raise
        file = reader.source.open().attrs["files"][0]
        return {"differing": 0, "clipped": 0, "bad": [(file, " ".join(str(error).split()))]}


def _times(source: Source) -> np.ndarray | None:
    """Nanoseconds of all frames, movie after movie."""
    if source.joined is None or not has_times(source.joined.movies):
        return None
    return source.joined.movies["time"].values.ravel().view(np.int64)


def _describe_grid(journal: Journal, number: int, source: Source, reader: Reader, files: dict, rows: int) -> dict:
    """The entry of the index, of a grid that reads well."""
    folder, lines, packing = journal.store / f"grid_{number}", journal.blocks[number], reader.packing
    if packing.table is not None:
        files["values.npy"] = write_values(folder / "values.npy", packing.table)
    entry = {
        "folder": folder.name,
        "files": files,
        "shape": [rows, *source.shape[2:]],
        "dtype": packing.dtype,
        "movies": source.shape[0],
        "packing": packing.description,
        **describe_movies(source.open()),
        "duplicates": len(source.joined.spare_times) if source.joined else 0,
        **{name: sum(line[name] for line in lines) for name in ("differing", "clipped")},
    }
    movies = check_movies(read_grid(journal.store, entry))
    entry["step_seconds"] = movies.attrs.get("step_seconds")
    entry["segments"] = []
    for _, movie, start, stop in find_periods([movies]):
        ends = movies["time"].values[movie, [start, stop - 1]]
        labels = np.datetime_as_string(ends, unit="s").tolist() if has_times(movies) else [None, None]
        entry["segments"].append([movie, start, stop, *labels])
    return entry
