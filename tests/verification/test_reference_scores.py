"""Persistence on real events against the scores that pysteps computed for the same frames.

The reference takes the central 256 x 256 pixels, every sixth init time from the fourth frame on, an hour of lead
times, and rain rates in mm/h; pysteps counts `>` where predjax counts `>=`, but no value equals a threshold there.
"""

import json

import netCDF4
import numpy as np
import pytest

from predjax.nowcasts.persistence import persist
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.verification.fields import Scoring
from predjax.verification.scores import COUNTS, skill, statistics

# The others are as many frames again that say nothing else.
EVENTS = [
    pytest.param("knmi_20100826", marks=pytest.mark.slow),
    "fmi_20160928",
    pytest.param("fmi_20170509", marks=pytest.mark.slow),
    pytest.param("bom_20201031", marks=pytest.mark.slow),
    "mch_20160711",
]
THRESHOLDS = {"0.1": 0.1, "1": 1.0, "5": 5.0}
CROP = 256


@pytest.fixture(scope="module")
def references(shared):
    return json.loads((shared / "radar" / "reference_scores.json").read_text())


def score(frames, event):
    """Statistics of persistence on frames (time, y, x, 1), init times and lead times as in the reference."""
    cases = np.array(event["start_index"])[:, None] + np.arange(-3, event["leads"] + 1)
    windows = frames[cases]
    forecast = persist(windows[:, :4], event["leads"])
    leads = event["timestep_minutes"] * np.arange(1, event["leads"] + 1)
    return statistics(forecast, windows[:, 4:], Scoring(THRESHOLDS.values(), lead_times=leads, units="mm/h"))


def by_lead(reference, name, leads):
    """One reference score as an array; what is undefined there is null."""
    return np.array([reference[name][str(lead)] for lead in leads.values], float)


def check_scores(found, reference, tolerance):
    leads = found.lead_time
    scores = skill(found)
    np.testing.assert_array_equal(found.pairs, by_lead(reference, "n_pixels", leads))
    assert (found.cases == reference["n_forecasts"]).all()
    for text, threshold in THRESHOLDS.items():
        counts = {name: by_lead(reference, f"{name}_{text}", leads) for name in COUNTS}
        for name, expected in counts.items():
            np.testing.assert_array_equal(found[name].sel(threshold=threshold), expected, err_msg=f"{name} {text}")
        for name in ("csi", "pod", "far", "ets", "hss"):
            expected = by_lead(reference, f"{name.upper()}_{text}", leads)
            values = scores[name].sel(threshold=threshold)
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9, err_msg=f"{name} {text}")
        bias = (counts["hits"] + counts["false_alarms"]) / (counts["hits"] + counts["misses"])
        np.testing.assert_allclose(scores.bias.sel(threshold=threshold), bias, rtol=0, atol=1e-9)
    for name in ("mae", "mse"):
        expected = by_lead(reference, name.upper(), leads)
        np.testing.assert_allclose(scores[name], expected, rtol=tolerance, err_msg=name)


@pytest.mark.parametrize("name", EVENTS)
def test_scores_of_the_float32_frames(name, shared, references):
    from predjax.radar.readers import read_movies

    event = references["events"][name]
    [movies] = read_movies(str(shared / "radar" / event["file"]), units="mm/h")
    y, x = event["crop_y0_x0"]
    frames = movies.frames.isel(movie=0, y=slice(y, y + CROP), x=slice(x, x + CROP)).values
    assert frames.dtype == np.float32
    # Ten pixels of this event are negative rain, which is read as 0; the reference took them as they are.
    tolerance = 1e-5 if name == "bom_20201031" else 1e-6
    check_scores(score(frames, event), references["scores"]["persistence"][name], tolerance)


@pytest.mark.parametrize("name", EVENTS)
def test_scores_of_the_same_fields_in_float64(name, shared, references):
    event = references["events"][name]
    frames = decode(shared / "radar" / event["file"], *event["crop_y0_x0"])
    check_scores(score(frames, event), references["scores"]["persistence"][name], 1e-9)


def decode(path, y, x):
    """The crop in mm/h and float64, straight from the packed integers."""
    with NETCDF_LOCK, netCDF4.Dataset(path) as file:
        name = "rainrate" if "rainrate" in file.variables else "reflectivity"
        variable = file[name]
        variable.set_auto_maskandscale(False)
        packed = variable[:, y : y + CROP, x : x + CROP]
        values = packed * variable.scale_factor + variable.add_offset
        if variable.units == "dBZ":
            values = (10 ** (values / 10) / variable.zr_a) ** (1 / variable.zr_b)
        values[packed == variable._FillValue] = np.nan
    return values[..., None]
