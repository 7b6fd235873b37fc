"""The Lipschitz recurrence: against the reference numbers, the spectrum of A, and the order of its steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, draw, follow, make_matrix, make_params

from predjax.cells import Lipschitz
from predjax.cells.lipschitz import step_euler, step_midpoint

OPTIONS = {"beta_a": 0.65, "gamma_a": 0.05, "beta_w": 0.7, "gamma_w": 0.1, "step_size": 0.2}


@pytest.mark.parametrize("start", ["zero", "state0"])
@pytest.mark.parametrize("name", ["C_Lipschitz_euler", "C_Lipschitz_rk2"])
def test_against_the_published_equation(read, name, start):
    arrays = read(name)
    params = {
        "cell/~/m_a": {"w": arrays["w/M_a"].T},
        "cell/~/m_w": {"w": arrays["w/M_w"].T},
        "cell/~/input": {"w": arrays["w/W_in"].T, "b": arrays["w/b"]},
    }
    state = arrays["state0/h"] if start == "state0" else None
    make = lambda: Lipschitz(8, **OPTIONS, rk2=name.endswith("rk2"), name="cell")  # noqa: E731
    outputs, _ = follow(make, params, arrays["x"], state)
    np.testing.assert_allclose(outputs, arrays[f"paper/{start}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kernel_shape", [(), (3, 3)], ids=str)
def test_beta_says_how_symmetric_the_maps_are(double, kernel_shape):
    """beta = 1: the symmetric part is -gamma I. beta = 0: there is no antisymmetric part."""
    size = (3, 4, 2)
    options = {"beta_a": 1.0, "gamma_a": 0.3, "beta_w": 0.0, "gamma_w": 0.2, "scale": 5.0}
    make = lambda: Lipschitz(2, size[:2], kernel_shape, **options, name="cell")  # noqa: E731
    params = make_params(make, draw(1, *size))

    def apply(i):
        return lambda h: apply_method(make, params, Lipschitz.split, h[None])[i]

    a, w = (np.asarray(make_matrix(apply(i), size)) for i in (0, 1))
    np.testing.assert_allclose(a + a.T, -0.6 * np.eye(24), atol=1e-12)
    np.testing.assert_allclose(w, w.T, atol=1e-12)
    assert np.abs(a - a.T).max() > 0.1 and np.abs(w + 0.2 * np.eye(24)).max() > 0.1
    m_a = make_matrix(lambda h: apply_method(make, params, lambda cell, h: cell.maps[0](h), h[None]), size)
    np.testing.assert_allclose(a, m_a - m_a.T - 0.3 * np.eye(24), atol=1e-12)


@pytest.mark.parametrize("step, order", [(step_euler, 2), (step_midpoint, 3)])
def test_errors_of_a_step_fall_with_their_order(double, step, order):
    """Against many small steps; halving the step divides the error of one by 2^order."""
    w, start = draw(4, 4), draw(4)

    def slope(h, use=None):
        return -0.3 * h + jnp.tanh(w @ h + 0.1)

    def error(size):
        exact = jax.lax.fori_loop(0, 1000, lambda _, h: step_midpoint(slope, h, size / 1000), start)
        return float(jnp.abs(step(slope, start, size) - exact).max())

    assert abs(np.log2(error(0.02) / error(0.01)) - order) < 0.1


@pytest.mark.parametrize("rk2, order", [(False, 2), (True, 3)])
def test_errors_of_the_cell_fall_with_their_order(double, rk2, order):
    """Two half steps are nearer to the solution than a step, by the order of the method."""
    x, h = jnp.broadcast_to(draw(1, 1, 3), (1, 2, 3)), draw(1, 4)

    def run(size, steps):
        make = lambda: Lipschitz(4, step_size=size, rk2=rk2, scale=4.0, name="cell")  # noqa: E731
        return follow(make, make_params(make, x[:, 0]), x[:, :steps], h)[0][:, -1]

    def difference(size):
        return float(jnp.abs(run(size, 1) - run(size / 2, 2)).max())

    assert abs(np.log2(difference(0.04) / difference(0.02)) - order) < 0.2


def test_kernels_start_as_in_the_paper():
    params = make_params(lambda: Lipschitz(50, name="cell"), draw(1, 30))
    for name in ("m_a", "m_w"):
        np.testing.assert_allclose(jnp.std(params[f"cell/~/{name}"]["w"]), 0.1 / 50, rtol=0.06)
    np.testing.assert_allclose(jnp.std(params["cell/~/input"]["w"]), np.sqrt(2 / 80), rtol=0.06)
    assert not params["cell/~/input"]["b"].any()
    params = make_params(lambda: Lipschitz(20, (3, 3), (3, 3), name="cell"), draw(1, 3, 3, 2))
    np.testing.assert_allclose(jnp.std(params["cell/~/m_a"]["w"]), 0.1 / 180, rtol=0.06)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"beta_a": 1.5}, "beta_a must be at most 1, not 1.5"),
        ({"rk2": "yes"}, "rk2 must be true or false, not 'yes'"),
        ({"step_size": "0.1"}, "step_size must be a number, not '0.1'"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        make_params(lambda: Lipschitz(4, **options), draw(1, 3))
