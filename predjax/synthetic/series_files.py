"""Files of vector time series: netCDF with names, times and sources, or .npy with the values alone."""

import dataclasses
import pathlib
from typing import Any

import netCDF4
import numpy as np
from tqdm import tqdm

from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.synthetic.dynamics import Series, SeriesConfig
from predjax.synthetic.movie_file import MovieFile, add_variable
from predjax.synthetic.systems import SYSTEMS, find_system, has_default_parameters, make_series, name_features


def write_series(file: MovieFile, config: SeriesConfig, history: str = "") -> None:
    """Make the series of a file, of the system that `config` describes, and write them.

    `.nc`: a variable named after the system, (movie, time, feature) float32, with the names of the features. The input
    of a driven system is `input` (movie, time, channel). Hidden truths are variables of their own, (movie, time) int32
    or (movie, time, state) float32. Global attributes hold the parameters.
    `.npy`: (movie, time, feature) float32, for systems without an input; hidden truths are left out.
    The content is a function of the arguments alone. Errors: see `MovieFile.writing`, and ValueError for parameters
    with which the values grow without bound.
    """
    name = find_system(config)
    if file.suffix == ".npy" and SYSTEMS[name].input_name:
        raise ValueError(f"{file.output}: {name} has an input, which .npy cannot hold; write it as .nc")
    with file.writing("series are", ".nc", ".npy") as temporary:
        numbers = tqdm(range(file.num_movies), desc=name, unit="movie", disable=None, leave=False)
        movies = [make_series(name, config, file.seed, movie) for movie in numbers]
        if file.suffix == ".nc":
            _write_netcdf(temporary, name, config, movies, {"history": history, "seed": file.seed})
        else:
            with open(temporary, "wb") as stream:
                np.save(stream, np.stack([movie.values for movie in movies]))


def _write_netcdf(path: pathlib.Path, name: str, config: SeriesConfig, movies: list[Series], made: dict) -> None:
    system, values = SYSTEMS[name], np.stack([movie.values for movie in movies])
    with NETCDF_LOCK, netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts(_describe(name, config) | made)
        for dimension, size in zip(("movie", "time", "feature"), values.shape):
            file.createDimension(dimension, size)
        _add(file, "feature", str, ("feature",), np.array(name_features(name, config), object), "names of the features")
        times = getattr(config, "dt", 1.0) * np.arange(config.length)
        _add(file, "time", "f8", ("time",), times, "time in model time units")
        _add(file, name, "f4", ("movie", "time", "feature"), values, f"{system.title} series")
        if system.input_name:
            inputs = np.stack([movie.inputs for movie in movies])  # type: ignore[misc]  # a driven system has them
            file.createDimension("channel", inputs.shape[-1])
            _add(file, "input", "f4", ("movie", "time", "channel"), inputs, system.input_name)
        if system.truth_names:
            file[name].ancillary_variables = " ".join(system.truth_names)  # so that no reader takes them for the series
        for truth, long_name in system.truth_names.items():
            known = np.stack([movie.truths[truth] for movie in movies])
            if known.ndim == 3:
                file.createDimension("state", known.shape[-1])
            _add(file, truth, known.dtype, ("movie", "time", "state")[: known.ndim], known, long_name)


def _describe(name: str, config: SeriesConfig) -> dict:
    """Return the global attributes: title, source, references and every parameter."""
    system = SYSTEMS[name]
    attributes: dict[str, Any] = {
        "title": f"{system.title} series",
        "source": f"{system.make.__module__}.{system.make.__name__}",
        "references": system.references,
        "license": "Apache-2.0",
    }
    if system.lyapunov is not None and has_default_parameters(config):
        attributes |= {
            "lyapunov_exponent": system.lyapunov,
            "lyapunov_exponent_comment": f"the largest, per model time unit: {system.lyapunov_source}",
        }
    return attributes | dataclasses.asdict(config)


def _add(file: netCDF4.Dataset, name: str, dtype: Any, dimensions: tuple, values: np.ndarray, long_name: str) -> None:
    units = {} if dtype is str else {"units": "1"}
    add_variable(file, name, dtype, dimensions, values, {"long_name": long_name} | units)
