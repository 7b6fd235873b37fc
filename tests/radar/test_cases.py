"""Small inputs with a feature that people's files have, from the folder of reference data."""

import runpy
import sys

import numpy as np
import pytest

from predjax.radar.readers import read_movies


@pytest.fixture
def make(shared, tmp_path, monkeypatch):
    """A function that runs a script by its name with arguments, and returns the folder that it fills."""

    def run(name, *arguments):
        folder = tmp_path / name
        script = shared / "cases" / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(script), str(folder), *map(str, arguments)])
        runpy.run_path(str(script))
        return folder

    return run


def test_unsampled_negative(make, caplog):
    folder = make("unsampled_negative")
    for name, part in (("all", 0.5), ("some", 0.5 * 18 / 100)):  # two of the twenty frames were repaired
        values = read_movies(folder / f"{name}.nc")[0].frames.values
        assert np.isnan(values).mean() == pytest.approx(part)
        assert np.nanmin(values) == 0
        assert f"{name}.nc: rain: -3 is taken as no coverage" in caplog.text


def test_undershoot(make, caplog):
    folder = make("lead_zero_and_undershoot")
    for name, least in (("accepted", -0.5), ("refused", -0.02)):
        assert read_movies(folder / f"{name}.nc")[0].frames.values.min() == 0
        assert f"{name}.nc: rain: negative rain, down to {least} mm/h, is taken as 0" in caplog.text
