"""Probability matching that has a gradient."""

import jax
import jax.numpy as jnp
import numpy as np

from predjax.models.probability_matching import find_distribution, match_distribution

RNG = np.random.default_rng(0)
FIELD = RNG.normal(size=(12, 15)).astype(np.float32)
WANTED = RNG.gamma(0.5, size=(12, 15)).astype(np.float32)
COVERED = np.ones(FIELD.shape, bool)
COVERED[:, :3] = False


@jax.jit
def match(field):
    return match_distribution(field, COVERED, find_distribution(WANTED, COVERED))


def test_the_matched_field_has_the_wanted_values_in_the_order_of_its_pixels():
    found = np.asarray(match(FIELD))[COVERED]
    expected = np.sort(WANTED[COVERED])[np.argsort(np.argsort(FIELD[COVERED]))]
    close = np.abs(found - expected)
    assert np.median(close) < 0.01 and np.quantile(close, 0.95) < 0.1  # pixels within a node share its rank
    assert (np.diff(found[np.argsort(FIELD[COVERED])]) >= -1e-6).all()


def test_the_gradient_knows_that_a_constant_changes_nothing():
    field = jnp.asarray(RNG.normal(size=(60, 60)), jnp.float32)
    wanted = find_distribution(jnp.asarray(RNG.gamma(0.5, size=(60, 60)), jnp.float32), np.ones((60, 60), bool))
    matched = jax.jit(jax.grad(lambda field: match_distribution(field, np.ones((60, 60), bool), wanted).sum()))
    slopes = np.asarray(matched(field))
    assert np.abs(slopes).max() > 0.1
    np.testing.assert_allclose(match(FIELD + 3)[COVERED], match(FIELD)[COVERED], atol=0.02)
    assert abs(slopes.sum()) < 1e-3 * np.abs(slopes).sum()


def test_equal_pixels_stay_equal():
    assert np.unique(match(np.full_like(FIELD, 2.0))[COVERED]).size == 1
