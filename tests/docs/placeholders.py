"""Small files in the place of what the documentation names: archives, feeds, forecasts of others, trained runs."""

import datetime
import itertools
import pathlib
import shutil

import numpy as np
import xarray as xr
from tiny import ROOT

from predjax.synthetic.__main__ import main as synthesise
from predjax.synthetic.radar import RadarConfig, make_radar_movie

STEP = np.timedelta64(5, "m")
SIZES = {"movie": 8, "time": 60, "y": 24, "x": 24, "channel": 1, "feature": 3}
FILES, LENGTH = 4, 28  # 112 frames without a gap: room for two held-out parts of 22 frames and the gaps before them
FORECASTS = (20, 40)  # the frames that they start from


def make_data(
    path: str, now: datetime.datetime, *, kind: str = "", forcings="", layout="", model_name="", img_width=""
) -> None:
    """Makes what `path`, which documentation gives to a command, should find.

    Args:
      path: relative, a file, glob or folder: a name without a suffix is a folder, stars are files in one.
      now: the time of the last frame; a page has one.
      kind: the flag that names it.
      forcings, layout, model_name, img_width: flags of the command; some need another content.

    Raises:
      ValueError: a format that has no placeholder: add one, or say in the page why the command is not run.
    """
    name = pathlib.Path(path)
    before = pathlib.Path(*itertools.takewhile(lambda part: "*" not in part, name.parts))
    one_file = name == before and name.suffix
    folder = name.parent if one_file else before
    folder.mkdir(parents=True, exist_ok=True)
    if "strain" in forcings.split(",") and name.suffix == ".nc":
        _synthesise("stress_strain", name, "--length", "20", "--pixels", "9", "--num_fibres", "1")
    elif name.suffix == ".nc" and (model_name == "tidhy" or "series" in name.stem):
        _synthesise("switching_linear", name, "--length", "200")
    elif name.suffix == ".npy":
        axes = (layout if layout not in ("", "auto") else "movie,time,y,x").split(",")
        np.save(name, np.random.default_rng(0).random([SIZES[axis] for axis in axes], dtype=np.float32))
    elif name.suffix == ".npz":
        digits = name if kind == "--digits" else name.with_name(f"digits_of_{name.name}")
        np.savez(digits, digits=np.random.default_rng(0).integers(0, 255, (10, 28, 28), dtype=np.uint8))
        if digits != name:
            _synthesise("moving_mnist", name, "--digits", str(digits))
    elif name.suffix in (".dat", ".data", ".txt"):
        np.savetxt(name, 0.01 * np.random.default_rng(0).random((8 * 60, 6)))
    elif name.suffix in ("", ".nc", ".nc4") and kind == "--forecasts":
        _write_forecasts(folder, _make_frames(now, img_width))
    elif name.suffix in ("", ".nc", ".nc4"):
        frames = _make_frames(now, img_width)
        for forcing in filter(None, forcings.split(",")):
            frames[forcing] = ("time", np.linspace(0, 1, frames.sizes["time"], dtype=np.float32))
        # The name that a glob like 2023*.nc wants.
        parts = {folder / name.name.replace("*", f"{i}"): slice(i * LENGTH, (i + 1) * LENGTH) for i in range(FILES)}
        if not name.suffix:
            parts = {folder / f"{i}.nc": part for i, part in enumerate(parts.values())}
        for file, part in ({name: slice(None)} if one_file else parts).items():
            frames.isel(time=part).to_netcdf(file)
    else:
        raise ValueError(f"{path}: no placeholder is known for a file {name.suffix}")


def make_run(path: str, tiny_run: pathlib.Path) -> None:
    """Puts a trained run at `path`: of a series where the name says so, else that of the sample movies."""
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    if path.endswith(".ckpt"):
        shutil.copy(ROOT / "tests" / "golden" / "legacy_predrnn.ckpt", path)
    elif "series" in path:
        from predjax.commands.train import main

        _synthesise("lorenz63", f"{path}_data.nc", "--length", "40")
        flags = "--model_name gru --num_hidden 3 --input_length 3 --total_length 6 --max_iterations 2 --n_gpu 1"
        assert main([*flags.split(), "--data_path", f"{path}_data.nc", "--save_dir", path]) == 0
    else:
        shutil.copytree(tiny_run, path)


def _synthesise(kind: str, name, *flags: str) -> None:
    assert synthesise([kind, "--output", str(name), "--num_movies", "6", *flags]) == 0


def _write_forecasts(folder: pathlib.Path, frames: xr.Dataset) -> None:
    """Persistence, as others would write it."""
    for number in FORECASTS:
        forecast = frames.isel(time=[number] * 12)
        forecast["time"] = frames["time"][number].values + STEP * np.arange(1, 13)
        forecast["reference"] = ((), frames["time"][number].values, {"standard_name": "forecast_reference_time"})
        forecast.to_netcdf(folder / f"forecast_{number}.nc")


def _make_frames(now: datetime.datetime, img_width: str) -> xr.Dataset:
    """dBZ in one run of frames that ends now."""
    size = int(img_width or SIZES["x"])
    config = RadarConfig(size=size, num_frames=FILES * LENGTH, coverage_radius=14)
    times = np.datetime64(now.replace(tzinfo=None, microsecond=0), "ns") - STEP * np.arange(config.num_frames)[::-1]
    attrs = {"units": "dBZ", "standard_name": "equivalent_reflectivity_factor"}
    frames = {"reflectivity": (("time", "y", "x"), make_radar_movie(config, 0, 0).dbz, attrs)}
    axis = 1000.0 * np.arange(size)
    return xr.Dataset(frames, {"time": times, "y": ("y", axis[::-1], {"units": "m"}), "x": ("x", axis, {"units": "m"})})
