"""All kinds of bad input, from the modules of each format."""

import importlib

from bad_input.kinds import KINDS

MODULES = "npy npz places table netcdf_files netcdf_labels netcdf_values classic torch checkpoint flags".split()
for module in MODULES:
    importlib.import_module(f"bad_input.bad_{module}")

__all__ = ["KINDS"]
