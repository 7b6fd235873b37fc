"""Unitary, orthogonal and non-normal recurrences: the reference numbers, norms that stay, spectra that are as said."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, compile_quickly, draw, follow, make_params

from predjax.cells import ExpRNN, NnRNN, Unitary, unroll
from predjax.cells.unitary import make_skew, rectify_modulus, rotate_unitary


def draw_complex(*shape, seed=0):
    return jax.lax.complex(draw(*shape, seed=seed), draw(*shape, seed=seed + 1))


@pytest.mark.parametrize("start", ["zero", "state0"])
def test_unitary_against_the_published_equation(read, start):
    """The fixture has real V and a bias beside V x, which the paper has not: here it is V of an input that is 1."""
    arrays = read("C_UnitaryEvolution")
    v = np.concatenate([arrays["w/in_weight"], arrays["w/in_bias"][:, None]], 1).T
    params = {
        "cell": {
            "angles": np.stack([arrays[f"w/diag{i}"] for i in (1, 2, 3)]),
            "reflections": np.stack([[f(arrays[f"w/v{i}"]) for i in (1, 2)] for f in (np.real, np.imag)]),
            "b": arrays["w/modrelu_b"],
        },
        "cell/~/input": {"w": np.concatenate([v, np.zeros_like(v)], 1)},
        "cell/~/output": {"w": np.eye(16, 8, dtype=np.float32), "b": np.zeros(8, np.float32)},
    }

    def make():
        cell = Unitary(8, name="cell")
        cell.permutation = arrays["w/perm"]
        return cell

    x = np.concatenate([arrays["x"], np.ones((2, 7, 1), np.float32)], -1)
    state = arrays["state0/h"] if start == "state0" else np.zeros((2, 8), np.complex64)
    outputs, states = follow(make, params, x, state)
    np.testing.assert_allclose(states, arrays[f"paper/{start}"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(outputs, arrays[f"paper/{start}"].real, rtol=0, atol=1e-5)
    matrix = jax.vmap(lambda h: apply_method(make, params, Unitary.rotate, h), out_axes=1)(
        np.eye(8, dtype=np.complex64)
    )
    np.testing.assert_allclose(matrix, arrays["paper/W_unitary"], rtol=0, atol=1e-5)


def test_the_norm_stays_for_a_thousand_steps(double):
    h, angles, v = draw_complex(2, 3, 6), draw(3, 6), draw_complex(2, 6, seed=3)
    permutation = np.array([3, 0, 5, 1, 4, 2])
    matrix = np.asarray(jax.vmap(lambda h: rotate_unitary(h, angles, v, permutation), out_axes=1)(jnp.eye(6) + 0j))
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(6), atol=1e-13)
    last = jax.lax.fori_loop(0, 1000, lambda _, h: rotate_unitary(h, angles, v, permutation), h)
    np.testing.assert_allclose(jnp.linalg.norm(last, axis=-1), jnp.linalg.norm(h, axis=-1), rtol=1e-11)
    assert jnp.abs(last - h).max() > 0.1


def test_rectified_moduli(double):
    """The phase stays, the modulus is moved by b and cut at zero; at z = 0 there is a finite gradient."""
    z, b, rectify = np.asarray(draw_complex(50)), np.asarray(draw(50, seed=4)), jax.jit(rectify_modulus)
    y = np.asarray(rectify(z, b))
    np.testing.assert_allclose(np.abs(y), np.maximum(np.abs(z) + b, 0), atol=1e-12)
    np.testing.assert_allclose(y * np.abs(z), np.abs(y) * z, atol=1e-12)
    assert 0 < (y == 0).sum() < 50
    x = np.asarray(draw(50, seed=5))
    np.testing.assert_allclose(rectify(x, b), np.real(rectify(x + 0j, b)), atol=1e-12)

    def size(parts):
        return jnp.square(jnp.abs(rectify_modulus(jax.lax.complex(*parts), 0.5))).sum()

    assert jnp.isfinite(jax.grad(lambda p: size(p))(jnp.zeros((2, 3)))).all()


def test_unitary_parameters_start_as_in_the_paper():
    make = lambda: Unitary(200, name="cell")  # noqa: E731
    params = make_params(make, draw(1, 3))
    bounds = {"angles": np.pi, "reflections": 1.0, "h_0": np.sqrt(3 / 400)}
    for name, bound in bounds.items():
        values = np.abs(params["cell"][name])
        assert 0.95 * bound < values.max() <= bound * 1.0001
    assert not params["cell"]["b"].any()
    first = apply_method(make, params, Unitary.initial_state, 3)
    np.testing.assert_array_equal(first[2].real, params["cell"]["h_0"][0])


def skew_of(a):
    """The free matrix A of a fixture stands for A - A^T."""
    return (a - a.T)[np.triu_indices(len(a), 1)]


@pytest.mark.parametrize("start", ["zero", "state0"])
@pytest.mark.parametrize("activation", ["mod_relu", "relu"])
def test_exp_rnn_against_the_published_equation(read, activation, start):
    """With relu it is the form of the reference, with its additive bias."""
    arrays = read("C_expRNN")
    b = arrays["w/modrelu_b" if activation == "mod_relu" else "w/bias"]
    params = {"cell": {"skew": skew_of(arrays["w/A"]), "b": b}, "cell/~/input": {"w": arrays["w/w_in"].T}}
    make = lambda: ExpRNN(8, activation=activation, name="cell")  # noqa: E731
    state = arrays["state0/h"] if start == "state0" else None
    outputs, _ = follow(make, params, arrays["x"], state)
    target = arrays[f"paper{'' if activation == 'mod_relu' else '_relu'}/{start}"]
    np.testing.assert_allclose(outputs, target, rtol=0, atol=1e-5)
    matrix = apply_method(make, params, ExpRNN.orthogonal, np.float32)
    np.testing.assert_allclose(matrix, arrays["paper/orthogonal_matrix"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("start", ["zero", "state0"])
def test_nn_rnn_against_the_reference(read, start):
    """The form of the reference: a real diagonal, relu and an additive bias."""
    arrays = read("C_nnRNN")
    cell = {
        "skew": skew_of(arrays["w/A"]),
        "b": arrays["w/bias"],
        "radii": arrays["w/diag_wh"],
        "lower": arrays["w/tril_wh"][np.tril_indices(8, -1)],
    }
    params = {"cell": cell, "cell/~/input": {"w": arrays["w/w_in"].T}}
    make = lambda: NnRNN(8, activation="relu", rotations=False, name="cell")  # noqa: E731
    state = arrays["state0/h"] if start == "state0" else None
    outputs, _ = follow(make, params, arrays["x"], state)
    np.testing.assert_allclose(outputs, arrays[f"paper_diag_relu/{start}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("scheme", ["cayley", "henaff"])
def test_exp_rnn_is_orthogonal(double, scheme):
    """At the start with eigenvalues exp(+-i s) in the range of the scheme; and for any skew matrix."""
    make = lambda: ExpRNN(7, start=scheme, name="cell")  # noqa: E731
    params = make_params(make, draw(1, 3))
    q = apply_method(make, params, ExpRNN.orthogonal)
    np.testing.assert_allclose(q @ q.T, np.eye(7), atol=1e-13)
    s = np.abs(np.asarray(params["cell"]["skew"]))
    assert (s > 0).sum() == 3 and s.max() < (np.pi if scheme == "henaff" else 1.0)
    turns = np.sort(np.abs(np.angle(np.linalg.eigvals(q))))
    np.testing.assert_allclose(turns, np.sort([0, *np.repeat(s[s > 0], 2)]), atol=1e-7)
    params["cell"]["skew"] = draw(21)
    q = apply_method(make, params, ExpRNN.orthogonal)
    np.testing.assert_allclose(q @ q.T, np.eye(7), atol=1e-12)
    assert np.abs(q - np.eye(7)).max() > 0.5


def test_a_skew_matrix_is_skew():
    a = np.asarray(make_skew(jnp.arange(1.0, 4), 3))
    np.testing.assert_array_equal(a, [[0, 1, 2], [-1, 0, 3], [-2, -3, 0]])


def test_nn_rnn_has_the_spectrum_of_its_blocks_whatever_is_below(double):
    make = lambda: NnRNN(6, name="cell")  # noqa: E731
    params = make_params(make, draw(1, 3))
    v = np.asarray(apply_method(make, params, NnRNN.matrix))
    np.testing.assert_allclose(v @ v.T, np.eye(6), atol=1e-12)  # as it starts: T = 0, r = 1
    assert apply_method(make, params, NnRNN.penalty) == 0
    radii, angles = np.array([0.5, 0.9, 1.2]), np.array([0.3, 1.1, 2.5])
    params["cell"] |= {"radii": radii, "angles": angles, "lower": draw(12), "skew": draw(15)}
    v = np.asarray(apply_method(make, params, NnRNN.matrix))
    found = np.linalg.eigvals(v)
    np.testing.assert_allclose(np.sort(np.abs(found)), np.repeat(radii, 2), rtol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(np.angle(found))), np.repeat(angles, 2), rtol=1e-6)
    assert np.abs(v @ v.T - v.T @ v).max() > 0.1  # not normal
    np.testing.assert_allclose(apply_method(make, params, NnRNN.penalty), 1e-4 * (0.25 + 0.01 + 0.04), rtol=1e-5)


def test_nn_rnn_against_a_loop(double):
    """h' = modReLU(V h + U x), from V as a matrix."""
    make = lambda: NnRNN(4, name="cell")  # noqa: E731
    x, h = draw(2, 5, 3), draw(2, 4)
    params = make_params(make, x[:, 0])
    params["cell"] |= {"lower": draw(4), "b": -0.3 * jnp.abs(draw(4))}
    outputs, _ = follow(make, params, x, h)
    v, u, x, h = map(np.asarray, (apply_method(make, params, NnRNN.matrix), params["cell/~/input"]["w"], x, h))
    for t in range(5):
        z = h @ v.T + x[:, t] @ u
        h = np.sign(z) * np.maximum(np.abs(z) + params["cell"]["b"], 0)
        np.testing.assert_allclose(outputs[:, t], h, rtol=1e-10, atol=1e-12)


def test_rotation_blocks_need_pairs():
    with pytest.raises(ValueError, match="features must be even for rotation blocks, not 5"):
        make_params(lambda: NnRNN(5), draw(1, 3))


def test_exp_a_is_made_once_for_all_steps():
    """The solve of the matrix exponential stands before the loop over steps, not in it."""

    def run(inputs):
        cell = ExpRNN(6, name="cell")
        return unroll(cell, inputs, cell.initial_state(len(inputs)))[0]

    pure = hk.without_apply_rng(hk.transform(run))
    inputs = draw(2, 5, 3)
    params = compile_quickly(pure.init)(jax.random.key(0), inputs)
    jaxpr = jax.make_jaxpr(pure.apply)(params, inputs)
    loops = [equation for equation in jaxpr.eqns if equation.primitive.name == "scan"]
    assert len(loops) == 1 and "triangular_solve" in str(jaxpr)
    assert "triangular_solve" not in str(loops[0].params["jaxpr"])
    by_hand, _ = follow(lambda: ExpRNN(6, name="cell"), params, inputs)
    np.testing.assert_allclose(compile_quickly(pure.apply)(params, inputs), by_hand, rtol=1e-5, atol=1e-6)
