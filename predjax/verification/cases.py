"""The cases to verify on, the methods to verify, and the batches of cases."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from predjax.radar.grid import Grid
from predjax.radar.movies import Sources, is_series
from predjax.radar.windows.batches import Batch
from predjax.radar.windows.index import Window
from predjax.units import RANGES, find_ranges
from predjax.verification.fields import Scoring
from predjax.verification.protocols.catalogue import Published

THRESHOLDS = {"mm/h": (0.1, 1.0, 5.0), "dBZ": (10.0, 20.0, 35.0)}
REFERENCES = ("extrapolation", "persistence", "linear")
PIXELS_A_BATCH = 2_000_000

Method = Callable[[Batch], np.ndarray]  # forecast frames (B, T, H, W, C), or (B, E, T, H, W, C) of an ensemble


class Cases(NamedTuple):
    """The windows of a verification, with `input_length` observed and `num_steps` forecast frames; their scoring."""

    sources: Sources
    windows: Sequence[Window]
    input_length: int
    num_steps: int
    crop: int = 0  # side in pixels of the square that is cut out of the frames; 0: whole frames
    on_bad_window: str = "stop"  # on windows that cannot be read: "stop", or "skip" to leave them out
    floor: float | None = None  # smaller values of forecasts and observation count as the floor (no echo in dBZ)
    scoring: Scoring = Scoring()  # see `add_scoring`
    areas: Sequence[Any] = ()  # for each source an `areas.AreaScoring`; empty without areas
    protocol: Published | None = None  # whose scores are made as well

    @property
    def length(self) -> int:
        return self.input_length + self.num_steps

    def find_scoring(self, source: int) -> Scoring:
        """Return the scoring of the cases of one source."""
        return replace(self.scoring, areas=self.areas[source]) if self.areas else self.scoring

    @property
    def units(self) -> str:
        return self.sources[0].frames.attrs["units"]


def add_scoring(
    cases: Cases, thresholds: Sequence[float], sides: Sequence[int] = (5, 17), scaling: Any = None
) -> Cases:
    """Return the cases with their `floor` and their `scoring`.

    Args:
      thresholds: of events; empty: the usual ones of the unit above the floor, and none for vector series.
      sides: the sides of the FSS windows in pixels; vector series have no FSS.
      scaling: the `Scaling` of a model. Its floor in dBZ is the floor of all fields, which all pixels reach; data in
        [0, 1] get SSIM and PSNR.

    Errors: ValueError, a threshold that values of the unit never or always reach, a side that is no odd number.
    """
    units, series = cases.units, is_series(cases.sources[0])
    floor = scaling.low if scaling and scaling.kind == "dBZ" else None
    usual = () if series else THRESHOLDS.get(units, (0.5,))
    chosen = tuple(thresholds) or tuple(threshold for threshold in usual if floor is None or threshold > floor)
    low, high = find_ranges(units).thresholds
    least = low if floor is None else max(low, floor)
    for threshold in chosen:
        if not least <= threshold <= high or (low == 0 == threshold) or threshold == floor:
            raise ValueError(
                f"threshold {threshold:g} {units} tells nothing: choose above {least:g} and up to {high:g}"
            )
    lead_times, lead_units = _find_leads(cases)
    pixels = {Grid.of(movies).pixel_size for movies in cases.sources}
    shapes = {(cases.crop,) * 2 if cases.crop else (m.sizes["y"], m.sizes["x"]) for m in cases.sources}
    scoring = Scoring(
        thresholds=chosen,
        windows=() if series else sides,
        units=units,
        lead_times=lead_times,
        lead_units=lead_units,
        data_range=1.0 if scaling and scaling.kind == "none" else None,
        fill=(low if floor is None else floor) if units in RANGES else None,
        side=min(min(shape) for shape in shapes) if len(shapes) > 1 else None,
        pixel_size=pixels.pop() if len(pixels) == 1 else None,
    )
    return cases._replace(floor=floor, scoring=scoring)


def _find_leads(cases: Cases) -> tuple[Sequence[float], str]:
    """Return the lead times and their units: minutes where all sources have the same step, else frames."""
    steps = {movies.attrs.get("step_seconds") for movies in cases.sources}
    number = np.arange(1, cases.num_steps + 1)
    step = steps.pop() if len(steps) == 1 else None
    if step is None:
        return number.tolist(), "1"
    minutes = number * step / 60
    return (minutes.astype(int) if (minutes % 1 == 0).all() else minutes).tolist(), "minutes"


def find_baseline(methods: Iterable[str]) -> str | None:
    """Return the method that the others are compared with by default; None if there is none.

    It is extrapolation, the usual method. Only where extrapolation stands beside persistence alone, it is itself
    compared with persistence.
    """
    names = set(methods)
    order = REFERENCES[1:] if names == {"extrapolation", "persistence"} else REFERENCES
    return next((name for name in order if name in names), None)


def forecast_by(nowcast: Callable[..., np.ndarray], cases: Cases, observed: int | None = None) -> Method:
    """Return a nowcast as a method, which passes the observed frames of a batch to it, and forcings if there are any.

    `observed` is the number of observed frames that it gets, the last ones; None: all.
    """
    start = 0 if observed is None else cases.input_length - observed

    def run(batch: Batch) -> np.ndarray:
        forcings = {} if batch.forcings is None else {"forcings": batch.forcings[:, start:]}
        return nowcast(batch.frames[:, start : cases.input_length], cases.num_steps, **forcings)

    return run


def split(cases: Cases) -> list[list[int]]:
    """Return batches of window numbers, of bounded memory, each from one source because grids may differ."""
    batches = []
    for source in sorted({window.source for window in cases.windows}):
        sizes = cases.sources[source].sizes
        pixels = (cases.crop or sizes["y"]) * (cases.crop or sizes["x"]) * cases.length
        size = int(np.clip(PIXELS_A_BATCH // pixels, 1, 16))
        numbers = [number for number, window in enumerate(cases.windows) if window.source == source]
        batches += [numbers[i : i + size] for i in range(0, len(numbers), size)]
    return batches
