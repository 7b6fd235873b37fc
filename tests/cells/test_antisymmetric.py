"""Antisymmetric recurrences: against the reference numbers, and the spectrum that gives them their name."""

import jax.numpy as jnp
import numpy as np
import pytest
from sequences import apply_method, draw, follow, make_matrix, make_params

from predjax.cells import Antisymmetric, GatedAntisymmetric

OPTIONS = {"step_size": 0.15, "diffusion": 0.2}


@pytest.mark.parametrize("start", ["zero", "state0"])
@pytest.mark.parametrize("cell", [Antisymmetric, GatedAntisymmetric])
def test_against_the_published_equation(read, cell, start):
    arrays = read("C_AntisymmetricRNN" if cell is Antisymmetric else "C_GatedAntisymmetricRNN")
    params = {
        "cell/~/input": {"w": arrays["w/w_in"].T, "b": arrays["w/b"]},
        "cell/~/recurrent": {"w": arrays["w/w_hh"].T},
    }
    if cell is GatedAntisymmetric:
        params["cell/~/gate"] = {"w": arrays["w/w_g"].T, "b": arrays["w/b_g"]}
    state = arrays["state0/h"] if start == "state0" else None
    outputs, _ = follow(lambda: cell(8, **OPTIONS, name="cell"), params, arrays["x"], state)
    np.testing.assert_allclose(outputs, arrays[f"paper/{start}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kernel_shape", [(), (1, 1), (3, 3), (5, 5)], ids=str)
def test_the_spectrum_of_the_recurrent_map_is_imaginary(double, kernel_shape):
    """Without diffusion; with it, all real parts are -diffusion. So is a step without growth: |1 + e i w|^2."""
    size = (3, 4, 2)

    def make(diffusion):
        return lambda: Antisymmetric(2, size[:2], kernel_shape, diffusion=diffusion, name="cell")

    params = make_params(make(0.0), draw(1, *size))
    for diffusion in (0.0, 0.3):
        matrix = make_matrix(
            lambda h, diffusion=diffusion: apply_method(make(diffusion), params, Antisymmetric.rotate, h[None]), size
        )
        skew = matrix + diffusion * np.eye(24)
        np.testing.assert_allclose(skew, -skew.T, atol=1e-12)
        assert np.abs(skew).max() > 0.1
        np.testing.assert_allclose(np.linalg.eigvals(matrix).real, -diffusion, atol=1e-12)
        grown = np.linalg.norm(np.eye(24) + 0.1 * skew, 2)
        np.testing.assert_allclose(grown, np.sqrt(1 + (0.1 * np.abs(np.linalg.eigvals(skew)).max()) ** 2), rtol=1e-10)


def test_an_open_gate_is_the_cell_without_gate(double):
    x, h = draw(2, 3, 3), draw(2, 4)
    params = make_params(lambda: GatedAntisymmetric(4, name="cell"), x[:, 0])
    params["cell/~/gate"]["b"] += 100.0
    gated, _ = follow(lambda: GatedAntisymmetric(4, name="cell"), params, x, h)
    del params["cell/~/gate"]
    plain, _ = follow(lambda: Antisymmetric(4, name="cell"), params, x, h)
    np.testing.assert_allclose(gated, plain, rtol=1e-12)


def test_kernels_start_as_in_the_paper():
    params = make_params(lambda: Antisymmetric(40, recurrent_variance=4.0, name="cell"), draw(1, 100))
    np.testing.assert_allclose(jnp.std(params["cell/~/recurrent"]["w"]), np.sqrt(4 / 40), rtol=0.06)
    np.testing.assert_allclose(jnp.std(params["cell/~/input"]["w"]), np.sqrt(1 / 100), rtol=0.06)
    assert not params["cell/~/input"]["b"].any()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"step_size": -1}, "step_size must be more than 0, not -1"),
        ({"diffusion": -0.1}, "diffusion must be at least 0, not -0.1"),
        ({"recurrent_variance": 0}, "recurrent_variance must be more than 0, not 0"),
    ],
)
def test_options_are_checked(options, message):
    for cell in (Antisymmetric, GatedAntisymmetric):
        with pytest.raises(ValueError, match=message):
            make_params(lambda cell=cell: cell(4, **options), draw(1, 3))
