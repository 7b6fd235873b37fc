"""The rows of the pictures of a nowcast."""

import numpy as np
import pytest
import xarray as xr

from predjax.pictures import nowcast
from predjax.pictures.nowcast import draw_nowcast

MAPS = ("lead_time", "y", "x", "channel")


@pytest.fixture
def forecast():
    """Three members of two lead times, their mean, and probabilities of rates and of accumulations."""
    members = np.random.default_rng(0).gamma(0.5, 4.0, (3, 2, 8, 9, 1)).astype(np.float32)
    rain = {"units": "mm/h"}
    variables = {
        "rain": (("realization", *MAPS), members, rain),
        "rain_median": (MAPS, np.median(members, axis=0), rain | {"cell_methods": "realization: median"}),
        "near": (("threshold", *MAPS), np.mean(members >= 2, axis=0)[None], {"radius_of_vicinity": "3 km"}),
        "total": (("accumulation_threshold", "accumulation_period", *MAPS[1:]), np.zeros((1, 1, 8, 9, 1))),
    }
    coords = {"lead_time": ("lead_time", [5, 10], {"units": "minutes"}), "realization": [1, 2, 3]}
    coords |= {"init_time": ((), 0), "valid_time": ("lead_time", [1, 2])}
    coords |= {axis: (axis, 1000.0 * np.arange(n), {"units": "m"}) for axis, n in (("y", 8), ("x", 9))}
    coords |= {"threshold": ("threshold", [2.0], {"units": "mm/h"}), "accumulation_period": [15]}
    coords["accumulation_threshold"] = "accumulation_threshold", [0.5], {"units": "mm"}
    return xr.Dataset(variables, coords)


def test_an_ensemble_shows_its_mean_two_members_and_probabilities(forecast, monkeypatch, tmp_path):
    drawn = {}

    def keep(path, rows, labels, **others):
        drawn[path.suffix] = {**rows, **{row.name: row for row in others.get("probabilities", ())}}

    monkeypatch.setattr(nowcast, "draw_strip", keep)
    monkeypatch.setattr(nowcast, "write_gif", lambda path, observed, rows, labels, overwrite: keep(path, rows, labels))
    draw_nowcast(tmp_path / "a.nc", forecast, np.zeros((1, 8, 9), np.float32))
    rows = ["mean", "member 1", "member 2", "median"]
    probabilities = ["P(≥ 2 mm/h) within 3 km", "P(≥ 0.5 mm)"]
    assert list(drawn[".png"]) == rows + probabilities and list(drawn[".gif"]) == rows
    members = forecast["rain"].values[..., 0]
    np.testing.assert_allclose(drawn[".png"]["mean"], members.mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(drawn[".png"]["member 2"], members[1])
    np.testing.assert_array_equal(drawn[".png"][probabilities[0]].frames, forecast["near"].values[0, ..., 0])
    assert drawn[".png"][probabilities[1]].heads == ["next 15 min"]


def test_the_pictures_are_files(forecast, tmp_path):
    draw_nowcast(tmp_path / "a.nc", forecast, np.zeros((1, 8, 9), np.float32))
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.gif"}
    with pytest.raises(FileExistsError):
        draw_nowcast(tmp_path / "a.nc", forecast, np.zeros((1, 8, 9), np.float32))
