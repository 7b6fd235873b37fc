"""What explains whole series to a model with latent states: files, pictures, and the modes of its dynamics."""

import pathlib

import jax
import netCDF4
import numpy as np
import xarray as xr

from predjax.analysis.switching import find_switches, match_labels, score_switches
from predjax.commands.verify import Cases
from predjax.files import appearing
from predjax.nowcasts.model import TrainedModel
from predjax.pictures.latents import draw_latents
from predjax.radar.netcdf_lock import NETCDF_LOCK

WINDOW, LEAST_DWELL = 9, 15  # of `find_switches`, in steps
MEANINGS = {
    "r": "latent state",
    "r2": "slow latent state, which chooses the dynamics",
    "w": "weights of the dynamics",
    "r_bar": "latent state as predicted from the step before",
    "x_hat": "what the latent state shows",
    "x_bar": "what the predicted latent state shows",
    "x": "what was observed",
}
LAST = {"r": "latent", "r_bar": "latent", "r2": "slow", "w": "component"}


def write_latents(model: TrainedModel, cases: Cases, folder, modes: str, overwrite: bool) -> str:
    """`latents_<number>.nc` and `.png` of every series that the cases lie in; returns a line, with the accuracy of the
    modes of all of them where `modes` names a variable (movie, time) of the files that holds the true ones."""
    folder, infer = pathlib.Path(folder), jax.jit(model.forecaster.infer)
    series = list(dict.fromkeys((window.source, window.movie) for window in cases.windows))
    inferred, true = [], []
    for source, movie in series:
        movies = cases.sources[source]
        observed = np.asarray(movies["frames"][movie : movie + 1].values, np.float32)
        latents = jax.device_get(infer(model.params, observed))._asdict() | {"x": observed}
        inferred.append({name: values[0].reshape(values.shape[1], -1) for name, values in latents.items()})
    if modes:
        true = [_read_modes(cases.sources[source], movie, modes) for source, movie in series]
    count = len(np.unique(np.concatenate(true))) if modes else None
    lengths = [len(one["w"]) for one in inferred]
    whole = find_switches(np.concatenate([one["w"] for one in inferred]), count, window=WINDOW, least_dwell=LEAST_DWELL)
    modes_found = match_labels(whole.modes, np.concatenate(true)) if modes else whole.modes
    found = np.split(modes_found, np.cumsum(lengths)[:-1])
    for number, ((source, _), one) in enumerate(zip(series, inferred)):
        movies, stem = cases.sources[source], folder / f"latents_{number:03d}"
        _write(stem.with_suffix(".nc"), one, found[number], movies, model, overwrite)
        shown = {"true modes": true[number]} if modes else {}
        title = f"{movies.attrs['source']}, series {number}"
        draw_latents(
            stem.with_suffix(".png"), one, shown | {"found modes": found[number]}, title=title, overwrite=overwrite
        )
    text = f"{len(series)} series in {folder}: {len(whole.centres)} modes"
    if modes:
        score = score_switches(modes_found, np.concatenate(true))
        text += f", {score.accuracy:.1%} of the steps in the right one; of the switches {score.recall:.0%} found, "
        text += f"{score.precision:.0%} of those found are true (within 5 steps)"
    return text


def _read_modes(movies, movie: int, name: str) -> np.ndarray:
    file = movies.attrs["files"][0]
    with NETCDF_LOCK, netCDF4.Dataset(file) as dataset:
        if name not in dataset.variables:
            raise ValueError(
                f"{file}: there is no variable {name!r} of modes; there are {', '.join(dataset.variables)}"
            )
        values = np.atleast_2d(dataset[name][...])
    shape = movies.sizes["movie"], movies.sizes["time"]
    if values.shape != shape:
        raise ValueError(f"{file}: {name} has the shape {values.shape}, the series are {shape}")
    return np.asarray(values[movie])


def _write(path, latents: dict, modes, movies, model: TrainedModel, overwrite: bool) -> None:
    units = movies.frames.attrs["units"]
    variables = {}
    for name, values in latents.items():
        attrs = {"long_name": MEANINGS[name], "units": units if name.startswith("x") else "1"}
        variables[name] = (("time", LAST.get(name, "feature")), values, attrs)
    variables["mode"] = ("time", modes, {"long_name": "mode of the dynamics, by k-means of w"})
    coordinates = {"feature": movies.channel.values.astype(str).astype(object)}
    attrs = {"title": "latent states of a series", "source": str(model.path), "data": movies.attrs["source"]}
    with appearing(path, overwrite=overwrite) as temporary:
        xr.Dataset(variables, coordinates, attrs).to_netcdf(temporary, engine="netcdf4")
