"""A trace of some iterations."""

import jax
import jax.numpy as jnp
import pytest

from predjax.training.profile import profile


@pytest.mark.ci
def test_some_iterations_are_traced(tmp_path):
    double = jax.jit(lambda x: 2 * x)
    with profile(double, tmp_path / "trace") as update:
        values = [float(update(jnp.float32(n))) for n in range(9)]
        assert list((tmp_path / "trace").rglob("*.xplane.pb"))
    assert values == [2.0 * n for n in range(9)]


def test_too_few_iterations_are_said(tmp_path, caplog):
    with profile(lambda x: x, tmp_path / "trace") as update:
        assert update(3) == 3
    assert "trace: nothing is traced in 1 iterations, of which the first 2 do not count" in caplog.text
    assert not (tmp_path / "trace").exists()
