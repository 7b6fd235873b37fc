"""Scores of a validation, by which a run chooses its best checkpoint and ends early: ratios of sums over pixels."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from predjax.models.scaling import Scaling
from predjax.training.config import split_score


class Score(NamedTuple):
    """A score of forecasts: an error for `make_validation`, a function of its mean, and whether more is better."""

    error: Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
    finish: Callable[[float], float]
    more_is_better: bool


def make_score(name: str, scaling: Scaling) -> Score:
    """Return a score in the unit of the data: rmse, mae, or csi_X, pod_X and far_X of values of at least X.

    With hits h, misses m and false alarms f: csi = h / (h + m + f), pod = h / (h + m), far = f / (h + f).
    """
    kind, threshold = split_score(name)

    def error(predicted: jax.Array, observed: jax.Array) -> tuple[jax.Array, jax.Array]:
        exists = jnp.isfinite(observed)
        if threshold is None:
            given, known = (scaling.unscale(jnp.where(exists, frames, 0.0)) for frames in (predicted, observed))
            errors = jnp.abs(given - known)
            return jnp.where(exists, errors**2 if kind == "rmse" else errors, 0.0).sum(), exists.sum()
        least = scaling.scale(jnp.asarray(threshold, observed.dtype))  # scaled frames: a value at X is an event
        forecast, event = (exists & (frames >= least) for frames in (predicted, observed))
        hits, misses, alarms = (part.sum() for part in (forecast & event, event & ~forecast, forecast & ~event))
        return hits if kind != "far" else alarms, hits + {"csi": misses + alarms, "pod": misses, "far": alarms}[kind]

    return Score(error, (lambda mean: mean**0.5) if kind == "rmse" else float, kind in ("csi", "pod"))
