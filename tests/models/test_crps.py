"""The almost fair CRPS, worked out by sums over members, over outcomes and over squares."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax.models import crps
from predjax.models.config import ModelConfig
from predjax.models.crps import ALPHA, ensemble_error
from predjax.models.losses import choose_error, global_mean

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
almost_fair_crps = jax.jit(crps.almost_fair_crps)


def average(members, observed, num_steps=2):
    """The loss of one batch, and the weights of its means."""
    totals, weights = ensemble_error(num_steps, members, observed)
    return global_mean(totals, weights).sum(), (totals, weights)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_score_and_gradient_are_those_of_the_formula(count):
    rng = np.random.default_rng(count)
    x, y = rng.normal(size=(count, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    eps = (1 - ALPHA) / count
    weight = (1 - eps) / (2 * count * (count - 1))
    pairs = [(j, k) for j in range(count) for k in range(count) if j != k]
    expected = sum(abs(x[j] - y) for j in range(count)) / count - weight * sum(abs(x[j] - x[k]) for j, k in pairs)
    np.testing.assert_allclose(almost_fair_crps(x, y), expected, rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda x: almost_fair_crps(x, y).sum()))(x)
    for j in range(count):
        others = sum(np.sign(x[j] - x[k]) for k in range(count) if k != j)
        np.testing.assert_allclose(gradient[j], np.sign(x[j] - y) / count - 2 * weight * others, atol=1e-6)


def test_one_member_has_its_absolute_error():
    np.testing.assert_array_equal(almost_fair_crps(jnp.array([[1.0, -2.0]]), jnp.zeros(2)), [1, 2])


def test_the_expected_fair_score_does_not_depend_on_the_number_of_members():
    """By all outcomes of M draws from a distribution of three values, with their probabilities."""
    values, probabilities, y = np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.3, 0.2]), 0.7
    difference = sum(p * q * abs(v - w) for v, p in zip(values, probabilities) for w, q in zip(values, probabilities))
    crps = probabilities @ abs(values - y) - difference / 2
    for count in (2, 3, 4):
        outcomes = list(itertools.product(range(3), repeat=count))
        chances = np.array([probabilities[list(outcome)].prod() for outcome in outcomes])
        members = jnp.asarray(values[np.array(outcomes).T], jnp.float32)
        fair, almost = (chances @ np.asarray(almost_fair_crps(members, y, alpha)) for alpha in (1.0, ALPHA))
        np.testing.assert_allclose(fair, crps, rtol=1e-5)
        np.testing.assert_allclose(almost, crps + (1 - ALPHA) / count * difference / 2, rtol=1e-5)


def mean_squares(frames, side):
    """Return the means of finite pixels `(..., H/side, W/side, C)`, and the shares of these pixels, by loops."""
    rows, columns = (range(0, size, side) for size in frames.shape[-3:-1])
    squares = [[frames[..., r : r + side, c : c + side, :] for c in columns] for r in rows]
    shares = np.stack([np.stack([np.isfinite(s).sum((-3, -2)) for s in row], -2) for row in squares], -3) / side**2
    sums = np.stack([np.stack([np.nansum(s, (-3, -2)) for s in row], -2) for row in squares], -3) / side**2
    return np.divide(sums, shares, out=np.zeros_like(sums), where=shares > 0), shares


def test_means_over_squares_and_time_count_by_their_coverage():
    rng = np.random.default_rng(1)
    members = rng.random((3, 2, 4, 6, 5, 2)).astype(np.float32)
    observed = rng.random((2, 4, 6, 5, 2)).astype(np.float32)
    observed[0, :, :4, :4] = np.nan  # a square of 4 x 4 without coverage
    observed[1, 1, 0, 1:3, 0] = observed[1, 3, 5, 4, 1] = np.nan
    drawn = np.where(np.isfinite(observed), members, np.nan)
    run = compile_quickly(jax.value_and_grad(average, has_aux=True))
    (loss, (totals, weights)), gradient = run(members, observed)
    assert len(totals) == 4  # squares of 1, 2 and 4 pixels, and time; 8 and 16 are larger than the frame
    for number, side in enumerate((1, 2, 4)):
        (known, share), (given, _) = mean_squares(observed, side), mean_squares(drawn, side)
        score = np.asarray(almost_fair_crps(given, known))
        np.testing.assert_allclose(weights[number], share.sum(), rtol=1e-6)
        np.testing.assert_allclose(totals[number], (share * score).sum(), rtol=1e-5)
    last, forecast = observed[:, -2:], drawn[:, :, -2:]
    share = np.isfinite(last).mean(1)
    known, given = (np.nan_to_num(np.nansum(a, -4) / np.maximum(np.isfinite(a).sum(-4), 1)) for a in (last, forecast))
    np.testing.assert_allclose(weights[3], share.sum(), rtol=1e-6)
    np.testing.assert_allclose(totals[3], (share * np.asarray(almost_fair_crps(given, known))).sum(), rtol=1e-5)

    assert not gradient[:, ~np.isfinite(observed)].any() and gradient[:, np.isfinite(observed)].any()
    (same, _), _ = run(np.where(np.isfinite(observed), members, np.inf), observed)
    (nothing, _), none = run(members, np.full_like(observed, np.nan))
    assert same == loss > 0 == nothing and not np.any(none)


def test_squares_larger_than_the_frame_and_the_time_of_one_frame_are_left_out():
    """A series has pixels and time alone; a forecast of one frame has no mean over time beside it."""

    def weigh(shape, num_steps):
        frames = jnp.zeros(shape)
        return compile_quickly(lambda x: average(x[None], x, num_steps)[1][1])(frames).tolist()

    assert weigh((3, 4, 1, 1, 2), 2) == [24, 6] and weigh((3, 4, 1, 1, 2), 1) == [24]
    assert weigh((1, 1, 16, 20, 1), 9) == [320, 80, 20, 5, 1.25]


def test_shares_of_replicas_add_up():
    config = ModelConfig(loss="crps", noise=0.1, total_length=12)
    error, rng = choose_error(config), np.random.default_rng(2)
    members, observed = rng.random((2, 3, 1, 3, 4, 4, 1)), rng.random((3, 1, 3, 4, 4, 1))
    observed[0, :, :, :2] = observed[1] = np.nan
    shares = jax.vmap(lambda x, y: global_mean(*error(x, y), "replicas"), (1, 0), axis_name="replicas")
    whole = compile_quickly(lambda x, y: global_mean(*error(x, y)))(members[:, :, 0], observed[:, 0])
    np.testing.assert_allclose(compile_quickly(shares)(members, observed).sum(0), whole, rtol=1e-5)
