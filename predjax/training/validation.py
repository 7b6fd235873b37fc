"""The validation loss: the error of free forecasts, counted exactly over any number of devices."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from predjax.models.forecaster import Forecaster
from predjax.models.losses import choose_error
from predjax.radar.windows.batches import Batch
from predjax.radar.windows.index import Window


def make_validation(forecaster: Forecaster, error: Callable | None = None) -> Callable:
    """Return `(params, frames, forcings) -> (sum, count)` of the error of free forecasts.

    `error` is `(predicted, observed) -> (sum, count)` of scaled frames; None: the error of the model's loss.
    """
    config = forecaster.config
    error = error or choose_error(config)

    @jax.jit
    def measure(params: Any, frames: jax.Array, forcings: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        last, steps = config.input_length, config.total_length - config.input_length
        predicted = forecaster.predict(params, None, frames[:, :last], steps, forcings)
        observed = frames[:, last:]
        if last:  # only what a forecast cannot know is left out: the NaN of a network that diverged must show
            observed = jnp.where(jnp.isfinite(frames[:, last - 1 : last]), observed, jnp.nan)
        return error(config.scaling.scale(predicted), config.scaling.scale(observed))

    return measure


def validate(measure: Callable, params: Any, batches: Iterable[tuple]) -> float:
    """Return the mean of `measure(params, frames, forcings)` over (frames, forcings); NaN without a pixel."""
    sums = [measure(params, *batch) for batch in batches]
    count = sum(int(n) for _, n in sums)
    return sum(float(s) for s, _ in sums) / count if count else math.nan


def read_parts(
    read: Callable[[Sequence[Window]], Batch], windows: Sequence[Window], size: int, part: int = 0, num_parts: int = 1
) -> list[Batch]:
    """Read part `part` of `num_parts` of every batch of `size` windows, where `size` divides by `num_parts`.

    Where windows do not fill a batch or a part of it, frames without coverage do, which no sum counts, with the
    forcings of another window.
    """
    share, batches = size // num_parts, []
    for start in range(0, len(windows), size):
        mine = windows[start + part * share : start + min(size, (part + 1) * share)]
        batch = read(mine or windows[start : start + 1])
        if not mine:
            batch.frames[:] = np.nan
        batches.append(_fill(batch, share))
    return batches


def _fill(batch: Batch, size: int) -> Batch:
    missing = [(0, size - len(batch.frames))]
    frames = np.pad(batch.frames, missing + [(0, 0)] * (batch.frames.ndim - 1), constant_values=np.nan)
    forcings = batch.forcings
    if forcings is not None:
        forcings = np.pad(forcings, missing + [(0, 0)] * (forcings.ndim - 1), mode="edge")
    return batch._replace(frames=frames, forcings=forcings)
