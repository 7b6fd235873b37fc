"""The products of an ensemble: names, numbers, labels, and what cannot be made."""

import numpy as np
import pytest
import xarray as xr

from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.forecast import to_forecast
from predjax.nowcasts.products import make_products
from predjax.radar.movies import build_movies
from predjax.radar.windows.index import Window

MINUTE = np.timedelta64(1, "m")


def make_ensemble(*, steps=7, minutes=5, units="mm/h", pixels="km", channels=1):
    """Four members of `steps` frames of 5 x 6 pixels of 2 km."""
    time = np.datetime64("2026-06-01T12:00", "ns") + np.arange(2)[None] * minutes * MINUTE
    axes = {axis: xr.Variable(axis, 2.0 * np.arange(n), {"units": pixels}) for axis, n in (("y", 5), ("x", 6))}
    attrs = {"units": units, "variable": "rain", "standard_name": "rainfall_rate", "long_name": "rain rate"}
    coords = {"time": time, **(axes if pixels else {})}
    movies = build_movies(np.zeros((1, 2, 5, 6, channels), np.float32), coords, attrs=attrs, source="a.nc", files=[])
    frames = np.random.default_rng(0).gamma(0.5, 4.0, (4, steps, 5, 6, channels)).astype(np.float32)
    return to_forecast(frames, movies, Window(0, 0, 0, 0, 0), 2, "fake", "fake")


def products(forecast=None, **options):
    return make_products(make_ensemble() if forecast is None else forecast, EnsembleOptions(**options))


def test_without_a_product_the_forecast_stays_as_it_is():
    forecast = make_ensemble()
    assert products(forecast, members=4, statistic=("members",)) is forecast


def test_the_first_statistic_has_the_name_of_the_data():
    members = make_ensemble()["rain"]
    one = products(statistic=("mean",))
    assert list(one.data_vars) == ["rain"] and "realization" not in one.coords
    np.testing.assert_array_equal(one["rain"], members.values.mean(axis=0))
    assert one["rain"].attrs["cell_methods"] == "realization: mean"
    assert one["rain"].attrs["long_name"] == "ensemble mean of rain rate"
    several = products(statistic=("members", "median", "matched"))
    assert list(several.data_vars) == ["rain", "rain_median", "rain_matched"]
    xr.testing.assert_identical(several["rain"], members)
    np.testing.assert_allclose(several["rain_median"], np.median(members, axis=0), rtol=1e-6)
    for lead in range(7):
        matched = np.sort(several["rain_matched"].values[lead], axis=None)
        np.testing.assert_array_equal(matched, np.sort(members.values[:, lead], axis=None)[2::4])


def test_percentiles_and_probabilities_come_beside_the_members():
    members = make_ensemble()["rain"].values
    found = products(percentiles=(10.0, 90.0), probability=(1.0, 5.0))
    assert found["rain"].sizes["realization"] == 4
    assert found["rain_percentile"].dims == ("percentile", "lead_time", "y", "x", "channel")
    np.testing.assert_allclose(found["rain_percentile"], np.percentile(members, [10, 90], axis=0), rtol=1e-5)
    assert found["percentile"].values.tolist() == [10, 90] and found["percentile"].attrs["units"] == "percent"
    probability = found["probability_of_rain_above_threshold"]
    assert probability.dims == ("threshold", "lead_time", "y", "x", "channel") and probability.attrs["units"] == "1"
    np.testing.assert_array_equal(probability.sel(threshold=5), np.mean(members >= 5, axis=0))
    assert found["threshold"].attrs["units"] == "mm/h" and found["threshold"].attrs["standard_name"] == "rainfall_rate"


def test_a_radius_adds_the_probability_of_an_event_nearby():
    members = make_ensemble()["rain"].values[..., 0] >= 9
    found = products(probability=(9.0,), radius=2.0)["probability_of_rain_in_vicinity_above_threshold"]
    padded = np.pad(members, ((0, 0), (0, 0), (1, 1), (1, 1)))
    near = padded[..., 1:-1, 1:-1] | padded[..., :-2, 1:-1] | padded[..., 2:, 1:-1]  # pixels of 2 km: its neighbours
    near |= padded[..., 1:-1, :-2] | padded[..., 1:-1, 2:]
    np.testing.assert_array_equal(found[0, ..., 0], near.mean(axis=0))
    assert found.attrs["radius_of_vicinity"] == "2 km" and found.attrs["long_name"].endswith("anywhere within 2 km")
    rounded = make_ensemble()  # whose pixels are a little more than 2 km, by rounding
    axes = {axis: (axis, 1.0000035 * rounded[axis].values, {"units": "km"}) for axis in ("y", "x")}
    rounded = rounded.assign_coords(axes)
    again = products(rounded, probability=(9.0,), radius=2.0)["probability_of_rain_in_vicinity_above_threshold"]
    np.testing.assert_array_equal(again, found)


def test_a_radius_needs_square_pixels():
    high = make_ensemble()
    high = high.assign_coords(y=("y", 2 * high["y"].values, {"units": "km"}))
    with pytest.raises(ValueError, match="--radius needs square pixels, these are 4 km high and 2 km wide"):
        products(high, probability=(9.0,), radius=5.0)


@pytest.mark.parametrize(("steps", "minutes", "periods"), [(7, 5, [15, 30]), (6, 10, [30, 60]), (13, 5, [15, 30, 60])])
def test_rain_accumulates_from_the_init_time_on(steps, minutes, periods):
    forecast = make_ensemble(steps=steps, minutes=minutes)
    found = products(forecast, accumulation=(0.5, 2.0))["probability_of_accumulation_above_threshold"]
    assert found.dims[:2] == ("accumulation_threshold", "accumulation_period")
    assert found["accumulation_period"].values.tolist() == periods
    for period in periods:
        total = forecast["rain"].values[:, : period // minutes].sum(axis=1) * minutes / 60
        expected = np.stack([np.mean(total >= threshold, axis=0) for threshold in (0.5, 2.0)])
        np.testing.assert_array_equal(found.sel(accumulation_period=period), expected)


def test_rain_of_exactly_the_threshold_reaches_it():
    forecast = make_ensemble(steps=12)
    forecast["rain"][:] = 1
    found = products(forecast, accumulation=(1.0, 1.01))["probability_of_accumulation_above_threshold"]
    assert (found.sel(accumulation_threshold=1, accumulation_period=60) == 1).all()
    assert (found.sel(accumulation_threshold=1.01) == 0).all()


@pytest.mark.parametrize(
    ("forecast", "options", "message"),
    [
        ({"units": "dBZ"}, {"accumulation": (1.0,)}, "--accumulation needs rain rates, the frames are in dBZ"),
        ({"steps": 2}, {"accumulation": (1.0,)}, "--accumulation needs a lead time of 15, 30, 60 minutes"),
        ({}, {"probability": (0.0,)}, "--probability 0 mm/h tells nothing: choose above 0 and up to 2000"),
        ({"pixels": ""}, {"probability": (1.0,), "radius": 5.0}, "--radius needs pixels with coordinates in m or km"),
        ({"channels": 2}, {"statistic": ("mean",)}, "--statistic needs frames of one channel, there are 2"),
    ],
)
def test_what_cannot_be_made_is_refused(forecast, options, message):
    with pytest.raises(ValueError, match=message):
        products(make_ensemble(**forecast), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": 0}, "--members must be at least 1, not 0"),
        ({"statistic": ("medium",)}, "--statistic must be of members, mean, .*'medium'; did you mean median?"),
        ({"statistic": ("mean", "mean")}, "--statistic names a value twice: mean,mean"),
        ({"percentiles": (101.0,)}, "--percentiles must lie between 0 and 100, not 101"),
        ({"accumulation": (0.0,)}, "--accumulation must be above 0 mm, not 0"),
        ({"accumulation": (float("inf"),)}, "--accumulation must be above 0 mm, not inf"),
        ({"probability": (1.0, float("nan"))}, "--probability must be a number, not nan"),
        ({"radius": 5.0}, "--radius needs thresholds: give --probability or --accumulation"),
        ({"radius": -5.0, "probability": (1.0,)}, "--radius must be above 0 km, not -5"),
        ({"radius": float("nan"), "probability": (1.0,)}, "--radius must be above 0 km, not nan"),
    ],
)
def test_options_name_the_flag(options, message):
    with pytest.raises(ValueError, match=message):
        EnsembleOptions(**options)
