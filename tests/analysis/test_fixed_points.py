"""Fixed points: those of the reference, of maps whose roots are known, and what is never reported as one."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from predjax.analysis.fixed_points import CHUNK, find_fixed_points, ravel_step, sample_starts
from predjax.cells import CELLS


def least_distance(points):
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return apart[~np.eye(len(points), dtype=bool)].min()


@pytest.fixture(scope="module")
def network(shared):
    """F(h) = W^T tanh(h) + b + U^T u of four neurons in float32, as the reference has it, and its roots."""
    arrays = dict(np.load(shared / "fixtures" / "D_fixed_points.npz"))
    w, drive = jnp.asarray(arrays["w/W"]), jnp.asarray(arrays["w/b"] + arrays["u"] @ arrays["w/U"])
    return arrays, lambda h: jnp.tanh(h) @ w + drive


@pytest.fixture(scope="module")
def found(network):
    arrays, step = network
    starts = sample_starts(arrays["init"], 6 * CHUNK + 1, spread=1.0)
    return find_fixed_points(step, starts)


def test_all_roots_of_the_reference_are_found(network, found):
    arrays, _ = network
    roots = arrays["exact/unique_fixed_points"]
    apart = np.linalg.norm(roots[:, None] - found.points[None], axis=-1)
    assert apart.min(axis=1).max() < 1e-4
    nearest = apart.argmin(axis=1)
    assert len(set(nearest)) == len(roots) == 11 < len(found.points)
    np.testing.assert_allclose(found.eigenvalues[nearest], arrays["exact/jacobian_eigvals"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.jacobians[nearest], arrays["exact/jacobians_dF_dh"], rtol=0, atol=1e-5)


def test_every_reported_point_is_a_root_and_none_is_reported_twice(network, found):
    """In float64, though the weights are float32; the residual is computed here anew."""
    arrays, _ = network
    wide = {name: arrays[name].astype(float) for name in ("w/W", "w/b", "w/U", "u")}
    drive = (arrays["w/b"] + arrays["u"] @ arrays["w/U"]).astype(float)
    residuals = np.linalg.norm(np.tanh(found.points) @ wide["w/W"] + drive - found.points, axis=-1)
    assert residuals.max() < 1e-12 and found.residuals.max() < 1e-12
    assert least_distance(found.points) >= 1e-3
    assert (np.diff(found.points[:, 0]) > 0).all()
    np.testing.assert_array_equal(found.stable, np.abs(found.eigenvalues).max(axis=-1) < 1)


def test_the_indices_of_all_fixed_points_of_a_bounded_map_sum_to_one(found):
    """Its degree (Brouwer): the signs of det(I - dF/dh) over all roots; one missed root of a pair would show."""
    assert np.sign(np.linalg.det(np.eye(4) - found.jacobians)).sum() == 1


def test_the_order_does_not_depend_on_that_of_the_starts(network):
    arrays, step = network
    starts = sample_starts(arrays["init"], 100, spread=1.0)
    first, second = find_fixed_points(step, starts), find_fixed_points(step, starts[::-1])
    np.testing.assert_allclose(first.points, second.points, rtol=0, atol=1e-12)
    for field in ("residuals", "jacobians", "eigenvalues", "stable"):
        np.testing.assert_allclose(getattr(first, field), getattr(second, field), rtol=0, atol=1e-12)


def test_a_linear_map_has_one():
    """h = A h + c, A not symmetric: (I - A)^-1 c from anywhere, and dF_i/dh_j = A_ij."""
    a, c = np.array([[0.5, -0.8], [0.9, 0.3]]), np.array([1.0, -2.0])
    fixed = find_fixed_points(lambda h: a @ h + c, 100 * np.random.default_rng(0).normal(size=(5, 2)))
    np.testing.assert_allclose(fixed.points, [np.linalg.solve(np.eye(2) - a, c)], rtol=1e-12)
    np.testing.assert_allclose(fixed.jacobians, [a], rtol=1e-12)
    np.testing.assert_allclose(fixed.eigenvalues, [np.sort_complex(np.linalg.eigvals(a))], rtol=1e-12)
    assert fixed.stable.tolist() == [True] and fixed.eigenvalues.dtype == complex


@pytest.mark.parametrize("double, accuracy", [(True, 1e-14), (False, 1e-6)])
def test_a_neuron_that_excites_itself_is_bistable(double, accuracy):
    """h = tanh(2 h): -h*, 0, h* with the slope 2 (1 - h^2), in either precision."""
    root = brentq(lambda h: np.tanh(2 * h) - h, 0.5, 1, xtol=1e-15)
    fixed = find_fixed_points(lambda h: jnp.tanh(2 * h), np.linspace(-2, 2, 9)[:, None], double=double)
    np.testing.assert_allclose(fixed.points[:, 0], [-root, 0, root], rtol=0, atol=accuracy)
    slopes = 2 * (1 - np.array([-root, 0, root]) ** 2)
    np.testing.assert_allclose(fixed.eigenvalues[:, 0], slopes, rtol=0, atol=10 * accuracy)
    assert fixed.stable.tolist() == [True, False, True]


def test_a_step_that_insists_on_float32_ends_at_its_rounding():
    fixed = find_fixed_points(lambda h: jnp.tanh(2 * h.astype(jnp.float32)), np.linspace(-2, 2, 9)[:, None])
    np.testing.assert_allclose(fixed.points[:, 0], [-0.9575040, 0, 0.9575040], rtol=0, atol=1e-6)


@pytest.mark.parametrize("least", [1e-4, 5e-7])
def test_a_slow_point_is_none(least):
    """|g| = h^2 + least has a minimum at 0, above the tolerance or below it, where Newton's steps go astray."""
    fixed = find_fixed_points(lambda h: h + h**2 + least, np.linspace(-1, 1, 8)[:, None])
    shapes = [(0, 1), (0,), (0, 1, 1), (0, 1), (0,)]
    assert [array.shape for array in fixed] == shapes


def test_of_roots_that_are_close_one_is_reported_not_their_mean():
    """Roots at 0 and 4e-4, below the separation, and at 1."""
    step = lambda h: h - h * (h - 4e-4) * (h - 1)  # noqa: E731
    starts = np.concatenate([np.linspace(-0.1, 0.1, 30), [0.8, 1.2]])[:, None]
    points = find_fixed_points(step, starts).points[:, 0]
    assert len(points) == 2 and min(abs(points[0]), abs(points[0] - 4e-4)) < 1e-10
    np.testing.assert_allclose(points[1], 1, rtol=1e-12)
    both = find_fixed_points(step, starts, separation=1e-5).points[:, 0]
    np.testing.assert_allclose(both, [0, 4e-4, 1], rtol=0, atol=1e-10)


def test_the_roots_of_a_bifurcation_are_found():
    """g = -h^2: a double root, at which J = 0 and the steps only halve the distance."""
    fixed = find_fixed_points(lambda h: h - h**2, np.linspace(-1, 1, 8)[:, None])
    np.testing.assert_allclose(fixed.points, [[0]], atol=1e-7)
    np.testing.assert_allclose(fixed.eigenvalues, [[1]], atol=1e-6)


def test_no_root_beyond_reach():
    """A gate that closes at large h: h' - h is below the rounding error there, and the only root is 0."""
    step = lambda h: h - h / (1 + jnp.exp(h**2))  # noqa: E731
    starts = np.linspace(-5, 5, 31)[:, None]
    assert np.abs(find_fixed_points(step, starts).points).max() > 5.5
    np.testing.assert_allclose(find_fixed_points(step, starts, reach=0.5).points, [[0]], atol=1e-12)


def test_of_a_line_of_fixed_points_a_net_is_reported():
    """An integrator: only the second variable decays."""
    rng = np.random.default_rng(0)
    fixed = find_fixed_points(lambda h: h * jnp.array([1.0, 0.5]), rng.uniform(-0.01, 0.01, (200, 2)))
    assert len(fixed.points) > 5 and least_distance(fixed.points) >= 1e-3
    assert np.abs(fixed.points[:, 1]).max() < 1e-6 and not fixed.stable.any()
    np.testing.assert_allclose(fixed.eigenvalues, np.tile([0.5, 1], (len(fixed.points), 1)), rtol=1e-12)


@pytest.mark.parametrize("name", ["lstm", "ct_rnn"])
def test_a_cell_with_its_input_held(name):
    """From states (1, N), a pair of them for the LSTM, to vectors and back; the input is part of the step."""
    inputs = jnp.full((1, 2), 0.3)
    make = lambda: CELLS[name](3, name="cell")  # noqa: E731
    start = hk.without_apply_rng(hk.transform(lambda: make().initial_state(1))).apply({})
    pure = hk.without_apply_rng(hk.transform(lambda state: make()(inputs, state)[1]))
    params = jax.tree.map(lambda w: w + 0.1, pure.init(jax.random.key(0), start))
    ravelled = ravel_step(lambda state: pure.apply(params, state), start)
    vector = ravelled.ravel(start)
    fixed = find_fixed_points(ravelled.step, sample_starts(np.asarray(vector)[None], 20, spread=1.0))
    assert len(fixed.points) >= 1 and fixed.residuals.max() < 1e-12
    state = ravelled.unravel(jnp.asarray(fixed.points[0], jnp.float32))
    after = pure.apply(params, state)
    assert jax.tree.structure(after) == jax.tree.structure(start)
    for one, other in zip(jax.tree.leaves(state), jax.tree.leaves(after)):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_complex_states_are_pairs_of_reals():
    """z' = l z + b: the root b / (1 - l), with the eigenvalues l and its conjugate; beside it x' = x / 2."""
    turn, push = 0.9 * np.exp(0.5j), 1 - 2j
    state = {"z": jnp.zeros((1,), complex), "x": jnp.zeros((1, 1))}
    ravelled = ravel_step(lambda s: {"z": turn * s["z"] + push, "x": s["x"] / 2}, state)
    fixed = find_fixed_points(ravelled.step, np.ones((2, 3)))
    np.testing.assert_allclose(fixed.eigenvalues, [[0.5, turn.conjugate(), turn]], rtol=1e-12)
    np.testing.assert_allclose(ravelled.unravel(fixed.points[0])["z"], [push / (1 - turn)], rtol=1e-6)
    held = {"z": jnp.array([1 + 2j]), "x": jnp.array([[3.0]])}
    np.testing.assert_array_equal(ravelled.ravel(held), [3, 1, 2])
    jax.tree.map(np.testing.assert_array_equal, ravelled.unravel(ravelled.ravel(held)), held)


def test_starts_are_states_with_noise():
    trajectories = np.random.default_rng(0).normal(size=(5, 40, 3))
    states = {tuple(state) for state in trajectories.reshape(-1, 3)}
    drawn = sample_starts(trajectories, 200, spread=0.0)
    assert {tuple(state) for state in drawn} == states  # each of the 200 once
    np.testing.assert_array_equal(sample_starts(trajectories, 9, seed=3), sample_starts(trajectories, 9, seed=3))
    assert (sample_starts(trajectories, 9, seed=3) != sample_starts(trajectories, 9, seed=4)).all()
    np.testing.assert_allclose(sample_starts(np.zeros((1, 1, 2)), 5000, spread=0.3).std(axis=0), 0.3, rtol=0.05)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"starts must be \(S, N\), found the shape \(3,\)"):
        find_fixed_points(jnp.tanh, np.zeros(3))
    with pytest.raises(ValueError, match="finite, found 1 values"):
        find_fixed_points(jnp.tanh, np.array([[0.0, np.nan]]))
    with pytest.raises(ValueError, match=r"step must give 3 real numbers for a state of 3, found .*\(2,\)"):
        find_fixed_points(lambda h: h[:2], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="tolerance must be positive, found 0"):
        find_fixed_points(jnp.tanh, np.zeros((2, 3)), tolerance=0)
    with pytest.raises(ValueError, match="real or complex numbers, found a leaf of int32"):
        ravel_step(lambda s: s, (jnp.zeros((1, 3)), jnp.zeros((1,), jnp.int32)))
    with pytest.raises(ValueError, match="count must be at least 1, found 0"):
        sample_starts(np.zeros((2, 3)), 0)
    with pytest.raises(ValueError, match=r"spread must not be negative, found -1"):
        sample_starts(np.zeros((2, 3)), 1, spread=-1)
