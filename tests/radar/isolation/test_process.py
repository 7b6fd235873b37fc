"""The process that reads files as a command starts it: a copy of the command, before jax has threads."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray as xr
from tiny import ROOT

READ = """
import importlib.util, os, sys
own = open(sys.executable)
from predjax.radar.config import Trust
from predjax.radar.isolation import process
process.start_early(Trust(), sys.argv[1:])
from predjax.radar.isolation.reader import FileReader
from predjax.radar.readers import read_unsaid
((early,),) = process._EARLY.values()
assert early.args == [sys.executable]  # a copy, for which no program was started
reader = FileReader(process.find_limits(Trust()))
(movies,) = read_unsaid(sys.argv[1:], reader=reader)
assert movies.frames.values.sum() == 24 and reader._process is early
assert "dask" not in sys.modules and importlib.util.find_spec("dask")  # installed, and imported by nothing
files = f"/proc/{early.pid}/fd"
assert os.path.realpath(own.name) not in [os.readlink(f"{files}/{name}") for name in os.listdir(files)]
assert os.getsid(early.pid) == early.pid
reader.close()
assert early.returncode == -9
"""


@pytest.mark.ci
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is copied")
def test_a_process_without_threads_is_copied(tmp_path):
    xr.Dataset({"rain": (("time", "y", "x"), np.ones((2, 3, 4)))}).to_netcdf(tmp_path / "a.nc")
    environment = {name: value for name, value in os.environ.items() if name != "HDF5_USE_FILE_LOCKING"}
    environment["PYTHONPATH"] = str(ROOT)
    with h5py.File(tmp_path / "a.nc", "a", locking=True):  # as a program that appends to it
        # Python 3.12 and later may warn of threads, of which numpy has some; they end before the copy is made.
        warned = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
        read = [sys.executable, *warned, "-c", READ, str(tmp_path / "a.nc")]
        done = subprocess.run(read, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
