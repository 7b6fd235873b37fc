"""The learning-rate range test: the loss as a function of a rising rate (Smith 2017, arXiv:1506.01186)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from predjax.training.run import Run
from predjax.training.step import TrainState

LOWEST, HIGHEST, ITERATIONS = 1e-6, 1.0, 100
SMOOTHING = 0.9  # of the running mean of the loss
TOO_MUCH = 4.0  # times the least smoothed loss: the test ends


class RateTest(NamedTuple):
    """The losses `(N,)` of updates at rising learning rates, their running means, and the rate that they suggest.

    The suggestion is the rate where the running mean falls fastest against the logarithm of the rate; None where it
    never falls.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None


def ramp(iterations: Any) -> Any:
    """Return the learning rate after some iterations; it rises from LOWEST to HIGHEST by a constant factor."""
    return LOWEST * (HIGHEST / LOWEST) ** (iterations / (ITERATIONS - 1))


def find_rate(run: Run, state: TrainState, update: Callable) -> RateTest:
    """Make up to ITERATIONS updates at the rates of `ramp`, which is the run's schedule; the state is not kept.

    The test ends early where the loss is not finite, or TOO_MUCH.
    """
    losses: list[float] = []
    mean, least = 0.0, np.inf
    for number in range(ITERATIONS):
        _, frames, forcings = run.read(number)
        state, metrics = update(state, frames, forcings, run.share_signal(0))
        loss = float(metrics["loss"])
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        least = min(least, mean / (1 - SMOOTHING ** (number + 1)))
        if not np.isfinite(loss) or float(metrics["bad"]) or mean / (1 - SMOOTHING ** (number + 1)) > TOO_MUCH * least:
            break
        losses.append(loss)
    return summarise(np.array(losses))


def summarise(losses: np.ndarray) -> RateTest:
    """Return the result of the test from the losses `(N,)` at the first N rates. Errors: ValueError, fewer than 2."""
    if len(losses) < 2:
        raise ValueError(f"no update at rates from {LOWEST:g} on has a finite loss: look at the range of the data")
    rates = ramp(np.arange(len(losses)))
    weights = SMOOTHING ** np.arange(len(losses))
    smoothed = np.array([np.average(losses[: n + 1][::-1], weights=weights[: n + 1]) for n in range(len(losses))])
    slopes = np.gradient(smoothed, np.log(rates))
    fastest = int(np.argmin(slopes))
    return RateTest(rates, losses, smoothed, float(rates[fastest]) if slopes[fastest] < 0 else None)


def tabulate(test: RateTest, every: int = 8) -> str:
    """Return a table of some of the rates, and the suggestion."""
    lines = ["   rate       loss   running mean"]
    lines += [
        f"{rate:.1e}  {loss:9.5f}  {mean:9.5f}"
        for rate, loss, mean in list(zip(test.rates, test.losses, test.smoothed))[::every]
    ]
    if test.suggestion is None:
        return "\n".join([*lines, "the loss falls at none of these rates"])
    return "\n".join([*lines, f"the loss falls fastest at --lr {test.suggestion:.1e}"])
