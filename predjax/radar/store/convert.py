"""The conversion of slabs of an archive to the numbers and statistics of a store, in this or in other processes."""

import contextlib
import dataclasses
from collections.abc import Generator, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.store.archive import Share, Source
from predjax.radar.store.slabs import Reader, cut_reader, open_reader, read_slab
from predjax.radar.store.statistics import measure_frames


@dataclasses.dataclass(frozen=True)
class StoreOptions:
    """The options for how a store keeps frames."""

    dtype: str = "auto"  # one of `packing.DTYPES`
    wet_threshold: float | None = None  # in the unit of the frames; None for the usual one, `statistics.WET_THRESHOLDS`
    skip: bool = False  # whether frames that cannot be read are left out


class Converted(NamedTuple):
    """A slab in the form that the store writes."""

    numbers: np.ndarray | None  # (frame, y, x, channel); None skips the source: its movies must keep one length
    statistics: np.ndarray | None  # (frame, of `statistics.STATISTICS`)
    kept: np.ndarray | None  # (frame,) the places of the frames in the slab
    counts: dict  # for the journal: "differing", "clipped", "bad" and "changed"


class Part(NamedTuple):
    """The place of a slab: frames [start, stop) of the source of this number."""

    source: int
    start: int
    stop: int


def convert_slab(reader: Reader, options: StoreOptions, start: int, stop: int) -> Converted:
    """Read, pack and measure frames [start, stop) of a source. Errors: see `read_slab`."""
    try:
        slab = read_slab(reader, start, stop, options.skip)
    except ValueError as error:
        if not options.skip or reader.source.divisible:
            raise
        bad = [(reader.source.open().attrs["files"][0], " ".join(str(error).split()))]
        return Converted(None, None, None, {"differing": 0, "clipped": 0, "bad": bad, "changed": {}})
    counts = {"differing": slab.differing, "clipped": slab.clipped, "bad": slab.bad, "changed": slab.changed}
    return Converted(slab.numbers, measure_frames(slab.values, options.wet_threshold), slab.kept - start, counts)


def convert_piece(options: StoreOptions, piece: tuple[Reader | Source, int, int]) -> Converted:
    """Convert one piece of `cut_reader` in another process; see `convert_slab`."""
    found, start, stop = piece
    try:
        reader = open_reader(found, options.dtype) if isinstance(found, Source) else found
        return convert_slab(reader, options, start, stop)
    finally:
        OPEN_FILES.close()


class Readers:
    """The readers of sources, of which only the last one stays open, because an array may fill the memory."""

    def __init__(self, sources: Sequence[Source], dtype: str):
        self._sources, self._dtype = sources, dtype
        self._number: int | None = None
        self._reader: Reader | None = None

    def of(self, number: int) -> Reader:
        """Return the reader of the source of this number."""
        if self._reader is None or number != self._number:
            self._number = self._reader = None
            self._reader = open_reader(self._sources[number], self._dtype)
            self._number = number
        return self._reader

    def release(self) -> None:
        """Give memory back: chunks that HDF5 keeps of open files, and mapped pages that were read."""
        OPEN_FILES.close()
        if self._number is not None and self._sources[self._number].mapped:
            self._number = self._reader = None


def convert(
    sources: Sequence[Source], parts: Iterable[Part], options: StoreOptions, readers: Readers, share: Share | None
) -> Generator[tuple[Part, Converted]]:
    """Yield the parts and their converted slabs, in order. Later parts of a skipped source may be missing."""
    if share:
        parts = list(parts)
        ahead = Readers(sources, options.dtype)
        pieces = (cut_reader(ahead.of(part.source), part.start, part.stop) for part in parts)
        with contextlib.closing(share(convert_piece, options, pieces)) as results:
            yield from zip(parts, results, strict=True)
        return
    skipped = None
    for part in parts:
        if part.source != skipped:
            converted = convert_slab(readers.of(part.source), options, part.start, part.stop)
            if converted.numbers is None:
                skipped = part.source
            yield part, converted
