"""Cut float32 batches (B, T, H, W, C) from labelled movies.

The windows of a batch are a pure function of (seed, step). So a run sees the same data when it is resumed, and on any
number of devices. Nothing is remembered between two batches.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.movies import Sources
from predjax.radar.windows.arrays import open_arrays
from predjax.radar.windows.bad_windows import BadWindows, tolerate
from predjax.radar.windows.codes import CodedFrames
from predjax.radar.windows.index import Window, WindowIndex, find_corners
from predjax.units import dbz_to_rain_rate

MEMORY_LIMIT = 2**30  # bytes of frames in their files: smaller data are kept in memory, larger read by window
MAX_TRIES = 512  # for one window with enough coverage
CORNERS_PER_WINDOW = 16  # random crops to try before another time
LEAST = 0.05  # probability that the driest windows keep their turn with `importance`
ORDER, DRAW = 1, 2  # keep the two uses of a seed apart


class Batch(NamedTuple):
    """Windows to train on or to verify on."""

    frames: Any  # (B, T, H, W, C) float32, NaN = no coverage; or `CodedFrames` of this shape, where they were asked for
    forcings: np.ndarray | None  # (B, T, A) or (B, T, H, W, A) float32, or None
    windows: list[Window]  # where the frames come from


class BatchSource:
    """The batches of a training.

    In every epoch each window of the index has one turn, and every epoch has its own order. A window is replaced by
    another crop or time if fewer than `min_coverage` of its pixels are finite, or if it cannot be read and
    `on_bad_window` is "skip". With `importance`, a window with less rain than this keeps its turn with a probability in
    proportion to its rain (as in Ravuri et al., 2021, https://doi.org/10.1038/s41586-021-03854-z). The config of the
    index has these three options. `batch_size` is that of a global batch; the seed is not negative.

    Attributes:
      frame_shape: (H, W, C).
      num_windows: turns in an epoch: windows in time, times the tiles of a grid.
      names: of the sources, for messages.
      table: the values of the codes of all sources; None where tables differ, or a source has values.
      bad: counts the windows that could not be read; None where that is an error.

    Errors: ValueError, there is no period, or the frames of the sources differ in size and there is no crop.
    """

    def __init__(self, index: WindowIndex, batch_size: int, seed: int):
        sources, config = index.sources, index.config
        if not len(index):
            raise ValueError("there is no period to draw windows from")
        if batch_size < 1 or seed < 0:
            raise ValueError(f"batch_size {batch_size} must be at least 1 and seed {seed} at least 0")
        used = index.used
        self.frame_shape = _find_frame_shape(sources, used, config.crop)
        self.bad = tolerate(config.on_bad_window)
        try:
            self._arrays = open_arrays(sources, used, MEMORY_LIMIT)
        except (ValueError, OSError):
            if self.bad is None:
                raise
            self._arrays = open_arrays(sources, used, 0)  # window by window, those that can be read
        tables = [self._arrays[source].table for source in used]
        kinds = {None if table is None else table.tobytes() for table in tables}
        self.table = tables[0] if len(kinds) == 1 else None
        self.names = [movies.attrs["source"] for movies in sources]
        self._sizes = [(movies.sizes["y"], movies.sizes["x"]) for movies in sources]
        self._units = sources[used[0]].frames.attrs["units"]
        if config.importance and self._units not in ("mm/h", "dBZ"):
            raise ValueError(
                f"importance {config.importance:g} is of rain in mm/h or dBZ, not of frames in {self._units}"
            )
        self._index, self._batch_size, self._config, self._seed = index, batch_size, config, seed
        self._free_crop = config.crop > 0 and config.crop_mode == "random"
        self.num_windows = len(index)
        self._order = (-1, np.arange(0))

    def batch(self, step: int, shard: int = 0, num_shards: int = 1, *, as_codes: bool = False) -> Batch:
        """Return part `shard` of `num_shards` of the global batch of `step`, a contiguous slice of it.

        With `as_codes`, frames are `CodedFrames` where there is a `table`; without one they are values all the same.

        Raises:
          ValueError: the batch cannot be divided into these parts, no window with enough coverage was found, or a
            forcing is missing.
          ValueError, OSError: a window cannot be read.
        """
        if not 0 <= shard < num_shards:
            raise ValueError(f"shard {shard} is not one of {num_shards}")
        if self._batch_size % num_shards:
            raise ValueError(f"batch_size {self._batch_size} cannot be divided among {num_shards} shards evenly")
        size = self._batch_size // num_shards
        drawn = [self._draw(step, slot) for slot in range(shard * size, (shard + 1) * size)]
        if as_codes and self.table is not None:
            batch = _stack(drawn, self.names)
            return batch._replace(frames=CodedFrames(batch.frames, self.table))
        drawn = [(self._decode(frames, window), forcings, window) for frames, forcings, window in drawn]
        return _stack(drawn, self.names)

    def _decode(self, frames: np.ndarray, window: Window) -> np.ndarray:
        table = self._arrays[window.source].table
        return frames if table is None else np.take(table, frames)

    def _draw(self, step: int, slot: int) -> tuple[np.ndarray, np.ndarray | None, Window]:
        """Return the frames, forcings and place of the window in one global slot, or of its first usable replacement.

        Frames are codes or values, as in `arrays.Arrays`.
        """
        epoch, turn = divmod(step * self._batch_size + slot, self.num_windows)
        number, best, best_source = int(self._find_order(epoch)[turn]), -1.0, 0
        for attempt in range(MAX_TRIES):
            rng = np.random.default_rng([DRAW, self._seed, step, slot, attempt])
            if attempt and not (self._free_crop and attempt % CORNERS_PER_WINDOW):
                number = int(rng.integers(self.num_windows))
            window = self._find_window(number, rng)
            try:
                frames, coverage = self._read_covered(window)
                if frames is not None and self._is_taken(frames, window.source, rng):
                    forcings = _cut(
                        self._arrays[window.source].forcings, window, self._index.length, *self.frame_shape[:2]
                    )
                    return frames, forcings, window
            except (ValueError, OSError) as error:
                if self.bad is None:
                    raise
                self.bad.add(error)
                continue
            if coverage > best:
                best, best_source = coverage, window.source
        raise ValueError(
            f"{self.names[best_source]}: no window of {self._index.length} frames with min_coverage "
            f"{self._config.min_coverage:g} in {MAX_TRIES} tries: at best {max(best, 0):.3g} of the pixels are valid"
        )

    def _read_covered(self, window: Window) -> tuple[np.ndarray | None, float]:
        """Return the frames (T, H, W, C), or None if too few pixels are finite, and the fraction of finite pixels."""
        arrays, coverage, least = self._arrays[window.source], 1.0, self._config.min_coverage
        # The first frame nearly always tells, and costs a fraction of the window.
        for length in (1, self._index.length) if least else (self._index.length,):
            frames = _cut(arrays.frames, window, length, *self.frame_shape[:2], arrays.dtype)
            if least:
                finite = np.isfinite(frames) if arrays.table is None else np.take(np.isfinite(arrays.table), frames)
                coverage = np.count_nonzero(finite) / finite.size
            if coverage < least:
                return None, coverage
        return frames, coverage

    def _is_taken(self, frames: np.ndarray, source: int, rng: np.random.Generator) -> bool:
        """Draw whether a window is used; with `importance`, windows with more rain are more likely."""
        wanted = self._config.importance
        if not wanted:
            return True
        table, some = self._arrays[source].table, frames[:: max(1, self._index.length // 4), ::2, ::2]
        rain = some if table is None else table[some]
        rain = dbz_to_rain_rate(rain) if self._units == "dBZ" else rain
        mean = 1 - np.exp(-np.nan_to_num(np.maximum(rain, 0.0))).mean()
        return rng.random() < max(mean / wanted, LEAST)

    def _find_order(self, epoch: int) -> np.ndarray:
        """Return the numbers of the windows in the order of this epoch."""
        known, order = self._order  # read as a pair: another thread may replace it
        if known != epoch:
            order = np.random.default_rng([ORDER, self._seed, epoch]).permutation(self.num_windows)
            self._order = (epoch, order)
        return order

    def _find_window(self, number: int, rng: np.random.Generator) -> Window:
        """Return window `number` of an epoch; `rng` draws the place of a random crop."""
        window = self._index[number]
        if not self._free_crop:
            return window
        height, width = self._sizes[window.source]
        y = int(rng.integers(height - self._config.crop + 1))
        return Window(*window[:3], y, int(rng.integers(width - self._config.crop + 1)))


def read_windows(
    sources: Sources, windows: Sequence[Window], length: int, crop: int = 0, bad: BadWindows | None = None
) -> Batch:
    """Read exactly these windows of `length` frames, whatever their coverage.

    With `bad`, a window that cannot be read is counted there: its frames have no coverage and its forcings are 0.

    Raises:
      ValueError: no windows, frames that differ in size without a crop, a crop larger than a frame, or a forcing
        that is missing.
      ValueError, OSError: a window cannot be read.
    """
    if not windows:
        raise ValueError("there are no windows to read")
    height, width, channels = _find_frame_shape(sources, sorted({window.source for window in windows}), crop)
    samples = []
    for window in windows:
        arrays = [sources[window.source].variables.get(name) for name in ("frames", "forcings")]
        try:
            frames, forcings = (_cut(array, window, length, height, width) for array in arrays)
        except (ValueError, OSError) as error:
            if bad is None:
                raise
            bad.add(error)
            frames, forcings = np.full((length, height, width, channels), np.nan, np.float32), None
            if arrays[1] is not None:
                pixels = (height, width) if arrays[1].ndim == 5 else ()
                forcings = np.zeros((length, *pixels, arrays[1].shape[-1]), np.float32)
        samples.append((frames, forcings, window))
    return _stack(samples, [movies.attrs["source"] for movies in sources])


def _find_frame_shape(sources: Sources, used: Sequence[int], crop: int) -> tuple[int, int, int]:
    """Return (H, W, C) of batches of the `used` sources. Errors: ValueError that names two sources that do not fit."""
    first, *others = (sources[source] for source in used)
    for movies in (first, *others):
        find_corners(movies, crop, "centre")  # checks that it fits
    for other in others:
        sizes = [f"{movies.sizes['y']}x{movies.sizes['x']}" for movies in (first, other)]
        names = [movies.attrs["source"] for movies in (first, other)]
        if not crop and sizes[0] != sizes[1]:
            raise ValueError(
                f"{names[0]} has frames of {sizes[0]} and {names[1]} of {sizes[1]}: "
                "frames of different sizes are used together with --crop"
            )
        if "forcings" in first and first["forcings"].ndim != other["forcings"].ndim:
            raise ValueError(f"{names[0]} and {names[1]}: the forcings are a map in one and a number in the other")
    height, width = (crop, crop) if crop else (first.sizes["y"], first.sizes["x"])
    return height, width, first.sizes["channel"]


def _cut(array: Any, window: Window, length: int, height: int, width: int, dtype: Any = np.float32) -> Any:
    """Return the window's part of `array` (movie, time, [y, x,] channel): (length, [height, width,] channel)."""
    if array is None:
        return None
    place = [window.movie, slice(window.start, window.start + length)]
    if array.ndim == 5:
        place += [slice(window.y, window.y + height), slice(window.x, window.x + width)]
    return np.asarray(array[tuple(place)], dtype)


def _stack(samples: Sequence[tuple], names: Sequence[str]) -> Batch:
    """Stack samples (frames, forcings, window) to a batch. Errors: ValueError, missing forcings, which have no mask."""
    frames, forcings, windows = zip(*samples)
    if forcings[0] is None:
        return Batch(np.stack(frames), None, list(windows))
    forcings = np.stack(forcings)
    if not np.isfinite(forcings).all():
        sample, step, *_, number = np.argwhere(~np.isfinite(forcings))[0]
        window = windows[sample]
        where = f"frame {window.start + step} of movie {window.movie}"
        raise ValueError(f"{names[window.source]}: forcing {number} is missing in {where}; forcings must be known")
    return Batch(np.stack(frames), forcings, list(windows))
