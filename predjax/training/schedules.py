"""Schedules of the learning rate: those of optax, by name."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import optax

from predjax.messages import suggest
from predjax.training.config import TrainConfig

Schedule = Callable[[Any], Any]  # of the number of updates, or of iterations

# The schedules that only need keywords of optax: those that begin at the peak, after the warm-up, and those that have
# a warm-up of their own.
AFTER_WARMUP = {
    "linear": optax.linear_schedule,
    "polynomial": optax.polynomial_schedule,
    "exponential": optax.exponential_decay,
}
WHOLE = {"onecycle": optax.cosine_onecycle_schedule, "linear_onecycle": optax.linear_onecycle_schedule}
OWN = ("init_value", "peak_value", "warmup_steps", "decay_steps")  # keywords of optax that other flags say


def make_schedule(config: TrainConfig) -> Schedule | float:
    """Return the learning rate as a function of the number of iterations so far, or as a number if it never changes.

    Errors: ValueError for `lr_options` that the schedule does not have, lacks or cannot use.
    """
    config = config.resolve()
    assert config.warmup_iterations is not None, "resolved"
    name, peak, warmup, total = config.lr_schedule, config.lr, config.warmup_iterations, config.max_iterations
    ramp = optax.linear_schedule(0.0, peak, warmup) if warmup else optax.constant_schedule(peak)
    if name == "constant":
        return ramp if warmup else peak
    if name == "milestones":
        drops = optax.piecewise_constant_schedule(1.0, dict.fromkeys(config.lr_milestones, config.lr_drop))
        return lambda count: ramp(count) * drops(count)
    if name == "cosine":
        ends = {"init_value": 0.0 if warmup else peak, "peak_value": peak, "warmup_steps": warmup}
        return _call(optax.warmup_cosine_decay_schedule, ends | {"decay_steps": max(total, warmup + 1)}, config)
    if name in WHOLE:
        return _call(WHOLE[name], {"transition_steps": total, "peak_value": peak}, config)
    given = {"init_value": peak, "transition_steps": max(1, total - warmup)}
    if name != "exponential":
        given["end_value"] = 0.0
    decay = _call(AFTER_WARMUP[name], given, config)
    return optax.join_schedules([ramp, decay], [warmup]) if warmup else decay


def _call(make: Callable[..., Schedule], given: dict[str, Any], config: TrainConfig) -> Schedule:
    """Return `make(**given)` with the options of the configuration, after a check of these."""
    options, parameters = json.loads(config.lr_options or "{}"), inspect.signature(make).parameters
    known = [name for name in parameters if name not in OWN]
    for option, value in options.items():
        if option not in known:
            hint = suggest(option, known) or f": it has {', '.join(known)}"
            raise ValueError(f"lr_options: lr_schedule {config.lr_schedule} has no {option}{hint}")
        if not isinstance(value, int | float):
            raise ValueError(f"lr_options: {option} must be a number, not {json.dumps(value)}")
    given = given | options
    missing = [name for name, one in parameters.items() if one.default is one.empty and name not in given]
    if missing:
        raise ValueError(f"lr_schedule {config.lr_schedule} needs {', '.join(missing)} in lr_options")
    try:
        return make(**given)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"lr_schedule {config.lr_schedule} cannot have lr_options {config.lr_options}: {error}"
        ) from None
