"""A descent that never goes up: on quadratics, and as the inference of TiDHy at spikes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import compile_quickly, draw

from predjax.cells.descent import DescentRules, bound_rates, descend
from predjax.cells.tidhy import Affine, Networks, Perceptron, TiDHyConfig
from predjax.cells.tidhy_inference import Codes, infer_step, minimise, step_objective

CONFIG = TiDHyConfig(r_dim=3, r2_dim=2, mix_dim=2, hyper_dim=4, backtracking=True)
PLAIN = TiDHyConfig(r_dim=3, r2_dim=2, mix_dim=2, hyper_dim=4)


def make_networks(gain=0.5):
    """Networks of `CONFIG` for five features, with numbers of order 1; `gain` is that of the decoder."""
    hypernetwork = Perceptron(
        Affine(draw(2, 4), draw(4, seed=1)), jnp.ones(4), jnp.zeros(4),
        Affine(draw(4, 4, seed=2, scale=0.5), jnp.zeros(4)), Affine(draw(4, 2, seed=3, scale=0.5), jnp.ones(2)),
    )  # fmt: skip
    return Networks(Affine(draw(3, 5, scale=gain), jnp.zeros(5)), hypernetwork, draw(2, 9, scale=0.3))


def never(new, old):
    return jnp.array(False)


@compile_quickly
def trace(networks, x, before, counts):
    """The values of the objective of a step after these numbers of updates, from r = 0."""
    objective = functools.partial(step_objective, networks, CONFIG, x, before)
    start = before._replace(r=jnp.zeros(3))

    def value_after(count):
        return objective(descend(objective, start, Codes(0.1, 0.1), DescentRules(0.9, count, never)).point)

    return jax.vmap(value_after)(counts)


@compile_quickly
def end_without(networks, x, before):
    """The objective of a step where steps of a fixed size end."""
    objective = functools.partial(step_objective, networks, CONFIG, x, before)
    return objective(minimise(objective, before._replace(r=jnp.zeros(3)), PLAIN).codes)


@pytest.mark.parametrize(
    ("spike", "gain", "loss_without"), [(1.0, 0.5, 1.0), (1e4, 0.5, 1.4), (30.0, 2.0, np.inf), (1e4, 2.0, np.inf)]
)
def test_the_objective_never_rises_at_a_spike(spike, gain, loss_without, double):
    """More updates are never worse, where steps of a fixed size throw r2 far away, or diverge."""
    before = Codes(spike * draw(3, seed=4), draw(2, seed=5))
    step = make_networks(gain), spike * draw(5, seed=6), before
    values = trace(*step, jnp.arange(61))
    assert np.isfinite(values).all() and (np.diff(values) <= 0).all()
    assert values[-1] < 0.9 * values[0]
    ratio = end_without(*step) / values[-1]
    assert not ratio < 1e9 if loss_without == np.inf else abs(ratio - loss_without) < 0.05


def test_every_sample_of_a_batch_is_safe_in_single_precision():
    """A spike before or now in one of them; the others have what they have without it."""
    x, before = draw(4, 5, seed=6), Codes(draw(4, 3, seed=4), draw(4, 2, seed=5))
    run = compile_quickly(infer_step, static_argnums=1)
    calm = run(make_networks(), CONFIG, x, before)
    found = run(make_networks(), CONFIG, x.at[2].mul(1e6), before._replace(r=before.r.at[1].mul(1e6)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    for sample in (0, 3):
        np.testing.assert_allclose(found.codes.r[sample], calm.codes.r[sample], rtol=1e-4, atol=1e-5)


def test_where_nothing_rises_the_steps_are_those_without_safeguard(double):
    """Of gradient descent on a quadratic below its stable rate."""
    matrix = draw(3, 3)
    matrix = matrix @ matrix.T / 10 + jnp.eye(3)

    def objective(codes):
        return codes.r @ matrix @ codes.r / 2 - codes.r.sum() + jnp.square(codes.r2 - 1).sum()

    start = Codes(jnp.zeros(3), jnp.zeros(2))
    for count in (1, 4, 9):
        options = {"r_dim": 3, "momentum": 0.1, "max_iter": count, "tol": 0.0}
        safe, plain = (
            compile_quickly(functools.partial(minimise, objective, config=TiDHyConfig(**options, backtracking=safe)))
            for safe in (True, False)
        )
        for a, b in zip(jax.tree.leaves(safe(start)), jax.tree.leaves(plain(start))):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_it_ends_at_the_minimum_of_a_stiff_quadratic(double):
    """Curvatures from 1 to 3e3 in one block and 1e3 in the other, with rates for curvatures of 10."""
    curvature, target = jnp.array([1.0, 30.0, 3e3]), jnp.array([1.0, -2.0, 3.0])

    def objective(codes):
        return (curvature * jnp.square(codes.r - target)).sum() / 2 + 500 * jnp.square(codes.r2 - 1).sum()

    start = Codes(jnp.zeros(3), jnp.zeros(2))
    found = compile_quickly(lambda: descend(objective, start, Codes(0.1, 0.1), DescentRules(0.9, 20000, never)))()
    np.testing.assert_allclose(found.point.r, target, rtol=1e-6)
    np.testing.assert_allclose(found.point.r2, 1, rtol=1e-6)
    assert found.iterations == 20000 and found.rates.r < 5e-4 < found.rates.r2


def test_rates_are_bounded_by_the_curvature_along_the_gradient(double):
    """|H g| / |g| of each block, at most the rate that is asked for; no gradient, no bound."""

    def objective(codes):
        return 50 * jnp.square(codes.r).sum() + codes.r.sum() * codes.r2[0] + jnp.square(codes.r2[1]) / 2

    point = Codes(jnp.ones(3), jnp.array([0.0, 0.0]))
    slope = jax.grad(objective)
    rates = bound_rates(slope, point, slope(point), Codes(0.1, 0.1))
    np.testing.assert_allclose(rates, (1 / 100, 0.1), rtol=1e-12)
    flat = Codes(jnp.zeros(3), jnp.zeros(2))
    np.testing.assert_allclose(bound_rates(slope, flat, slope(flat), Codes(0.1, 0.1)), (0.1, 0.1), rtol=1e-12)


def infer_moved(step, start, direction):
    """What is inferred from networks, an observation and codes, of which the first two are moved."""
    networks, x, before = start
    moved, seen = jax.tree.map(lambda a, b: a + step * b, (networks, x), direction)
    objective = functools.partial(step_objective, moved, CONFIG, seen, before)
    found = descend(objective, before._replace(r=jnp.zeros(3)), Codes(0.1, 0.1), DescentRules(0.9, 25, never))
    return jnp.concatenate(found.point)


@compile_quickly
def slope_of_moved(start, direction):
    return jax.jvp(lambda step: infer_moved(step, start, direction), (0.0,), (1.0,))[1]


compiled = compile_quickly(infer_moved)


@pytest.mark.parametrize("spike", [30.0, pytest.param(1.0, marks=pytest.mark.slow)])
def test_the_derivative_through_it_is_the_finite_difference(spike, double):
    """Of what is inferred, along a direction of the observation and all parameters, steps not taken included."""
    networks, x, before = make_networks(), spike * draw(5, seed=6), Codes(spike * draw(3, seed=4), draw(2, seed=5))
    direction = jax.tree.map(lambda leaf: draw(*leaf.shape, seed=9), (networks, x))
    start = networks, x, before
    ahead, behind = (compiled(step, start, direction) for step in (1e-7, -1e-7))
    np.testing.assert_allclose(slope_of_moved(start, direction), (ahead - behind) / 2e-7, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "found"),
    [({"saturate_r": "tanh"}, "0.0 and 'tanh'"), ({"threshold_r2": 0.1}, "0.1 and 'none'")],
)
def test_what_moves_a_minimum_is_refused(options, found):
    with pytest.raises(ValueError, match=f"with backtracking threshold_r2? must be 0 and saturate_r2? .*, not {found}"):
        TiDHyConfig(r_dim=3, backtracking=True, **options)
