"""Files of stress-strain paths: what is in them, and what is refused."""

import netCDF4
import numpy as np
import pytest

from predjax.synthetic import micromodel
from predjax.synthetic.__main__ import main
from predjax.synthetic.strain_paths import make_strain_path
from predjax.synthetic.stress_strain import StressStrainConfig, find_stress


def make_paths(path_type, count=2, length=8, max_strain=0.04):
    return np.stack([make_strain_path(path_type, i, length, max_strain, 0) for i in range(count)]).astype(np.float32)


def test_the_command_writes_what_the_reader_reads(tmp_path, capsys):
    path = tmp_path / "paths.nc"
    command = ["stress_strain", "--output", str(path), "--num_movies", "2", "--length", "4", "--pixels", "9"]
    command += ["--num_fibres", "1", "--fibre_fraction", "0.3", "--path_type", "gaussian"]
    assert main(command) == 0
    with netCDF4.Dataset(path) as file:
        assert file["stress"].dimensions == ("path", "time", "component") and file["stress"].units == "MPa"
        assert file["stress"].shape == file["strain"].shape == (2, 4, 3) and file.path_type == "gaussian"
    assert main(command) == 2 and "exists; --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--num_movies", "19"], "num_movies 19 must be from 1 to 18"),
        (["--pixels", "8"], "pixels must be odd, and at least 3, not 8"),
        (["--max_strain", "2"], "max_strain must be above 0 and at most 0.2"),
        (["--output", "paths.txt"], "paths.txt: stress-strain paths are written as .nc, not .txt"),
    ],
)
def test_paths_that_cannot_be_are_refused(flags, reason, tmp_path, capsys):
    assert main(["stress_strain", "--output", str(tmp_path / "a.nc"), *flags]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1


def test_a_cell_out_of_balance_is_refused(monkeypatch):
    monkeypatch.setattr(micromodel, "MOST_ITERATIONS", 1)
    with pytest.raises(ValueError, match="step 0 of paths from 0: the cell is out of balance by"):
        find_stress(make_paths("canonical"), StressStrainConfig(pixels=11, num_fibres=1, fibre_fraction=0.4))
