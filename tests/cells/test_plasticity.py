"""J2 plasticity in plane stress: the exact solutions, the yield surface, and gradients through the return to it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import draw

from predjax.cells.plasticity import (
    ExponentialHardening,
    Material,
    PlasticState,
    elastic_stress,
    rest,
    update_stress,
    von_mises,
)

MATERIAL = Material()
CASES = ["small", "medium", "large_steps", "zero_start"]


pytestmark = pytest.mark.usefixtures("double")
update = jax.jit(update_stress, static_argnums=2)


@jax.jit
def follow(strains):
    """Stresses and histories of all steps of paths `(N, T, 3)`, `(N, T, ...)` each."""

    def body(state, strain):
        stress, state = update_stress(strain, state)
        return state, (stress, state)

    _, found = jax.lax.scan(body, rest(strains.shape[:1], strains.dtype), strains.swapaxes(0, 1))
    return jax.tree.map(lambda a: a.swapaxes(0, 1), found)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-5), (np.float32, 1e-3)])
def test_stresses_and_histories_are_the_exact_ones(read, case, dtype, atol):
    """Also after steps of 10 % strain, where five Newton iterations leave 3 MPa."""
    arrays = read(f"E_j2_{case}")
    stress, state = follow(jnp.asarray(arrays["eps"], dtype))
    assert stress.dtype == dtype
    np.testing.assert_allclose(stress, arrays["exact/stress"], rtol=0, atol=atol)
    np.testing.assert_allclose(state.kappa, arrays["exact/eps_p_eq"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(state.strain, arrays["exact/eps_plastic"], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("size", [0.02, 0.2, 20.0])
def test_a_plastic_step_ends_on_the_yield_surface(size):
    strain = size * draw(200, 3)
    state = PlasticState(jnp.zeros((200, 3)), jnp.abs(draw(200, seed=1)) * 0.01)
    stress, after = update(strain, state)
    yields = von_mises(elastic_stress(strain, MATERIAL)) > MATERIAL.hardening(state.kappa)
    assert yields.mean() > 0.3
    np.testing.assert_allclose(von_mises(stress)[yields], MATERIAL.hardening(after.kappa)[yields], rtol=1e-12)
    assert (after.kappa[yields] > state.kappa[yields]).all()
    np.testing.assert_array_equal(after.kappa[~yields], state.kappa[~yields])
    # The stress is that of the elastic part of the strain, and the flow is along it: no volume is added.
    np.testing.assert_allclose(stress, elastic_stress(strain - after.strain, MATERIAL), rtol=1e-9, atol=1e-8)


def test_uniaxial_tension_below_yield_and_beyond():
    """xx = E eps under tension with free contraction; after yield the stress is the hardening curve."""
    below = jnp.array([0.005, -MATERIAL.poisson * 0.005, 0.0])
    np.testing.assert_allclose(update(below, rest(()))[0], [0.005 * MATERIAL.young, 0, 0], atol=1e-10)
    assert von_mises(jnp.array([7.0, 0.0, 0.0])) == 7 and von_mises(jnp.zeros(3)) == 0
    np.testing.assert_allclose(von_mises(jnp.array([0.0, 0.0, 2.0])), 2 * np.sqrt(3))
    assert MATERIAL.hardening(0.0) == pytest.approx(31.2) and MATERIAL.hardening(1.0) == pytest.approx(64.8)


def test_unloading_is_elastic():
    loaded = jnp.array([0.03, 0.01, -0.02])
    stress, state = update(loaded, rest(()))
    lower, same = update(0.9 * loaded, state)
    assert same.kappa == state.kappa > 0
    np.testing.assert_allclose(stress - lower, elastic_stress(0.1 * loaded, MATERIAL), rtol=1e-9)


@pytest.mark.parametrize("case", ["large_steps", "zero_start", pytest.param("medium", marks=pytest.mark.slow)])
def test_gradients_are_those_of_the_path(read, case):
    """Against central differences, through elastic and plastic steps; finite where the strain is zero."""
    strains = jnp.asarray(read(f"E_j2_{case}")["eps"], float)
    weights = draw(*strains.shape)

    def total(strains):
        return (follow(strains)[0] * weights).sum()

    gradient = jax.grad(total)(strains)
    assert np.isfinite(gradient).all()
    direction = draw(*strains.shape, seed=2) * (jnp.abs(strains).max(-1, keepdims=True) > 0)
    step = 1e-8
    slope = (total(strains + step * direction) - total(strains - step * direction)) / (2 * step)
    np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-5)


def test_hardening_is_an_argument():
    ideal = Material(hardening=ExponentialHardening(30.0, 30.0))
    stress, _ = update(0.1 * draw(20, 3), rest((20,)), ideal)
    np.testing.assert_allclose(von_mises(stress), 30, rtol=1e-12)
