"""The latent states that TiDHy infers from whole series: the modes, eigenmodes and timescales of its dynamics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from predjax.analysis.switching import find_switches, match_labels
from predjax.analysis.timescales import (
    Eigenmodes,
    Spectrum,
    find_eigenmodes,
    find_periods,
    find_spectrum,
    score_readout,
)

WINDOW, LEAST_DWELL = 9, 15  # of `find_switches`, in steps
SETTLING = 20  # first steps of a series, which timescales leave out: the slow state starts at random
MOST_MATRICES = 5000  # matrices whose eigenvalues are counted

Latents = dict[str, np.ndarray]  # values (T, size) by name: r, r2, w, r_bar, x_hat, x_bar as TiDHy infers, x, z


class Explanation(NamedTuple):
    """The dynamics of several series, found from their latent states."""

    series: list[Latents]  # the latent states of each series, with z, the coordinates of r in the eigenmodes
    modes: list[np.ndarray]  # for each series the mode of every step, (T,); labelled as the true modes, where given
    num_modes: int  # that were found
    eigenmodes: Eigenmodes  # of V at the mean of w over all series
    periods: np.ndarray  # (M, R), of V at M steps
    spectra: dict[str, Spectrum]  # the power spectra of x, r, z, r2 and w


def explain_series(
    infer: Callable[[Any, np.ndarray], Any],
    params: Mapping[str, Any],
    frames: Sequence[np.ndarray],
    true_modes: Sequence[np.ndarray] | None = None,
) -> Explanation:
    """Infer the latent states of series and find the modes and timescales of their dynamics.

    `infer` maps the parameters of tidhy and frames `(1, T, 1, 1, F)` to a NamedTuple of latent states;
    `models.tidhy.make_inference` makes it. `frames` has an array `(T, 1, 1, F)` for each series. `true_modes` has the
    true mode of each step, integers `(T,)`, for each series; they fix the number of modes, which is chosen otherwise.
    """
    compiled, series = jax.jit(infer), []
    for observed in frames:
        latents = jax.device_get(compiled(params, observed[None]))._asdict() | {"x": observed[None]}
        series.append({name: values[0].reshape(values.shape[1], -1) for name, values in latents.items()})
    settled = np.concatenate([drop_settling(one["w"]) for one in series])
    eigenmodes = find_eigenmodes(_mix(params, settled.mean(0)))
    for one in series:
        one["z"] = (one["r"] @ eigenmodes.project.T).astype(np.float32)
    weights, lengths = np.concatenate([one["w"] for one in series]), [len(one["w"]) for one in series]
    count = len(np.unique(np.concatenate(true_modes))) if true_modes else None
    switches = find_switches(weights, count, window=WINDOW, least_dwell=LEAST_DWELL)
    modes = match_labels(switches.modes, np.concatenate(true_modes)) if true_modes else switches.modes
    return Explanation(
        series,
        np.split(modes, np.cumsum(lengths)[:-1]),
        len(switches.centres),
        eigenmodes,
        find_periods(_mix(params, settled[:: -(-len(settled) // MOST_MATRICES)])),
        {name: find_spectrum([drop_settling(one[name]) for one in series]) for name in ("x", "r", "z", "r2", "w")},
    )


def score_states(explanation: Explanation, states: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return R^2 `(S,)` of linear readouts of the true states `(T, S)` from r, r2 and each mode, over all series.

    Errors: see `timescales.score_readout`.
    """
    codes = {name: [drop_settling(one[name]) for one in explanation.series] for name in ("r", "r2", "z")}
    rows = {name: codes[name] for name in ("r", "r2")}
    eigenmodes = explanation.eigenmodes
    for mode, (period, modulus) in enumerate(zip(eigenmodes.periods, eigenmodes.moduli)):
        name = f"{period:.1f} steps" if np.isfinite(period) else "no rotation"
        rows[f"mode of {name}, |lambda| {modulus:.3f}"] = [z[:, eigenmodes.owners == mode] for z in codes["z"]]
    hidden = [drop_settling(values) for values in states]
    return {name: score_readout(code, hidden) for name, code in rows.items()}


def drop_settling(values: np.ndarray) -> np.ndarray:
    """Return the steps `(T, ...)` of a series after the first ones, in which the slow state settles."""
    return values[-max(len(values) - SETTLING, 4) :]


def _mix(params: Mapping[str, Any], w: np.ndarray) -> np.ndarray:
    """Return the dynamics V `(..., R, R)` that the weights w `(..., K)` mix from the matrices V_k."""
    matrices = np.asarray(params["tidhy"]["temporal"], np.float64)
    size = round(matrices.shape[-1] ** 0.5)
    return (w @ matrices).reshape(*w.shape[:-1], size, size)
