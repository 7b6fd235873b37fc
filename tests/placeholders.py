"""Small files in the place of what the documentation names: archives, feeds, forecasts of others, trained runs."""

import datetime
import itertools
import pathlib
import shutil

import numpy as np
import xarray as xr

from predjax.synthetic.__main__ import main as synthesise
from predjax.synthetic.radar import RadarConfig, make_movie

STEP, SIZE = np.timedelta64(5, "m"), 24
FILES, LENGTH = 4, 28  # 112 frames without a gap: room for two held-out parts of 22 frames and the gaps before them
GRIDDED = (".nc", ".nc4")


def make_data(path: str, *, forecasts: bool = False, forcings: tuple[str, ...] = (), model: str = "") -> None:
    """Makes what `path` (a file, glob or folder that documentation gives to a command) should find.

    Args:
      path: relative; a name without a suffix is a folder, stars are files in one.
      forecasts: whether the files are forecasts of others, of the frames of all gridded placeholders.
      forcings: variables that the command reads as known ahead.
      model: of the command; some take series only.

    Raises:
      ValueError: a format that has no placeholder; name one, or say in the page why the command is not run.
    """
    name = pathlib.Path(path)
    before = pathlib.Path(*itertools.takewhile(lambda part: "*" not in part, name.parts))
    folder = name.parent if name == before and name.suffix else before
    folder.mkdir(parents=True, exist_ok=True)
    if "strain" in forcings:
        _synthetic("stress_strain", name, "--num_movies", "6")
    elif model == "tidhy" or "series" in name.name:
        _synthetic("switching_linear", name, "--num_movies", "6", "--length", "200")
    elif name.suffix == ".npy":
        np.save(name, np.random.default_rng(0).random((8, 24, SIZE, SIZE), dtype=np.float32))
    elif name.suffix == ".npz":
        np.savez(name, digits=np.random.default_rng(0).integers(0, 255, (10, 28, 28), dtype=np.uint8))
    elif name.suffix in (".dat", ".txt"):
        np.savetxt(name, np.random.default_rng(0).random((6 * 60, 6)) * 0.01)
    elif name.suffix in (*GRIDDED, "") or forecasts:
        _write_gridded(name if name == before and name.suffix else None, folder, forecasts, forcings)
    else:
        raise ValueError(f"{path}: no placeholder is known for a file {name.suffix}")


def make_run(path: str, tiny_run: pathlib.Path) -> None:
    """Puts a trained run at `path`: of a series where the name says so, else that of the sample movies."""
    if "series" not in path:
        shutil.copytree(tiny_run, path)
        return
    from predjax.commands.train import main

    data = f"{path}_data.nc"
    pathlib.Path(data).parent.mkdir(parents=True, exist_ok=True)
    _synthetic("lorenz63", data, "--num_movies", "4", "--length", "40")
    flags = "--model_name gru --num_hidden 3 --input_length 3 --total_length 6 --max_iterations 2 --n_gpu 1"
    assert main([*flags.split(), "--data_path", data, "--save_dir", path]) == 0


def _synthetic(kind: str, name, *flags: str) -> None:
    assert synthesise([kind, "--output", str(name), *flags]) == 0


def _write_gridded(file: pathlib.Path | None, folder, forecasts: bool, forcings: tuple[str, ...]) -> None:
    """netCDF of dBZ in one run of frames that ends now, or forecasts of some of them; one file, or some in a folder."""
    frames = _frames()
    if forecasts:
        for number in (20, 40):
            part = frames.isel(time=[number] * 12)
            part["time"] = frames["time"][number].values + STEP * np.arange(1, 13)
            part["reference"] = ((), frames["time"][number].values, {"standard_name": "forecast_reference_time"})
            part.to_netcdf(folder / f"forecast_{number}.nc")
        return
    for forcing in forcings:
        frames[forcing] = ("time", np.linspace(0, 1, frames.sizes["time"], dtype=np.float32))
    if file:
        frames.to_netcdf(file)
        return
    for number in range(FILES):
        part = frames.isel(time=slice(number * LENGTH, (number + 1) * LENGTH))
        part.to_netcdf(folder / f"radar_{number}.nc")


def _frames() -> xr.Dataset:
    config = RadarConfig(size=SIZE, num_frames=FILES * LENGTH, coverage_radius=14)
    now = np.datetime64(datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0), "ns")
    times = now - STEP * np.arange(config.num_frames)[::-1]
    attrs = {"units": "dBZ", "standard_name": "equivalent_reflectivity_factor"}
    axis = 1000.0 * np.arange(SIZE)
    frames = {"reflectivity": (("time", "y", "x"), make_movie(config, 0, 0).dbz, attrs)}
    return xr.Dataset(frames, {"time": times, "y": ("y", axis[::-1], {"units": "m"}), "x": ("x", axis, {"units": "m"})})
