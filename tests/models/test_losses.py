"""Sums over what exists."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.models.config import ModelConfig
from predjax.models.losses import QUANTILES, WEIGHTS, choose_error, global_mean, squared_error
from predjax.models.scaling import Scaling

MM_H = Scaling("rain_rate", 0.1, 100.0, "mm/h")


def test_only_pixels_with_coverage_count():
    predicted = jnp.array([1.0, 2.0, 3.0, jnp.inf])
    observed = jnp.array([0.0, 4.0, jnp.nan, jnp.nan])
    total, count = squared_error(predicted, observed)
    assert (total, count) == (1 + 4, 2)


def test_missing_pixels_give_no_gradient():
    predicted, observed = jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, jnp.nan, 4.0])
    by_predicted, by_observed = jax.grad(lambda p, o: squared_error(p, o)[0], (0, 1))(predicted, observed)
    np.testing.assert_array_equal(by_predicted, [2, 0, -2])
    np.testing.assert_array_equal(by_observed, [-2, 0, 2])


def test_nothing_observed_is_a_loss_of_zero():
    assert global_mean(*squared_error(jnp.ones(3), jnp.full(3, jnp.nan))) == 0


def test_shares_of_replicas_add_up_to_the_mean_of_all():
    """Replicas with different numbers of valid pixels: the sum of the shares is the mean over the pixels of all."""
    totals, counts = jnp.array([6.0, 1.0, 0.0]), jnp.array([3, 1, 0])
    shares = jax.vmap(lambda t, c: global_mean(t, c, "replicas"), axis_name="replicas")(totals, counts)
    np.testing.assert_allclose(shares.sum(), 7 / 4)
    np.testing.assert_allclose(global_mean(totals.sum(), counts.sum()), 7 / 4)


def test_quantile_loss_is_least_where_its_quantile_is():
    """Of many observations the constant forecast with the least loss reaches a rate where it is likely enough."""
    scaling = Scaling("rain_rate", 0.1, 100.0, "mm/h")
    error = choose_error(ModelConfig(scaling=scaling, loss="quantile"))
    candidates = np.geomspace(0.05, 60, 400)
    for probability, quantile, low, high in ((0.45, QUANTILES[2], 0.7, 2.0), (0.2, QUANTILES[4], 5.0, 10.0)):
        # Rain at both ends of the range with this probability, just less otherwise.
        edges = np.float32([low * 0.99, low * 1.01, high * 0.99])
        shares = np.array([1 - probability, probability / 2, probability / 2])
        scaled, observed = (scaling.scale(np.float32(rates))[:, None] for rates in (candidates, edges))
        by_edge = jax.vmap(jax.vmap(lambda c, e: error(c, e)[0], (0, None)), (None, 0))(scaled, observed)
        losses = shares @ by_edge
        best = candidates[int(np.argmin(losses))]
        # The forecast reaches the rate above which rain has a probability of more than 1 - q.
        if probability > 1 - quantile:
            assert best >= edges[1] * 0.98
            assert (best >= edges[2] * 0.98) == (probability / 2 > 1 - quantile)
        else:
            assert best < low


def test_quantile_loss_of_a_perfect_forecast_is_zero_and_missing_pixels_give_no_gradient():
    scaling = Scaling("dBZ", 0.0, 60.0, "dBZ")
    error = choose_error(ModelConfig(scaling=scaling, loss="quantile"))
    observed = jnp.array([0.0, 0.2, 0.9, jnp.nan])
    assert error(observed, observed) == (0, 3)
    gradient = jax.grad(lambda f: error(f, observed)[0])(jnp.array([0.1, 0.1, 0.1, 0.1]))
    assert gradient[0] > 0 > gradient[1] and gradient[2] < 0 == gradient[3]


@pytest.mark.parametrize("scaling", [MM_H, Scaling("dBZ", 0.0, 60.0, "dBZ")])
def test_heavy_rain_counts_more(scaling):
    error = choose_error(ModelConfig(scaling=scaling, loss="balanced"))
    rain = np.float32([1.0, 3.0, 7.0, 20.0, 50.0])
    physical = rain if scaling is MM_H else 10 * np.log10(200 * rain**1.6)
    observed = scaling.scale(np.append(physical, np.nan).astype(np.float32))
    for number, weight in enumerate(WEIGHTS):
        predicted = observed.copy()
        predicted[number] += 0.1
        total, count = error(predicted, observed)
        np.testing.assert_allclose(total, weight * (0.01 + 0.1), rtol=1e-4)
        assert count == 5
    assert choose_error(ModelConfig()) is squared_error
