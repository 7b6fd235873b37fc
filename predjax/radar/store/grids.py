"""Write the sources of an archive as the grids of a store, slab by slab."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from predjax.radar.formats.possible_values import add_counts
from predjax.radar.movies import check_sources, has_times
from predjax.radar.store.archive import Bad, Share, Source
from predjax.radar.store.convert import Part, Readers, StoreOptions, convert
from predjax.radar.store.packing import Packing
from predjax.radar.store.reading import FORMAT, VERSION, describe_movies, read_grid
from predjax.radar.store.removal import remove_grid
from predjax.radar.store.statistics import STATISTICS, WET_THRESHOLDS
from predjax.radar.store.writing import GrowingArray, Journal, write_values
from predjax.radar.windows.runs import find_periods

SLAB_BYTES = 2**24  # of the float32 values of a slab; the memory that it takes is a few times as much


def write_grids(
    journal: Journal, sources: Sequence[Source], bad: Sequence[Bad], options: StoreOptions, share: Share | None = None
) -> dict:
    """Write the slabs that the journal does not have yet; return the index of the store.

    There is one source for each grid; `bad` are files that could not be opened. With `share` other processes convert
    the slabs. This process writes them in order, so the store is the same.

    Raises:
      ValueError: a frame cannot be read or kept as `dtype`, or no frame is left; the message has one line.
      OSError: from the operating system.
    """
    if options.wet_threshold is None:
        units = sources[0].open()["frames"].attrs["units"]
        options = dataclasses.replace(options, wet_threshold=WET_THRESHOLDS.get(units))
    readers, parts = Readers(sources, options.dtype), _find_parts(journal, sources)
    with (
        tqdm(total=sum(source.frames for source in sources), unit="frame", desc="store", disable=None) as bar,
        contextlib.closing(convert(sources, parts, options, readers, share)) as results,
    ):
        found = [_write_grid(journal, number, source, readers, results, bar) for number, source in enumerate(sources)]
    grids = [grid for grid in found if grid]
    bad = [*bad, *(tuple(one) for n in sorted(journal.slabs) for line in journal.slabs[n] for one in line["bad"])]
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


def _find_parts(journal: Journal, sources: Sequence[Source]) -> list[Part]:
    """Return the places of the slabs that the journal does not have."""
    parts = []
    for number, source in enumerate(sources):
        size = max(1, SLAB_BYTES // (4 * int(np.prod(source.shape[2:]))))
        for start in range(_progress(journal, number)[0], source.frames, size):
            parts.append(Part(number, start, min(start + size, source.frames)))
    return parts


def _progress(journal: Journal, number: int) -> tuple[int, int]:
    """Return the number of frames of a grid that were read, and the number that were written."""
    lines = journal.slabs.get(number)
    return (lines[-1]["read"], lines[-1]["rows"]) if lines else (0, 0)


def _write_grid(
    journal: Journal, number: int, source: Source, readers: Readers, results: Iterator, bar: tqdm
) -> dict | None:
    """Write one grid; return its entry of the index, or None where no frame can be read."""
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
            # Slabs of a source that was skipped may still come.
            (_, start, stop), slab = next(one for one in results if one[0].source == number)
            if slab.numbers is None:
                stop, rows = source.frames, 0
            else:
                found = [slab.numbers, slab.statistics]
                found += [] if times is None else [times[start + slab.kept]]
                for array, column in zip(arrays, found):
                    array.append(column)
                rows += len(slab.kept)
            journal.add({"grid": number, "read": stop, "rows": rows, **slab.counts})
            bar.update(stop - read)
            read = stop
            readers.release()
        if rows:
            files = {array.path.name: array.finish() for array in arrays}
            return _describe_grid(journal, number, source, packing, files, rows)
    remove_grid(folder)
    return None


def _times(source: Source) -> np.ndarray | None:
    """Return the times of all frames in nanoseconds, movie after movie; None for frames without times."""
    if source.joined is None or not has_times(source.joined.movies):
        return None
    return source.joined.movies["time"].values.ravel().view(np.int64)


def _describe_grid(journal: Journal, number: int, source: Source, packing: Packing, files: dict, rows: int) -> dict:
    """Return the entry of the index, after a check that the written grid can be read."""
    folder, lines = journal.store / f"grid_{number}", journal.slabs[number]
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
        "changed": add_counts(line["changed"] for line in lines),
    }
    (movies,) = written = check_sources([read_grid(journal.store, entry)])
    entry["step_seconds"] = movies.attrs.get("step_seconds")
    entry["segments"] = []
    for _, movie, start, stop in find_periods(written):
        ends = movies["time"].values[movie, [start, stop - 1]]
        labels = np.datetime_as_string(ends, unit="s").tolist() if has_times(movies) else [None, None]
        entry["segments"].append([movie, start, stop, *labels])
    return entry
