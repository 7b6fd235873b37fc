"""The validation loss: the error of free forecasts, exact for any number of devices."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from predjax.models.forecaster import Forecaster
from predjax.models.losses import choose_error
from predjax.models.members import make_members
from predjax.radar.windows.batches import Batch
from predjax.radar.windows.index import Window


def make_validation(forecaster: Forecaster, error: Callable | None = None) -> Callable:
    """Return the function that sums the error of free forecasts, with the number of pixels.

    It is `(params, frames, forcings, axis_name=None) -> (sum, count)`. `error` is `(predicted, observed) -> (sum,
    count)` of scaled frames; None: the error of the model's loss. For the loss "crps" sample b of every batch draws
    `loss_members` members, the same at every validation and for any number of replicas. For all others forecasts have
    no noise.
    """
    config = forecaster.config
    last, num_steps = config.input_length, config.total_length - config.input_length
    drawn = error is None and config.loss == "crps"
    error = error or choose_error(config)

    def draw(params: Any, observed: jax.Array, forcings: Any, axis_name: str | None) -> jax.Array:
        first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * len(observed)
        numbers = (first + jnp.arange(len(observed)))[:, None] * config.loss_members + jnp.arange(config.loss_members)
        keys = jax.vmap(jax.vmap(jax.random.fold_in, (None, 0)), (None, 0))(jax.random.key(0), numbers)
        return make_members(forecaster)(params, keys, observed, num_steps, forcings).swapaxes(0, 1)

    @functools.partial(jax.jit, static_argnames="axis_name")
    def measure(
        params: Any, frames: jax.Array, forcings: jax.Array | None, axis_name: str | None = None
    ) -> tuple[jax.Array, jax.Array]:
        known = frames[:, :last]
        if drawn:
            predicted = draw(params, known, forcings, axis_name)
        else:
            predicted = forecaster.predict(params, None, known, num_steps, forcings)
        observed = frames[:, last:]
        if last:  # only what a forecast cannot know is left out: the NaN of a network that diverged must show
            observed = jnp.where(jnp.isfinite(frames[:, last - 1 : last]), observed, jnp.nan)
        return error(config.scaling.scale(predicted), config.scaling.scale(observed))

    return measure


def validate(measure: Callable, params: Any, batches: Iterable[tuple]) -> float:
    """Return the mean of `measure(params, frames, forcings)` over batches (frames, forcings); NaN without a pixel.

    If it has several sums and counts, their means are added.
    """
    sums = [measure(params, *batch) for batch in batches]
    total, count = (sum(np.asarray(part, np.float64) for part in parts) for parts in zip(*sums))
    return float(np.sum(total / count)) if np.all(count) else math.nan


def read_parts(
    read: Callable[[Sequence[Window]], Batch], windows: Sequence[Window], size: int, part: int = 0, num_parts: int = 1
) -> list[Batch]:
    """Read part `part` of `num_parts` of every batch of `size` windows, where `size` divides by `num_parts`.

    A batch or part that is not full is filled up with frames without coverage, which no sum counts, and with the
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
