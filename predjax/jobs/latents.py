"""What explains whole series to a model with latent states: files, pictures, modes and timescales of its dynamics."""

import pathlib
from typing import Any

import jax
import netCDF4
import numpy as np
import xarray as xr

from predjax.analysis.switching import find_switches, match_labels, score_switches
from predjax.analysis.timescales import Eigenmodes, find_eigenmodes, find_periods, find_spectrum, score_readout
from predjax.files import appearing
from predjax.models.abilities import make_inference
from predjax.nowcasts.model import TrainedModel
from predjax.pictures.latents import draw_latents
from predjax.pictures.timescales import draw_timescales
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.verification.cases import Cases

WINDOW, LEAST_DWELL = 9, 15  # of `find_switches`, in steps
SETTLING = 20  # steps at the start of a series that timescales leave out: the slow state starts at random
MOST_MATRICES = 5000  # whose eigenvalues are counted
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


def write_latents(model: TrainedModel, cases: Cases, folder, modes: str, states: str, overwrite: bool) -> str:
    """`latents_<number>.nc` and `.png` of every series that the cases lie in, and `latents_timescales.png` of all.

    Returns lines of text. Where `modes` names a variable (movie, time) of the files that holds the true ones, they give
    the accuracy of those that were found; where `states` names one (movie, time, state) of what drives the series, the
    R^2 of each state read linearly from r, from r2 and from each eigenmode.
    """
    folder, infer = pathlib.Path(folder), jax.jit(make_inference(model.forecaster.config))
    series = list(dict.fromkeys((window.source, window.movie) for window in cases.windows))
    inferred, true = [], []
    for source, movie in series:
        movies = cases.sources[source]
        observed = np.asarray(movies["frames"][movie : movie + 1].values, np.float32)
        latents = jax.device_get(infer(model.params, observed))._asdict() | {"x": observed}
        inferred.append({name: values[0].reshape(values.shape[1], -1) for name, values in latents.items()})
    if modes:
        true = [_read_truth(cases.sources[source], movie, modes, "modes", 0) for source, movie in series]
    eigenmodes = _find_eigenmodes(model, inferred)
    for one in inferred:
        one["z"] = (one["r"] @ eigenmodes.project.T).astype(np.float32)
    count = len(np.unique(np.concatenate(true))) if modes else None
    lengths = [len(one["w"]) for one in inferred]
    whole = find_switches(np.concatenate([one["w"] for one in inferred]), count, window=WINDOW, least_dwell=LEAST_DWELL)
    modes_found = match_labels(whole.modes, np.concatenate(true)) if modes else whole.modes
    found = np.split(modes_found, np.cumsum(lengths)[:-1])
    for number, ((source, _), one) in enumerate(zip(series, inferred)):
        movies, stem = cases.sources[source], folder / f"latents_{number:03d}"
        _write(stem.with_suffix(".nc"), one, found[number], eigenmodes, movies, model, overwrite)
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
    _draw_timescales(folder / "latents_timescales.png", model, inferred, eigenmodes, overwrite)
    if states:
        hidden = [_read_truth(cases.sources[source], movie, states, "states", 1) for source, movie in series]
        text += "\n" + _score_states(inferred, hidden, eigenmodes)
    return text


def _mix(model: TrainedModel, w: np.ndarray) -> np.ndarray:
    """V `(..., R, R)` of w `(..., K)`."""
    matrices = np.asarray(model.params["tidhy"]["temporal"], np.float64)
    size = round(matrices.shape[-1] ** 0.5)
    return (w @ matrices).reshape(*w.shape[:-1], size, size)


def _find_eigenmodes(model: TrainedModel, inferred: list[dict]) -> Eigenmodes:
    """Those of V at the mean w of all series."""
    return find_eigenmodes(_mix(model, np.concatenate([one["w"][-_kept(one) :] for one in inferred]).mean(0)))


def _kept(one: dict) -> int:
    """The number of steps after the settling."""
    return max(len(one["w"]) - SETTLING, 4)


def _draw_timescales(path, model: TrainedModel, inferred: list[dict], eigenmodes: Eigenmodes, overwrite: bool) -> None:
    spectra = {
        name: find_spectrum([one[name][-_kept(one) :] for one in inferred]) for name in ("x", "r", "z", "r2", "w")
    }
    w = np.concatenate([one["w"][-_kept(one) :] for one in inferred])
    periods = find_periods(_mix(model, w[:: -(-len(w) // MOST_MATRICES)]))
    title = f"{model.path.parent.name}: timescales of {len(inferred)} series"
    draw_timescales(path, spectra, eigenmodes, periods, title=title, overwrite=overwrite)


def _score_states(inferred: list[dict], hidden: list[np.ndarray], eigenmodes: Eigenmodes) -> str:
    """A table of R^2, in percent, of states read from codes and of eigenmodes."""
    hidden = [values[-_kept(one) :] for values, one in zip(hidden, inferred)]
    codes = {name: [one[name][-_kept(one) :] for one in inferred] for name in ("r", "r2", "z")}
    rows = {name: codes[name] for name in ("r", "r2")}
    for mode, (period, modulus) in enumerate(zip(eigenmodes.periods, eigenmodes.moduli)):
        name = f"{period:.1f} steps" if np.isfinite(period) else "no rotation"
        rows[f"mode of {name}, |lambda| {modulus:.3f}"] = [z[:, eigenmodes.owners == mode] for z in codes["z"]]
    width = max(map(len, rows))
    lines = [f"{'R^2 (%) of each state, read linearly from':{width}}"]
    for name, code in rows.items():
        lines.append(f"{name:{width}} | " + " ".join(f"{100 * value:6.1f}" for value in score_readout(code, hidden)))
    return "\n".join(lines)


def _read_truth(movies, movie: int, name: str, what: str, extra: int) -> np.ndarray:
    """Of a movie; the variable has `extra` axes after (movie, time)."""
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


def _write(path, latents: dict, modes, eigenmodes: Eigenmodes, movies, model: TrainedModel, overwrite: bool) -> None:
    units = movies.frames.attrs["units"]
    variables: dict[str, Any] = {}
    for name, values in latents.items():
        attrs = {"long_name": MEANINGS[name], "units": units if name.startswith("x") else "1"}
        variables[name] = (("time", LAST.get(name, "feature")), values, attrs)
    variables["mode"] = ("time", modes, {"long_name": "mode of the dynamics, by k-means of w"})
    variables["period"] = (
        "coordinate",
        eigenmodes.periods[eigenmodes.owners],
        {"long_name": "period", "units": "step"},
    )
    variables["modulus"] = ("coordinate", eigenmodes.moduli[eigenmodes.owners], {"long_name": "growth", "units": "1"})
    coordinates = {"feature": movies.channel.values.astype(str).astype(object)}
    attrs = {"title": "latent states of a series", "source": str(model.path), "data": movies.attrs["source"]}
    with appearing(path, overwrite=overwrite) as temporary:
        xr.Dataset(variables, coordinates, attrs).to_netcdf(temporary, engine="netcdf4")
