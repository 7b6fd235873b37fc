"""Sums over what exists."""

import jax
import jax.numpy as jnp
import numpy as np

from predjax.models.losses import global_mean, squared_error


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
