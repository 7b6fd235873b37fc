"""Tools for the tests of synthetic data."""

import pytest


@pytest.fixture
def differentiate():
    """Slopes at the third to the third last sample, by central differences of fourth order."""
    return lambda values, dt: (8 * (values[3:-1] - values[1:-3]) - (values[4:] - values[:-4])) / (12 * dt)
