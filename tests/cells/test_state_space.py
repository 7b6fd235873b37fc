"""Linear state spaces: the reference numbers; the scan is the steps; discretisation; initial values."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, compile_quickly, draw, follow, make_params

from predjax.cells import LRU, S5, ConvS5
from predjax.cells.hippo import diagonalise_hippo, make_hippo, start_inputs, start_outputs
from predjax.cells.state_space import discretise, normalise_groups, scan_linear


def parts(a, axis):
    return np.concatenate([a.real, a.imag], axis)


@pytest.mark.parametrize("start", ["zero", "x0"])
@pytest.mark.parametrize("name", ["C_LRU", "C_S5"])
def test_against_the_published_equation(read, name, start):
    """The fixtures have a dense D; that of S5 has a full spectrum."""
    arrays = read(name)
    if name == "C_LRU":
        make = lambda: LRU(5, state_size=8, skip="dense", name="cell")  # noqa: E731
        own = {ours: arrays[f"w/{ours}_log"] for ours in ("nu", "theta", "gamma")}
    else:
        make = lambda: S5(5, state_size=8, skip="dense", conjugate=False, name="cell")  # noqa: E731
        eigenvalues = arrays["w/Lambda"]
        own = {"lambda_re": eigenvalues.real, "lambda_im": eigenvalues.imag, "log_step": np.log(arrays["w/Delta"])}
    params = {
        "cell": own,
        "cell/~/b": {"w": parts(arrays["w/W_in"].T, -1)},
        "cell/~/c": {"w": parts(arrays["w/W_out"].T, 0)},
        "cell/~/d": {"w": arrays["w/W_skip"].T},
    }
    state = arrays["x0"] if start == "x0" else None
    outputs, states = follow(make, params, arrays["u"], state)
    np.testing.assert_allclose(states, arrays[f"paper/{start}/x"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(outputs, arrays[f"paper/{start}/y"], rtol=0, atol=1e-5)


def test_hippo_has_the_spectrum_of_the_reference(read):
    arrays = read("C_S5")
    np.testing.assert_allclose(make_hippo(8), arrays["init/hippo_legs_normal_N"], rtol=1e-5, atol=1e-6)
    full, v = diagonalise_hippo(8, conjugate=False)
    np.testing.assert_allclose(full, arrays["init/hippo_eigvals_sorted_by_imag"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(v @ np.diag(full) @ v.conj().T, make_hippo(8), atol=1e-12)
    half, _ = diagonalise_hippo(8)
    np.testing.assert_allclose(half, read("G_ConvS5")["init/hippo_Lambda"], rtol=1e-5, atol=1e-6)
    twice, v = diagonalise_hippo(16, blocks=2)
    np.testing.assert_array_equal(twice, np.tile(half, 2))
    assert v.shape == (16, 8) and not v[:8, 4:].any() and not v[8:, :4].any()


@pytest.mark.parametrize("scan", [False, True], ids=["steps", "scan"])
def test_conv_s5_against_the_reference(read, scan):
    """Time-major; the columns of B are ordered (channel, row, column)."""
    arrays = read("G_ConvS5")
    make = lambda: ConvS5(4, (6, 6), (3, 3), groups=2, name="cell")  # noqa: E731
    b = arrays["w/B"].reshape(4, 4, 3, 3, 2).transpose(2, 3, 1, 0, 4)
    c = arrays["w/C"]
    convolution, norm = ({n: arrays[f"w/C_D_conv/{m}/{n}"] for n in names} for m, names in D_NAMES.items())
    params = {
        "cell": {
            "lambda_re": arrays["w/Lambda_re"],
            "lambda_im": arrays["w/Lambda_im"],
            "log_step": arrays["w/log_step"][:, 0],
            "scale": norm["scale"],
            "offset": norm["bias"],
        },
        "cell/~/b": {"w": np.concatenate([b[..., 0], b[..., 1]], -1)},
        "cell/~/c": {"w": np.concatenate([c[..., 0], c[..., 1]], -2)},
        "cell/~/d": {"w": convolution["kernel"], "b": convolution["bias"]},
    }
    u, x0 = arrays["u"].swapaxes(0, 1), arrays["x0"]
    if scan:
        outputs, last = apply_method(make, params, ConvS5.unroll, u, x0)
    else:
        outputs, states = follow(make, params, u, x0)
        last = states[:, -1]
        np.testing.assert_allclose(states.swapaxes(0, 1), arrays["x_states"], rtol=0, atol=2e-5 * np.abs(states).max())
        y = apply_method(make, params, lambda cell, x: cell.output(cell.parts(x)), states[:, -1])
        np.testing.assert_allclose(y, arrays["ssm_y"][-1], rtol=0, atol=2e-5 * np.abs(arrays["ssm_y"]).max())
    np.testing.assert_allclose(last, arrays["x_last"], rtol=0, atol=2e-5 * np.abs(last).max())
    np.testing.assert_allclose(outputs.swapaxes(0, 1), arrays["layer_y"], rtol=0, atol=2e-5)


D_NAMES = {"Conv_0": ("kernel", "bias"), "GroupNorm_0": ("scale", "bias")}
SCANNED = {
    "lru": lambda: LRU(3, state_size=5, name="cell"),
    "s5": lambda: S5(3, (2, 3), (), state_size=4, name="cell"),
    "s5 full": lambda: S5(3, (2, 3), (3, 3), conjugate=False, name="cell"),
    "conv_s5": lambda: ConvS5(3, (2, 3), (3, 3), groups=3, name="cell"),
}


@pytest.mark.parametrize("name", SCANNED)
def test_the_scan_is_the_steps(double, name):
    """From a state that is not zero, for a length that is no power of two, in float64; with the same parameters."""
    make = SCANNED[name]
    grid = () if name == "lru" else (2, 3)
    u = draw(2, 7, *grid, 3)
    params = make_params(make, u[:, 0])

    def run(u):
        cell = make()
        size = (2, *grid, cell.state_size)
        state = jax.lax.complex(draw(*size, seed=1), draw(*size, seed=2))
        by_steps = hk.dynamic_unroll(cell, u, state, time_major=False)
        return by_steps, cell.unroll(u, state)

    steps, scan = compile_quickly(hk.without_apply_rng(hk.transform(run)).apply)(params, u)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11), steps, scan)
    assert np.abs(steps[0]).max() > 0.1


def test_a_scan_against_a_loop(double):
    decay, drives, first = draw(3), draw(5, 2, 3), draw(2, 3, seed=1)
    found = scan_linear(decay, drives, first)
    for t in range(5):
        first = decay * first + drives[t]
        np.testing.assert_allclose(found[t], first, rtol=1e-12, atol=1e-14)


def test_a_held_input_is_integrated_exactly(double):
    """x(d) of dx/dt = L x + u from x(0), against many small steps; for d -> 0 it is 1 + L d and d."""
    eigenvalue, size, x, u = -0.5 + 3j, 0.7, 0.4 - 0.2j, 1.3
    decay, scale = discretise(jnp.array(eigenvalue), size)
    fine = x
    for _ in range(2000):  # the midpoint rule
        middle = fine + size / 4000 * (eigenvalue * fine + u)
        fine += size / 2000 * (eigenvalue * middle + u)
    np.testing.assert_allclose(decay * x + scale * u, fine, rtol=1e-6)
    decay, scale = discretise(jnp.array(eigenvalue), 1e-6)
    np.testing.assert_allclose([(decay - 1) / 1e-6, scale / 1e-6], [eigenvalue, 1], rtol=1e-5)


def test_small_steps_are_precise_in_float32():
    """exp(L d) - 1 for L d of 1e-5 would lose three digits."""
    _, scale = discretise(jnp.array(-0.5 + 0.1j, jnp.complex64), 1e-5)
    np.testing.assert_allclose(scale, 1e-5 * (1 + (-0.5 + 0.1j) * 0.5e-5), rtol=1e-6)


def test_lru_starts_in_its_ring_with_outputs_of_the_size_of_inputs(double):
    make = lambda: LRU(1, state_size=4000, r_min=0.6, r_max=0.9, max_phase=1.0, name="cell")  # noqa: E731
    params = make_params(make, draw(1, 1))
    decay, scale = apply_method(make, params, lambda cell: cell.factors(float))
    radii, phases = np.abs(decay), np.angle(decay)
    assert 0.6 <= radii.min() < 0.61 and 0.89 < radii.max() <= 0.9
    np.testing.assert_allclose(np.mean(radii**2), (0.6**2 + 0.9**2) / 2, rtol=0.02)  # uniform in area
    assert 0 <= phases.min() < 0.01 and 0.99 < phases.max() <= 1
    np.testing.assert_allclose(scale**2, 1 - radii**2, rtol=1e-9)
    np.testing.assert_allclose(np.std(params["cell/~/b"]["w"]), np.sqrt(0.5), rtol=0.05)
    np.testing.assert_allclose(np.std(params["cell/~/c"]["w"]), np.sqrt(1 / 4000), rtol=0.05)


def test_any_parameters_of_lru_keep_it_stable():
    make = lambda: LRU(3, state_size=5, name="cell")  # noqa: E731
    params = make_params(make, draw(1, 3))
    params["cell"]["nu"] = jnp.array([-8.0, -2.0, 0.0, 1.0, 3.0])
    decay, _ = apply_method(make, params, lambda cell: cell.factors(jnp.float32))
    assert (np.abs(decay) < 1).all()


def test_s5_starts_from_hippo(double):
    """B = V^H B_0 and C = C_0 V with B_0 real: V B is real again where V holds the whole spectrum."""
    make = lambda: S5(200, state_size=8, conjugate=False, name="cell")  # noqa: E731
    params = make_params(make, draw(1, 200))
    values, v = diagonalise_hippo(8, conjugate=False)
    np.testing.assert_allclose(params["cell"]["lambda_re"] + 1j * params["cell"]["lambda_im"], values)
    re, im = np.split(np.asarray(params["cell/~/b"]["w"]), 2, -1)
    b = v @ (re + 1j * im).T
    np.testing.assert_allclose(b.imag, 0, atol=1e-12)
    np.testing.assert_allclose(b.real.std(), np.sqrt(1 / 200), rtol=0.06)
    re, im = np.split(np.asarray(params["cell/~/c"]["w"]), 2, 0)
    c = (re + 1j * im).T @ v.conj().T
    np.testing.assert_allclose([c.real.std(), c.imag.std()], np.sqrt(1 / 16), rtol=0.1)
    steps = np.exp(params["cell"]["log_step"])
    assert steps.shape == (8,) and 0.001 <= steps.min() < steps.max() <= 0.1


def test_maps_start_in_the_basis_of_eigenvectors(double):
    """V^H B and C V, for the B and C that the same key gives in the standard basis."""
    _, v = diagonalise_hippo(8)

    def draw_start(init, *shape):
        return np.asarray(hk.transform(lambda: init(shape, float)).apply({}, jax.random.key(0)))

    plain = draw_start(start_inputs(np.eye(8) + 0j, 1.0), 3, 16)
    assert not plain[:, 8:].any()
    re, im = np.split(draw_start(start_inputs(v, 1.0), 3, 8), 2, -1)
    np.testing.assert_allclose((re + 1j * im).T, v.conj().T @ plain[:, :8].T, atol=1e-12)
    for real in (False, True):
        c_re, c_im = np.split(draw_start(start_outputs(np.eye(8) + 0j, 1.0, real), 16, 3), 2)
        assert c_im.any() != real
        re, im = np.split(draw_start(start_outputs(v, 1.0, real), 8, 3), 2)
        np.testing.assert_allclose((re + 1j * im).T, (c_re + 1j * c_im).T @ v, atol=1e-12)


def test_eigenvalues_are_clipped_where_asked():
    def real_part(**options):
        make = lambda: S5(3, name="cell", **options)  # noqa: E731
        params = make_params(make, draw(1, 3))
        params["cell"] |= {"lambda_re": jnp.full(3, 2.0), "log_step": jnp.zeros(3)}
        return np.log(np.abs(apply_method(make, params, lambda cell: cell.factors(jnp.float32))[0]))

    np.testing.assert_allclose(real_part(), 2, rtol=1e-5)
    np.testing.assert_allclose(real_part(clip_eigenvalues=True), -1e-4, atol=1e-6)


def test_groups_have_mean_zero_and_variance_one(double):
    y = np.asarray(normalise_groups(3 + draw(2, 4, 5, 6), 2)).reshape(2, 20, 2, 3)
    np.testing.assert_allclose(y.mean((1, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((1, 3)), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: S5(4), "skip 'vector' needs as many inputs as features, not 3 for 4"),
        (lambda: S5(3, blocks=2), "blocks must divide state_size 3, not 2"),
        (lambda: LRU(3, r_min=0.9, r_max=0.5), "r_max must be more than 0.9, not 0.5"),
        (lambda: ConvS5(3, groups=2), "groups must divide features 3, not 2"),
    ],
)
def test_options_are_checked(make, message):
    with pytest.raises(ValueError) as error:
        make_params(make, draw(1, 3))
    assert message in str(error.value)
