"""Movies and methods that the tests of a verification share."""

import numpy as np
import xarray as xr

import predjax
from predjax.radar.windows.index import Window
from predjax.verification.cases import Cases, add_scoring, forecast_by


def rain(movies=2, frames=12, size=10, seed=0, units="mm/h", step=300):
    """Movies of random rain with some pixels missing; frames are `step` seconds apart, or numbered without it."""
    values = np.random.default_rng(seed).gamma(0.4, 3.0, (movies, frames, size, size)).astype(np.float32)
    values[np.random.default_rng(seed + 1).random(values.shape) < 0.05] = np.nan
    pixels = 1000.0 * np.arange(size)
    coords = {"y": ("y", pixels[::-1], {"units": "m"}), "x": ("x", pixels, {"units": "m"})}
    if step:
        coords["time"] = np.datetime64("2026-06-01", "ns") + np.arange(frames) * np.timedelta64(step, "s")
    dims = ("movie", "time", "y", "x")
    array = xr.DataArray(values, coords, dims, name="rain", attrs={"units": units})
    return predjax.read_movies(array)[0]


def make_cases(*sources, stride=3, scaling=None, thresholds=(), **options):
    """All windows of two observed and two forecast frames, `stride` frames apart."""
    windows = [
        Window(number, movie, start, 0, 0)
        for number, source in enumerate(sources)
        for movie in range(source.sizes["movie"])
        for start in range(0, source.sizes["time"] - 3, stride)
    ]
    return add_scoring(Cases(list(sources), windows, 2, 2, **options), thresholds, (3, 5), scaling)


def make_methods(cases):
    """A forecast with holes, an ensemble of three members, and persistence."""

    def holed(batch):
        frames = batch.frames[:, 2:] * np.float32(0.5)
        frames[:, :, :3] = np.nan
        return frames

    def members(batch):
        return np.stack([batch.frames[:, 2:] * np.float32(factor) for factor in (0.5, 1.0, 2.0)], axis=1)

    return {"holed": holed, "members": members, "persistence": forecast_by(predjax.persist, cases)}
