"""Rain on areas of a forecast: totals, hours, members, thresholds and the relation between dBZ and rain."""

import numpy as np
import pytest
import xarray as xr
from radar.areas.placed import box, make_areas, make_grid

from predjax.nowcasts.areal_rain import find_areal_rain, find_grid
from predjax.nowcasts.config import EnsembleOptions
from predjax.radar.areas.place import place_areas
from predjax.units import rain_rate_to_dbz

GRID = make_grid((4, 5))
AREAS = place_areas(make_areas(box(300e3, 699e3, 302e3, 700e3), [(304.5e3, 697.5e3)]), GRID)


def make_forecast(rates, minutes=15, units="mm/h", **attrs):
    """Rates ([member,] lead time), the same on all pixels but the point, which has twice as much."""
    rates = np.asarray(rates, np.float32)
    frames = np.broadcast_to(rates[..., None, None, None], (*rates.shape, 4, 5, 1)).copy()
    frames[..., 2, 4, 0] *= 2
    leads = np.arange(1, rates.shape[-1] + 1) * minutes
    init = np.datetime64("2026-06-01T12:00", "ns")
    coords = {
        "lead_time": ("lead_time", leads, {"units": "minutes"}),
        "valid_time": ("lead_time", init + leads * np.timedelta64(1, "m")),
        "init_time": ((), init),
        "y": GRID.y,
        "x": GRID.x,
        "channel": ("channel", [0]),
        "crs": ((), 0, GRID.mapping),
    }
    dims = ("realization", "lead_time", "y", "x", "channel")[5 - frames.ndim :]
    if frames.ndim == 5:
        coords["realization"] = "realization", np.arange(1, len(rates) + 1), {"units": "1"}
    frames = rain_rate_to_dbz(frames, 223.0, 1.53).astype(np.float32) if units == "dBZ" else frames
    return xr.Dataset({"rain": (dims, frames, {"units": units, "grid_mapping": "crs", **attrs})}, coords)


def find(forecast, least=0.9, **options):
    return find_areal_rain(forecast, AREAS, EnsembleOptions(**options), least)


def test_totals_of_a_single_forecast():
    forecast = make_forecast([4, 8, 0, 4, 2])
    assert find_grid(forecast).same(GRID)
    found = find(forecast)
    assert found["rain_rate"].dims == ("area", "lead_time") and found["area"].values.tolist() == ["a", "b"]
    np.testing.assert_allclose(found["rain_rate"], [[4, 8, 0, 4, 2], [8, 16, 0, 8, 4]])
    np.testing.assert_allclose(found["accumulation"][0], [1, 3, 3, 4, 4.5])
    np.testing.assert_allclose(found["hourly_accumulation"][0], [np.nan, np.nan, np.nan, 4, 3.5])
    np.testing.assert_allclose(found["coverage"], 1)
    units = {"rain_rate": "mm/h", "maximum_rain_rate": "mm/h", "accumulation": "mm", "coverage": "1"}
    assert {name: found[name].attrs["units"] for name in units} == units
    assert "hourly_accumulation" not in find(make_forecast([4, 8]))
    assert len(found.to_dataframe()) == 10


def test_members_have_percentiles_and_probabilities():
    found = find(
        make_forecast([[4, 4], [8, 0], [0, 0]]), percentiles=(50.0,), probability=(4.0,), accumulation=(1.0, 2.0)
    )
    np.testing.assert_allclose(found["accumulation_members"][:, 0], [[1, 2], [2, 2], [0, 0]])
    np.testing.assert_allclose(found["accumulation"][0], [1, 4 / 3])
    np.testing.assert_allclose(found["accumulation_percentile"][0, 0], [1, 2])
    np.testing.assert_allclose(found["probability_of_rain_rate_above_threshold"][0, 0], [2 / 3, 1 / 3], rtol=1e-6)
    totals = found["probability_of_accumulation_above_threshold"]
    assert totals.dims == ("accumulation_threshold", "area", "lead_time")
    np.testing.assert_allclose(totals[:, 0], [[2 / 3, 2 / 3], [1 / 3, 2 / 3]], rtol=1e-6)
    exact = find(make_forecast([0.7] * 4), probability=(0.7,), accumulation=(0.7,))  # float32 has 0.69999999
    assert exact["probability_of_rain_rate_above_threshold"].values[0, 0].tolist() == [1] * 4
    assert exact["probability_of_accumulation_above_threshold"].values[0, 0].tolist() == [0, 0, 0, 1]


def test_reflectivity_becomes_rain_at_each_pixel_and_says_how():
    rates = [[4, 8], [1, 0.5]]
    found = find(make_forecast(rates, units="dBZ", zr_a=223.0, zr_b=1.53), probability=(30.0,))
    np.testing.assert_allclose(found["rain_rate_members"], find(make_forecast(rates))["rain_rate_members"], rtol=1e-4)
    assert "rain rates from dBZ by Z = 223 R^1.53 (of the data)" in found.attrs["comment"]
    assert (
        found["threshold"].item() == pytest.approx((10**3 / 223) ** (1 / 1.53)) and found["threshold"].units == "mm/h"
    )
    assert "Z = 200 R^1.6 (Marshall & Palmer)" in find(make_forecast(rates, units="dBZ")).attrs["comment"]


def test_missing_data_are_missing_in_all_their_sums():
    forecast = make_forecast([4, 8, 0, 4, 2])
    forecast["rain"][1, 0, 0] = np.nan  # half of the first area, at the second lead time
    found, tolerant = find(forecast), find(forecast, least=0.5)
    np.testing.assert_allclose(found["coverage"][0], [1, 0.5, 1, 1, 1])
    np.testing.assert_allclose(found["rain_rate"][0], [4, np.nan, 0, 4, 2])
    np.testing.assert_allclose(found["accumulation"][0], [1, *[np.nan] * 4])
    np.testing.assert_allclose(found["hourly_accumulation"][0], np.nan)
    np.testing.assert_allclose(tolerant["accumulation"][0], [1, 3, 3, 4, 4.5])
    assert "missing where less than 90 % of an area have data" in found.attrs["comment"]


@pytest.mark.parametrize("units", ["K", "1"])
def test_other_units_are_refused(units):
    with pytest.raises(ValueError, match=f"one channel of rain in mm/h or dBZ, the forecast has 1 channels in {units}"):
        find(make_forecast([1, 2], units=units))
