"""Learning rates by iterations."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from predjax.training.config import LR_SCHEDULES, WITH_OPTIONS, TrainConfig
from predjax.training.schedules import make_schedule
from predjax.training.step import make_optimizer


def test_learning_rate_warms_up_and_decays():
    config = TrainConfig(lr=0.5, lr_schedule="cosine", warmup_iterations=4, max_iterations=10)
    optimizer = make_optimizer(config)
    params = {"w": jnp.zeros(())}
    state, steps = optimizer.init(params), []
    for _ in range(10):
        updates, state = optimizer.update({"w": jnp.ones(())}, state, params)
        steps.append(-float(updates["w"]))  # Adam's step on a constant gradient is the learning rate
    np.testing.assert_allclose(steps[:5], [0, 0.125, 0.25, 0.375, 0.5], atol=1e-4)
    assert steps[4] > steps[7] > steps[9] > 0


def test_learning_rate_drops_after_its_milestones():
    config = TrainConfig(lr=0.5, lr_schedule="milestones", lr_milestones=(3, 5), lr_drop=0.2, warmup_iterations=2)
    for twice in (False, True):
        optimizer = make_optimizer(dataclasses.replace(config, reverse_input=twice))
        state, steps = optimizer.init({"w": jnp.zeros(())}), []
        for _ in range(7 * (1 + twice)):
            updates, state = optimizer.update({"w": jnp.ones(())}, state)
            steps.append(-float(updates["w"]))
        np.testing.assert_allclose(steps[:: 1 + twice], [0, 0.25, 0.5, 0.1, 0.1, 0.02, 0.02], atol=1e-4)


def rates(name, counts, options="", **fields):
    schedule = make_schedule(TrainConfig(lr_schedule=name, lr_options=options, **{"lr": 0.5, **fields}))
    return [float(schedule(count)) for count in counts]


def test_onecycle_rises_to_the_peak_and_falls_to_almost_nothing():
    """From a 25th of the peak in 30 of 100 iterations along half a cosine, then to a ten-thousandth of the start."""
    start = 0.5 / 25
    expected = [start, (start + 0.5) / 2, 0.5, start / 1e4]
    np.testing.assert_allclose(rates("onecycle", [0, 15, 30, 100], max_iterations=100), expected, rtol=1e-5)
    options = {"pct_start": 0.5, "div_factor": 5, "final_div_factor": 2}
    np.testing.assert_allclose(
        rates("onecycle", [0, 50, 100], options, max_iterations=100), [0.1, 0.5, 0.05], rtol=1e-5
    )
    assert TrainConfig(lr_schedule="onecycle").resolve().warmup_iterations == 0


def test_decays_of_optax_follow_the_warm_up():
    fields = {"max_iterations": 12, "warmup_iterations": 2}
    at = [0, 1, 2, 7, 12]
    np.testing.assert_allclose(rates("linear", at, **fields), [0, 0.25, 0.5, 0.25, 0], atol=1e-7)
    np.testing.assert_allclose(rates("polynomial", at, {"power": 2}, **fields), [0, 0.25, 0.5, 0.125, 0], atol=1e-7)
    found = rates("exponential", at, {"decay_rate": 0.04}, **fields)
    np.testing.assert_allclose(found, [0, 0.25, 0.5, 0.1, 0.02], rtol=1e-5)
    np.testing.assert_allclose(rates("cosine", [12], {"end_value": 0.01}, **fields), [0.01], rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in LR_SCHEDULES if name != "constant"])
def test_an_iteration_may_have_two_updates(name):
    fields = {"lr_milestones": (3,)} if name == "milestones" else {}
    fields["lr_options"] = {"polynomial": {"power": 2}, "exponential": {"decay_rate": 0.5}}.get(name, "")
    config = TrainConfig(lr_schedule=name, max_iterations=8, reverse_input=True, **fields)
    optimizer, params = make_optimizer(config), {"w": jnp.zeros(())}
    state, steps = optimizer.init(params), []
    for _ in range(14):
        updates, state = optimizer.update({"w": jnp.ones(())}, state, params)
        steps.append(-float(updates["w"]))
    schedule = make_schedule(config)
    np.testing.assert_allclose(steps[::2], [float(schedule(n)) for n in range(7)], rtol=2e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("onecycle", {"pct_strt": 0.2}, "lr_schedule onecycle has no pct_strt; did you mean pct_start"),
        ("linear", {"x": 1}, "has no x: it has end_value, transition_steps, transition_begin"),
        ("onecycle", {"peak_value": 1}, "has no peak_value"),
        ("onecycle", {"pct_start": "half"}, 'pct_start must be a number, not "half"'),
        ("exponential", {}, "lr_schedule exponential needs decay_rate in lr_options"),
        ("onecycle", {"transition_steps": -1}, "onecycle cannot have lr_options .*positive"),
    ],
)
def test_options_that_a_schedule_does_not_have_are_refused(name, options, reason):
    assert name in WITH_OPTIONS
    with pytest.raises(ValueError, match=reason):
        make_schedule(TrainConfig(lr_schedule=name, lr_options=options))
