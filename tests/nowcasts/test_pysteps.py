"""The nowcasts of pysteps through the common signature, and what happens without it."""

import contextlib
import functools
import importlib.util
import json
import logging
import sys
import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from predjax.nowcasts import pysteps
from predjax.nowcasts.persistence import persist
from predjax.nowcasts.pysteps import (
    ENSEMBLES,
    NOWCASTS,
    Sampling,
    find_sampling,
    make_pysteps,
    run_linda,
    run_steps,
    run_steps_auto,
)
from predjax.radar.readers import read_movies
from predjax.units import dbz_to_rain_rate, rain_rate_to_dbz
from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics

PACKAGES = ("pysteps", "cv2")
needs_pysteps = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in PACKAGES),
    reason="pysteps is not installed (extra pysteps)",
)
STEPS = 3
QUICK = ("pysteps_steps", "pysteps_steps_auto")  # LINDA takes half a minute


@pytest.fixture(scope="module")
def rain():
    """Two cases of seven frames of 64 x 56 pixels in mm/h: showers that go 2 pixels right and 1 down each step."""
    rng = np.random.default_rng(0)
    field = gaussian_filter(rng.normal(size=(2, 80, 80)), (0, 3, 3))
    field = 5 * np.maximum(field / field.std() - 0.5, 0)
    frames = [field[:, 10 - k : 74 - k, 20 - 2 * k : 76 - 2 * k] for k in range(4 + STEPS)]
    return np.stack(frames, axis=1).astype(np.float32)[..., None]


@needs_pysteps
@pytest.mark.parametrize("name", NOWCASTS)
def test_rain_is_carried_along(rain, name):
    forecast = make_pysteps(name, "mm/h")(rain[:, :4], STEPS)
    assert forecast.shape == (2, STEPS, 64, 56, 1) and forecast.dtype == np.float32
    known = np.isfinite(forecast)
    inside = np.s_[:, :, 12:-4, 20:-4]  # where even the oldest frame was, moved by six steps
    assert known[inside].all() and not known[:, -1, :2].any() and not known[:, -1, :, :5].any()
    error = np.abs(forecast - rain[:, 4:])[inside].mean()
    still = np.abs(persist(rain[:, :4], STEPS) - rain[:, 4:])[inside].mean()
    assert error < 0.25 * still


@needs_pysteps
@pytest.mark.parametrize("name", [*NOWCASTS, *QUICK])
def test_a_case_does_not_depend_on_its_batch_nor_a_channel_on_the_others(rain, name):
    observed = rain[:, :4]
    nowcast = functools.partial(make_pysteps(name, "mm/h"), **({"members": 2} if name in ENSEMBLES else {}))
    together = nowcast(np.concatenate([observed, observed[::-1]], axis=-1), 2)
    for case in range(2):
        alone = nowcast(observed[case : case + 1], 2)[0]
        np.testing.assert_array_equal(together[case, ..., :1], alone)
        np.testing.assert_array_equal(together[1 - case, ..., 1:], alone)


@needs_pysteps
@pytest.mark.parametrize("name", NOWCASTS)
def test_what_was_not_covered_is_unknown_where_it_goes(rain, name):
    observed = rain[:1, :4].copy()
    observed[..., 40:, :] = np.nan  # columns beyond the coverage; the rain moves right
    forecast = make_pysteps(name, "mm/h")(observed, STEPS)
    assert np.isnan(forecast[..., 48:, :]).all() and np.isfinite(forecast[:, :, 12:-4, 20:36]).all()


@needs_pysteps
@pytest.mark.parametrize("name", [*NOWCASTS, *QUICK])
def test_a_dry_case_becomes_persistence_and_is_told_in_one_line(rain, name, caplog):
    observed = rain[:, :4].copy()
    observed[1] = 0.05
    observed[1, :, :5] = np.nan
    with caplog.at_level(logging.INFO, "predjax"):
        forecast = make_pysteps(name, "mm/h")(observed, 2)
    expected = persist(observed, 2)[1]
    for member in forecast[1] if name in ENSEMBLES else forecast[1:]:
        np.testing.assert_array_equal(member, expected)
    assert caplog.messages == [f"{name}: 1 of 2 cases are persistence (no rain)"]
    assert not np.array_equal(forecast[0], np.broadcast_to(persist(observed, 2)[0], forecast[0].shape), equal_nan=True)


@needs_pysteps
@pytest.mark.parametrize("name", NOWCASTS)
def test_uncovered_frames_stay_unknown(name):
    observed = np.full((1, 4, 16, 16, 1), np.nan, np.float32)
    assert np.isnan(make_pysteps(name, "mm/h")(observed, 2)).all()


@needs_pysteps
@pytest.mark.parametrize("name", NOWCASTS)
def test_reflectivity_goes_where_the_rain_goes(rain, name):
    decibels = rain_rate_to_dbz(rain[:1, :4].astype(np.float64))
    forecast = make_pysteps(name, "dBZ")(decibels, 2)
    expected = make_pysteps(name, "mm/h")(dbz_to_rain_rate(decibels), 2)
    np.testing.assert_array_equal(np.isnan(forecast), np.isnan(expected))
    if name == "pysteps_lk":  # interpolates the quantity that it is given
        inside = expected > 1
        assert np.median(np.abs(dbz_to_rain_rate(forecast[inside]) / expected[inside] - 1)) < 0.01
    else:
        wet = expected >= 0.1
        np.testing.assert_allclose(dbz_to_rain_rate(forecast[wet]), expected[wet], rtol=1e-6)
        assert (forecast[expected < 0.1] == np.float32(-32)).all()  # the data's own value without echo


@needs_pysteps
def test_sprog_smooths_and_extrapolation_does_not(rain):
    noisy = rain[:, :4] * np.random.default_rng(1).gamma(4, 0.25, rain[:, :4].shape).astype(np.float32)
    inside = np.s_[:, -1, 12:-4, 20:-4]
    roughness = {}
    for name in ("pysteps_lk", "pysteps_sprog"):
        field = make_pysteps(name, "mm/h")(noisy, STEPS)[inside]
        roughness[name] = np.abs(np.diff(field, axis=1)).mean() / field.mean()
    assert roughness["pysteps_sprog"] < 0.8 * roughness["pysteps_lk"]


@needs_pysteps
def test_other_quantities_are_only_moved(rain):
    observed = rain[:1, :4] / rain.max()
    forecast = make_pysteps("pysteps_lk", "1")(observed, STEPS)
    inside = np.s_[:, :, 12:-4, 20:-4]
    np.testing.assert_allclose(forecast[inside], (rain[:1, 4:] / rain.max())[inside], atol=0.05)
    with pytest.raises(ValueError, match=r"pysteps_sprog is for rain in mm/h or dBZ, the frames are in '1'"):
        make_pysteps("pysteps_sprog", "1")


@needs_pysteps
def test_members_differ_and_come_back_with_the_seed(rain):
    observed = rain[:1, :4]
    forecast = run_steps(observed, 2, members=3, seed=5)
    assert forecast.shape == (1, 3, 2, 64, 56, 1)
    assert np.ptp(forecast[0, :, -1, 12:-12, 20:-12], axis=0).max() > 1
    np.testing.assert_array_equal(run_steps(observed, 2, members=3, seed=5), forecast)
    assert not np.array_equal(run_steps(observed, 2, members=3, seed=6), forecast, equal_nan=True)
    with pytest.raises(ValueError, match="at least 2 members, not 1"):
        run_steps(observed, 2, members=1)


@needs_pysteps
def test_the_noise_of_steps_auto_is_scaled(rain):
    plain, scaled = (run(rain[:1, :4], 2, members=4)[0] for run in (run_steps, run_steps_auto))
    inside = np.s_[:, -1, 12:-12, 20:-12]
    assert not np.array_equal(plain[inside], scaled[inside])
    spread = [np.mean(np.var(one[inside], axis=0)) for one in (plain, scaled)]
    assert 0.2 < spread[1] / spread[0] < 5


@pytest.mark.parametrize("name", ENSEMBLES)
def test_ensembles_get_their_members_seed_and_sampling(monkeypatch, rain, name):
    asked = []

    def find_method(room, of):
        def forecast(frames, velocity, num_steps, **options):
            asked.append((of, frames.shape, options))
            return np.zeros((options["n_ens_members"], num_steps, *frames.shape[1:]))

        return forecast

    monkeypatch.setattr(pysteps, "find_method", find_method)
    monkeypatch.setattr(pysteps, "find_motion", lambda frames: np.zeros((2, *frames.shape[1:])))
    monkeypatch.setattr("predjax.nowcasts.pysteps_cases.require_pysteps", lambda name: None)
    monkeypatch.setattr("predjax.nowcasts.pysteps_cases.silence", contextlib.nullcontext)
    for seed in (0, 1):
        found = ENSEMBLES[name](rain[:, :4], 2, members=5, seed=seed, sampling=Sampling(0.5, 10.0))
        assert found.shape == (2, 5, 2, 64, 56, 1)
    assert {(of, frames) for of, frames, _ in asked} == {(name.split("_")[1], (3, 64, 56))}
    options = [one for _, _, one in asked]
    assert all((one["n_ens_members"], one["kmperpixel"], one["timestep"]) == (5, 0.5, 10.0) for one in options)
    assert len({one["seed"] for one in options}) == 4  # two cases, two seeds
    adjusted = {"pysteps_steps": None, "pysteps_steps_auto": "auto"}
    assert name not in adjusted or {one["noise_stddev_adj"] for one in options} == {adjusted[name]}


@needs_pysteps
@pytest.mark.slow
def test_linda_carries_cells_along_and_comes_back_with_the_seed(rain):
    observed = rain[:1, :4]
    forecast = run_linda(observed, 2, members=2, seed=5)
    assert forecast.shape == (1, 2, 2, 64, 56, 1) and not np.isnan(forecast[0, 0, 0, 12:-4, 20:-4]).any()
    assert np.nanmax(np.ptp(forecast[0], axis=0)) > 1
    inside = np.s_[:, -1, 12:-4, 20:-4]
    error, still = (np.abs(f - rain[:1, 4:6])[inside].mean() for f in (forecast.mean(1), persist(observed, 2)))
    assert error < 0.6 * still
    np.testing.assert_array_equal(run_linda(observed, 2, members=2, seed=5), forecast)


@needs_pysteps
def test_nothing_is_printed_and_nothing_of_the_process_changes(rain, capfd):
    filters, state = list(warnings.filters), np.random.get_state()
    for name in (*NOWCASTS, *QUICK):
        make_pysteps(name, "mm/h")(rain[:1, :4], 2)
    assert capfd.readouterr() == ("", "")
    assert warnings.filters == filters
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), state))


@needs_pysteps
@pytest.mark.parametrize(("name", "needed"), [("pysteps_lk", 2), ("pysteps_sprog", 2), ("pysteps_anvil", 3)])
def test_few_frames_are_enough_and_fewer_an_error(rain, name, needed):
    nowcast = make_pysteps(name, "mm/h")
    forecast = nowcast(rain[:1, 4 - needed : 4], 1)
    assert not np.array_equal(forecast, rain[:1, 3:4], equal_nan=True)
    with pytest.raises(ValueError, match=f"{name} needs at least {needed} observed frames, got {needed - 1}"):
        nowcast(rain[:1, : needed - 1], 1)


@needs_pysteps
@pytest.mark.parametrize(
    ("name", "reference", "event"),
    [
        ("pysteps_lk", "extrapolation", "fmi_20170509"),
        pytest.param("pysteps_sprog", "sprog", "mch_20160711", marks=pytest.mark.ci),
    ],
)
def test_scores_of_an_event_are_those_of_pysteps_itself(shared, name, reference, event):
    """The central 256 x 256 pixels, where both fields are known; missing rain counts as none for the nowcast."""
    scores = json.loads((shared / "radar" / "reference_scores.json").read_text())
    about, expected = scores["events"][event], scores["scores_common_mask"][reference][event]
    [movies] = read_movies(str(shared / "radar" / f"{event}.nc"), units="mm/h")
    y, x = about["crop_y0_x0"]
    frames = movies.frames.isel(movie=0, y=slice(y, y + 256), x=slice(x, x + 256)).values
    starts, leads = about["start_index"], about["leads"]
    observed = np.nan_to_num(np.stack([frames[i - 3 : i + 1] for i in starts]))
    truth = np.stack([frames[i + 1 : i + 1 + leads] for i in starts])
    found = skill(statistics(make_pysteps(name, "mm/h")(observed, leads), truth, Scoring([0.1, 1.0, 5.0])))
    for score in ("CSI", "POD", "FAR", "ETS", "HSS"):
        for threshold in (0.1, 1.0, 5.0):
            want = list(expected[f"{score}_{threshold:g}"].values())
            np.testing.assert_allclose(found[score.lower()].sel(threshold=threshold), want, rtol=0, atol=1e-6)
    for score in ("MAE", "MSE"):
        np.testing.assert_allclose(found[score.lower()], list(expected[score].values()), rtol=1e-6)
    assert found["pairs"].values.tolist() == list(expected["n_pixels"].values())


@pytest.mark.parametrize("missing", PACKAGES)
def test_without_the_extra_the_error_says_what_to_install(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ValueError) as error:
        make_pysteps("pysteps_lk", "mm/h")
    assert str(error.value) == "baseline pysteps_lk needs the extra: pip install 'predjax[pysteps]'"


def test_an_unknown_name_is_an_error():
    with pytest.raises(ValueError, match="'pysteps_vet' is not one of pysteps_lk, pysteps_sprog"):
        make_pysteps("pysteps_vet", "mm/h")


def test_what_is_taken_for_an_unknown_sampling_is_said():
    assert find_sampling(500.0, 600.0) == Sampling(0.5, 10.0)
    pixels, step, both = find_sampling(None, 600.0), find_sampling(500.0, None), find_sampling(None, None)
    assert pixels.remark.startswith("pixels of 1 km are taken") and step.remark.startswith("a step of 5 min is taken")
    assert both[:2] == (1.0, 5.0) and both.remark.startswith("pixels of 1 km and a step of 5 min are taken")
