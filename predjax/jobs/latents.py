"""The files of `evaluate --latents`: the latent states that TiDHy infers for whole series, with pictures and scores."""

import pathlib
from collections.abc import Sequence
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from predjax.analysis.latents import Explanation, explain_series, score_states
from predjax.analysis.switching import score_switches
from predjax.files import appearing
from predjax.jobs.options import EvaluationFiles
from predjax.models.abilities import make_inference
from predjax.nowcasts.model import TrainedModel
from predjax.pictures.figures import save_png
from predjax.pictures.latents import plot_latents
from predjax.pictures.timescales import plot_timescales
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.movies import Movies
from predjax.verification.cases import Cases

MEANINGS = {
    "r": "latent state",
    "r2": "slow latent state, which chooses the dynamics",
    "w": "weights of the dynamics",
    "z": "coordinates of r in the eigenmodes of the mean dynamics",
    "r_bar": "latent state as predicted from the step before",
    "x_hat": "what the latent state shows",
    "x_bar": "what the predicted latent state shows",
    "x": "what was observed",
}
LAST = {"r": "latent", "r_bar": "latent", "r2": "slow", "w": "component", "z": "coordinate"}


def write_latents(model: TrainedModel, cases: Cases, files: EvaluationFiles) -> str:
    """Write `latents_<number>.nc` and `.png` of each series with a case, and `latents_timescales.png` of all series.

    Returns lines of text with the number of modes and two comparisons with the truth. `files.modes` names a variable
    (movie, time) with the true modes: the text then tells the accuracy of the found modes. `files.states` names a
    variable (movie, time, state) with the states that drive the series: the text then tells the R^2 of each state, read
    linearly from r, from r2 and from each eigenmode. Errors: ValueError for a variable that is missing or has another
    shape.
    """
    assert files.latents, "there is a folder"
    folder, overwrite = pathlib.Path(files.latents), files.overwrite
    series = list(dict.fromkeys((window.source, window.movie) for window in cases.windows))
    frames = [np.asarray(cases.sources[source]["frames"][movie].values, np.float32) for source, movie in series]
    true = [_read_truth(cases.sources[s], movie, files.modes, "modes", 0) for s, movie in series if files.modes]
    infer = make_inference(model.forecaster.config)
    found = explain_series(infer, model.params, frames, true or None)
    for number, (source, _) in enumerate(series):
        movies, stem = cases.sources[source], folder / f"latents_{number:03d}"
        with appearing(stem.with_suffix(".nc"), overwrite=overwrite) as path:
            describe_series(found, number, movies, model).to_netcdf(path, engine="netcdf4")
        modes = ({"true modes": true[number]} if true else {}) | {"found modes": found.modes[number]}
        title = f"{movies.attrs['source']}, series {number}"
        figure = plot_latents(found.series[number], modes, title=title)
        save_png(figure, stem.with_suffix(".png"), overwrite=overwrite)
    text = f"{len(series)} series in {folder}: {found.num_modes} modes"
    if true:
        score = score_switches(np.concatenate(found.modes), np.concatenate(true))
        text += f", {score.accuracy:.1%} of the steps in the right one; of the switches {score.recall:.0%} found, "
        text += f"{score.precision:.0%} of those found are true (within 5 steps)"
    title = f"{model.path.parent.name}: timescales of {len(series)} series"
    figure = plot_timescales(found.spectra, found.eigenmodes, found.periods, title=title)
    save_png(figure, folder / "latents_timescales.png", overwrite=overwrite)
    if files.states:
        hidden = [_read_truth(cases.sources[source], movie, files.states, "states", 1) for source, movie in series]
        text += "\n" + _format_scores(found, hidden)
    return text


def describe_series(found: Explanation, number: int, movies: Movies, model: TrainedModel) -> xr.Dataset:
    """Return the latent states, modes and eigenmodes of one series with their meanings and units."""
    units, eigenmodes = movies.frames.attrs["units"], found.eigenmodes
    variables: dict[str, Any] = {}
    for name, values in found.series[number].items():
        attrs = {"long_name": MEANINGS[name], "units": units if name.startswith("x") else "1"}
        variables[name] = (("time", LAST.get(name, "feature")), values, attrs)
    variables["mode"] = ("time", found.modes[number], {"long_name": "mode of the dynamics, by k-means of w"})
    for name, values, long_name, unit in (
        ("period", eigenmodes.periods, "period", "step"),
        ("modulus", eigenmodes.moduli, "growth", "1"),
    ):
        variables[name] = ("coordinate", values[eigenmodes.owners], {"long_name": long_name, "units": unit})
    coordinates = {"feature": movies.channel.values.astype(str).astype(object)}
    attrs = {"title": "latent states of a series", "source": str(model.path), "data": movies.attrs["source"]}
    return xr.Dataset(variables, coordinates, attrs)


def _format_scores(found: Explanation, hidden: Sequence[np.ndarray]) -> str:
    """Return a table of R^2, in percent, of the true states regressed on codes and on eigenmodes."""
    rows = score_states(found, hidden)
    width = max(map(len, rows))
    lines = [f"{'R^2 (%) of each state, read linearly from':{width}}"]
    lines += [f"{name:{width}} | " + " ".join(f"{100 * value:6.1f}" for value in row) for name, row in rows.items()]
    return "\n".join(lines)


def _read_truth(movies: Movies, movie: int, name: str, what: str, extra: int) -> np.ndarray:
    """Read variable `name` of a movie, which has `extra` axes after (movie, time)."""
    file = movies.attrs["files"][0]
    with NETCDF_LOCK, netCDF4.Dataset(file) as dataset:
        if name not in dataset.variables:
            raise ValueError(
                f"{file}: there is no variable {name!r} of {what}; there are {', '.join(dataset.variables)}"
            )
        values = np.asarray(dataset[name][...])
    values = values[None] if values.ndim == 1 + extra else values
    shape = movies.sizes["movie"], movies.sizes["time"]
    if values.ndim != 2 + extra or values.shape[:2] != shape:
        raise ValueError(f"{file}: {name} has the shape {values.shape}, the series are {shape}")
    return np.asarray(values[movie])
