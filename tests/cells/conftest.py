"""The reference numbers of cells."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def read(shared):
    """Arrays of a fixture by its name."""
    return lambda name: dict(np.load(shared / "fixtures" / f"{name}.npz"))


@pytest.fixture
def double():
    """Float64 for the mathematics."""
    import jax

    with jax.enable_x64(True):
        yield
