"""The sources of an archive become the grids of a store, block by block."""

import contextlib
import shutil
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.movies import check_sources, has_times
from predjax.radar.store.archive import Bad, Share, Source
from predjax.radar.store.blocks import Reader, cut_reader, open_reader, read_block
from predjax.radar.store.packing import Packing
from predjax.radar.store.reading import FORMAT, VERSION, describe_movies, read_grid
from predjax.radar.store.statistics import STATISTICS, WET_THRESHOLDS, measure_frames
from predjax.radar.store.writing import GrowingArray, Journal, write_values
from predjax.radar.windows.runs import find_periods

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


class Converted(NamedTuple):
    """A block as it is written.

    Attributes:
      numbers: (frame, y, x, channel), or None of a source that is to be skipped: its movies have one length, so that it
        is kept whole or not at all.
      statistics: (frame, of `store_statistics.STATISTICS`).
      kept: (frame,) their places in the block.
      record: for the journal: "differing", "clipped" and "bad".
    """

    numbers: np.ndarray | None
    statistics: np.ndarray | None
    kept: np.ndarray | None
    record: dict


def convert_block(reader: Reader, options: Options, start: int, stop: int) -> Converted:
    """Reads, encodes and measures frames [start, stop) of a source. Errors: as for `read_block`."""
    try:
        block = read_block(reader, start, stop, options.skip)
    except ValueError as error:
        if not options.skip or reader.source.divisible:
            raise
        bad = [(reader.source.open().attrs["files"][0], " ".join(str(error).split()))]
        return Converted(None, None, None, {"differing": 0, "clipped": 0, "bad": bad})
    record = {"differing": block.differing, "clipped": block.clipped, "bad": block.bad}
    return Converted(block.numbers, measure_frames(block.values, options.wet_threshold), block.kept - start, record)


def convert_piece(options: Options, piece: tuple[Reader | Source, int, int]) -> Converted:
    """As `convert_block`, in another process, of what `cut_reader` gives."""
    found, start, stop = piece
    try:
        reader = open_reader(found, options.dtype) if isinstance(found, Source) else found
        return convert_block(reader, options, start, stop)
    finally:
        OPEN_FILES.close()


class _Readers:
    """Opens the sources, and keeps one of them open: an array may fill the memory."""

    def __init__(self, sources: Sequence[Source], dtype: str):
        self._sources, self._dtype = sources, dtype
        self._number: int | None = None
        self._reader: Reader | None = None

    def of(self, number: int) -> Reader:
        if self._reader is None or number != self._number:
            self._number = self._reader = None
            self._reader = open_reader(self._sources[number], self._dtype)
            self._number = number
        return self._reader

    def give_back(self) -> None:
        """Gives memory back: of chunks, which HDF5 keeps of files that are open, and of pages that were read."""
        OPEN_FILES.close()
        if self._number is not None and self._sources[self._number].mapped:
            self._number = self._reader = None


def write_grids(
    journal: Journal, sources: Sequence[Source], bad: Sequence[Bad], options: Options, share: Share | None = None
) -> dict:
    """Writes what the journal does not have yet; the index of the store.

    Args:
      journal: of the store.
      sources: of the archive, one a grid.
      bad: the files that could not be opened.
      options: see there.
      share: has other processes convert the blocks, or None; the same is written, by this process, in order.

    Raises:
      ValueError: one line: what cannot be read or kept as `dtype`, or that nothing is left.
      OSError: from the operating system.
    """
    if options.wet_threshold is None:
        units = sources[0].open()["frames"].attrs["units"]
        options = options._replace(wet_threshold=WET_THRESHOLDS.get(units))
    readers, parts = _Readers(sources, options.dtype), _find_parts(journal, sources)
    with (
        tqdm(total=sum(source.frames for source in sources), unit="frame", desc="store", disable=None) as bar,
        contextlib.closing(_convert(sources, parts, options, readers, share)) as results,
    ):
        found = [_write_grid(journal, number, source, readers, results, bar) for number, source in enumerate(sources)]
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


def _find_parts(journal: Journal, sources: Sequence[Source]) -> list[tuple[int, int, int]]:
    """Grid, start and stop of the blocks that the journal does not have."""
    parts = []
    for number, source in enumerate(sources):
        size = max(1, BLOCK_BYTES // (4 * int(np.prod(source.shape[2:]))))
        for start in range(_progress(journal, number)[0], source.frames, size):
            parts.append((number, start, min(start + size, source.frames)))
    return parts


def _progress(journal: Journal, number: int) -> tuple[int, int]:
    """How many frames of a grid were read, and how many of them written."""
    lines = journal.blocks.get(number)
    return (lines[-1]["read"], lines[-1]["rows"]) if lines else (0, 0)


def _convert(sources, parts, options: Options, readers: _Readers, share: Share | None) -> Generator:
    """Yields grid, start, stop and the Converted of the parts in order, without those of which nobody needs one."""
    if share:
        ahead = _Readers(sources, options.dtype)
        pieces = (cut_reader(ahead.of(number), start, stop) for number, start, stop in parts)
        with contextlib.closing(share(convert_piece, options, pieces)) as results:
            for part, converted in zip(parts, results, strict=True):
                yield (*part, converted)
        return
    skipped = None
    for number, start, stop in parts:
        if number != skipped:
            converted = convert_block(readers.of(number), options, start, stop)
            if converted.numbers is None:
                skipped = number
            yield number, start, stop, converted


def _write_grid(
    journal: Journal, number: int, source: Source, readers: _Readers, results: Iterator, bar: tqdm
) -> dict | None:
    """The entry of the index, or None where no frame can be read."""
    folder, (read, rows) = journal.store / f"grid_{number}", _progress(journal, number)
    folder.mkdir(exist_ok=True)
    packing, times = readers.of(number).packing, _times(source)
    columns = {"frames.npy": (packing.dtype, source.shape[2:]), "statistics.npy": ("<f4", (len(STATISTICS),))}
    if times is not None:
        columns["times.npy"] = ("<i8", ())
    bar.update(read)
    with contextlib.ExitStack() as stack:
        arrays = [
            stack.enter_context(contextlib.closing(GrowingArray(folder / name, dtype, shape, rows)))
            for name, (dtype, shape) in columns.items()
        ]
        while read < source.frames:
            # Of a source that was skipped, blocks may still come.
            _, start, stop, block = next(one for one in results if one[0] == number)
            if block.numbers is None:
                stop, rows = source.frames, 0
            else:
                found = [block.numbers, block.statistics]
                found += [] if times is None else [times[start + block.kept]]
                for array, column in zip(arrays, found):
                    array.append(column)
                rows += len(block.kept)
            journal.add({"grid": number, "read": stop, "rows": rows, **block.record})
            bar.update(stop - read)
            read = stop
            readers.give_back()
        if rows:
            files = {array.path.name: array.finish() for array in arrays}
            return _describe_grid(journal, number, source, packing, files, rows)
    shutil.rmtree(folder)
    return None


def _times(source: Source) -> np.ndarray | None:
    """Nanoseconds of all frames, movie after movie."""
    if source.joined is None or not has_times(source.joined.movies):
        return None
    return source.joined.movies["time"].values.ravel().view(np.int64)


def _describe_grid(journal: Journal, number: int, source: Source, packing: Packing, files: dict, rows: int) -> dict:
    """The entry of the index, of a grid that reads well."""
    folder, lines = journal.store / f"grid_{number}", journal.blocks[number]
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
    (movies,) = written = check_sources([read_grid(journal.store, entry)])
    entry["step_seconds"] = movies.attrs.get("step_seconds")
    entry["segments"] = []
    for _, movie, start, stop in find_periods(written):
        ends = movies["time"].values[movie, [start, stop - 1]]
        labels = np.datetime_as_string(ends, unit="s").tolist() if has_times(movies) else [None, None]
        entry["segments"].append([movie, start, stop, *labels])
    return entry
