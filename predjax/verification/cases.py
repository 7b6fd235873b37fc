"""What is verified: the cases, the methods, and which window goes into which batch."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from predjax.flags import parse_values
from predjax.radar.movies import Movies, is_series
from predjax.radar.windows.batches import Batch
from predjax.radar.windows.index import Window

THRESHOLDS = {"mm/h": (0.1, 1.0, 5.0), "dBZ": (10.0, 20.0, 35.0)}
POSSIBLE = {"mm/h": (0.0, 2000.0), "dBZ": (-32.0, 100.0)}
REFERENCES = ("persistence", "linear")
PIXELS_A_BATCH = 2_000_000

Method = Callable[[Batch], np.ndarray]  # forecast frames (B, T, H, W, C), or (B, E, T, H, W, C) of an ensemble


class Cases(NamedTuple):
    """What is verified: windows of `input_length` observed and `num_steps` forecast frames.

    `floor`: values below count as the floor, in every forecast and in the observation (no echo in dBZ); None: no floor.
    `data_range`: of [0, 1] data, for SSIM and PSNR; None leaves them out. `sides`: windows of the FSS in pixels.
    `on_bad_window`: "skip" leaves out windows that cannot be read.
    """

    sources: list[Movies]
    windows: list[Window]
    input_length: int
    num_steps: int
    crop: int
    thresholds: tuple[float, ...]
    sides: tuple[int, ...]
    floor: float | None = None
    data_range: float | None = None
    on_bad_window: str = "stop"

    @property
    def length(self) -> int:
        return self.input_length + self.num_steps

    @property
    def units(self) -> str:
        return self.sources[0].frames.attrs["units"]


def make_cases(sources, windows, config, input_length, num_steps, crop, thresholds: str, sides: str = "5,17") -> Cases:
    """Cases with the usual thresholds of the unit unless some are given, and what the model's scaling asks for.

    Vector series have no usual thresholds, and no windows of pixels.
    """
    units, series = sources[0].frames.attrs["units"], is_series(sources[0])
    chosen = parse_values(float, thresholds or "", "thresholds") or (() if series else THRESHOLDS.get(units, (0.5,)))
    low, high = POSSIBLE.get(units, (-np.inf, np.inf))
    for threshold in chosen:
        if not low <= threshold <= high or (low == 0 == threshold):
            raise ValueError(f"threshold {threshold:g} {units} tells nothing: choose above {low:g} and up to {high:g}")
    floor = config.scaling.low if config and config.scaling.kind == "dBZ" else None
    data_range = 1.0 if config and config.scaling.kind == "none" else None
    sides = () if series else parse_values(int, sides, "windows")
    return Cases(sources, windows, input_length, num_steps, crop, chosen, sides, floor, data_range)


def find_baseline(methods: Iterable[str]) -> str | None:
    """The baseline that others are held against, of the names of methods."""
    names = set(methods)
    return next((name for name in REFERENCES if name in names), None)


def forecast_by(nowcast: Callable[..., np.ndarray], cases: Cases) -> Method:
    """A nowcast as a method: it sees the observed frames of the windows, and the forcings where there are any."""

    def run(batch: Batch) -> np.ndarray:
        forcings = {} if batch.forcings is None else {"forcings": batch.forcings}
        return nowcast(batch.frames[:, : cases.input_length], cases.num_steps, **forcings)

    return run


def split(cases: Cases) -> list[list[int]]:
    """The numbers of the windows in batches of bounded memory, of one source each, because grids may differ."""
    batches = []
    for source in sorted({window.source for window in cases.windows}):
        sizes = cases.sources[source].sizes
        pixels = (cases.crop or sizes["y"]) * (cases.crop or sizes["x"]) * cases.length
        size = int(np.clip(PIXELS_A_BATCH // pixels, 1, 16))
        numbers = [number for number, window in enumerate(cases.windows) if window.source == source]
        batches += [numbers[i : i + size] for i in range(0, len(numbers), size)]
    return batches
