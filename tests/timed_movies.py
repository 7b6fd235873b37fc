"""Movies in memory whose frames have times, with gaps where a test wants them."""

import numpy as np
import xarray as xr


def build(movies=1, frames=10, height=6, width=8, *, times=None, source="a.nc", step_seconds=300.0):
    """Movies in memory; without `times` (movie, time in minutes) the frames are numbered."""
    if times is None:
        time, attrs = np.broadcast_to(np.arange(frames), (movies, frames)).copy(), {"units": "1"}
    else:
        minutes = np.atleast_2d(np.asarray(times, float))
        time = np.datetime64("2020-01-01", "ns") + (minutes * 60e9).astype("timedelta64[ns]")
        (movies, frames), attrs = minutes.shape, {}
    values = np.zeros((movies, frames, height, width, 1), np.float32)
    dataset = xr.Dataset(
        {"frames": (("movie", "time", "y", "x", "channel"), values, {"units": "dBZ"})},
        coords={"time": (("movie", "time"), time, attrs)},
        attrs={"source": source, "files": [source]},
    )
    if times is not None:
        dataset.attrs["step_seconds"] = step_seconds
    return dataset
