"""Datasets that a test builds a variable at a time."""

import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats.netcdf import build_dataset


class Variables(dict):
    """The variables of a Dataset that grows."""

    @property
    def dataset(self):
        return build_dataset(self, {}, "a.nc")

    def add(self, name, dims, dtype="f4", **attrs):
        """Add a variable with sizes by dimension; return its name."""
        self[name] = xr.Variable(tuple(dims), np.zeros(tuple(dims.values()), dtype), attrs)
        return name


@pytest.fixture
def there():
    return Variables()
