"""The benchmark of ensembles: what one case counts, what is kept, and what the targets are held against."""

import argparse
import importlib
import json
import sys

import numpy as np
import pytest
import xarray as xr
from tiny import ROOT

from predjax.verification.ensembles import ensemble_skill

sys.path.append(str(ROOT / "benchmarks"))
cases, results, scores = (importlib.import_module(f"ensemble_{name}") for name in ("cases", "results", "scores"))
ensembles = importlib.import_module("ensembles")


def make_fields(members, observed, domain=None):
    """Fields of frames 30 minutes apart, of pixels of 1 km."""
    members, observed = np.asarray(members, np.float32), np.asarray(observed, np.float32)
    domain = np.ones(observed.shape, bool) if domain is None else domain
    return scores.Fields(members, observed, domain, 1.0, 30.0)


def draw_rain(seed, *shape):
    return np.random.default_rng(seed).gamma(0.5, 2, shape).astype(np.float32)


def test_a_pixel_that_does_not_count_changes_nothing():
    members, observed = draw_rain(0, 3, 2, 16, 16), draw_rain(1, 2, 16, 16)
    domain = np.zeros((2, 16, 16), bool)
    domain[:, 3, 4] = True
    members[:, :, 3, 4], observed[:, 3, 4] = np.array([[1, 0], [2, 0], [6, 3]]), (3, 0)
    sums = scores.score_case(make_fields(members, observed, domain))
    found = results.find_scores(sums)
    # |x - y| is 2, 1, 3 and |x - x'| 1, 5, 4; then 0, 0, 3 and 0, 3, 3.
    np.testing.assert_allclose(found.crps, [2 - 5 / 3, 1 - 1])
    np.testing.assert_allclose(found.rmse, [0, 1])
    np.testing.assert_allclose(found.mae_median, [1, 0])
    np.testing.assert_allclose(found.crps_accumulation, 1.5 - 4 / 3, rtol=1e-5)
    # The observation has two members below it, then ties with two below the third.
    np.testing.assert_allclose(found.rank_histogram, np.array([1 / 3, 1 / 3, 1 / 3 + 1, 0]) / 2)
    assert found.pixels.values.tolist() == [1, 1] and np.isnan(found.crps_area).all() and np.isnan(found.power).all()


def test_members_that_are_dry_like_the_observation_are_ties():
    members, observed = np.full((3, 1, 16, 16), 1e-3, np.float32), np.full((1, 16, 16), 2e-3, np.float32)
    members[2, 0, 5, 5] = 1
    found = results.find_scores(scores.score_case(make_fields(members, observed)))
    np.testing.assert_allclose(found.rank_histogram, [1 / 3, 1 / 3, 1 / 3, 0])


def test_rain_nearby_counts_within_ten_kilometres():
    members, observed = np.zeros((2, 1, 48, 48), np.float32), np.zeros((1, 48, 48), np.float32)
    observed[0, 24, 24] = 5
    members[0, 0, 24, 34], members[1, 0, 24, 35] = 1, 7  # 10 and 11 km away
    domain = np.zeros((1, 48, 48), bool)
    domain[0, 24, [24, 34, 35]] = True
    sums = scores.score_case(make_fields(members, observed, domain))["near"]
    assert sums.member_events.sel(threshold=1.0).values[0].tolist() == [0, 1, 2]
    assert sums.member_events_observed.sum("members_above").values[0].tolist() == [2, 2, 2]


def test_the_matched_mean_has_the_values_of_the_members():
    members = draw_rain(0, 5, 1, 16, 16)
    sums = scores.score_case(make_fields(members, members[0]))
    above = sums["matched"].hits + sums["matched"].false_alarms
    np.testing.assert_allclose(above[0].values, (members[..., None] >= [0.1, 1, 5]).sum((0, 1, 2, 3)) / 5, atol=1)


def test_power_is_that_of_the_members_over_that_of_the_observed(monkeypatch):
    monkeypatch.setattr(scores, "SMALLEST", 16)
    observed, domain = draw_rain(0, 2, 32, 32), np.ones((2, 32, 32), bool)
    domain[1, :, 12] = False  # leaves 32 x 16 pixels
    sums = scores.score_case(make_fields(np.stack([observed, 3 * observed]), observed, domain))
    np.testing.assert_allclose(results.find_scores(sums).power, 5, rtol=1e-6)
    domain[1, 14:18] = False  # leaves 12 rows
    power = scores.measure_power(make_fields(observed[None], observed, domain))
    assert power.power_observed[0] > 0 == power.power_observed[1]


def test_the_rectangle_is_the_largest(monkeypatch):
    monkeypatch.setattr(scores, "COARSE", 1)
    valid = np.random.default_rng(3).random((9, 8)) < 0.8
    rows, columns = scores.find_rectangle(valid)
    corners = [(a, b, c, d) for a in range(9) for b in range(a + 1, 10) for c in range(8) for d in range(c + 1, 9)]
    largest = max((b - a) * (d - c) for a, b, c, d in corners if valid[a:b, c:d].all())
    assert valid[rows, columns].all() and valid[rows, columns].size == largest > 6
    assert scores.find_rectangle(np.zeros((4, 4), bool)) == (slice(0, 0), slice(0, 0))


@pytest.fixture
def event(tmp_path, monkeypatch):
    """An event of two radars with 20 frames of 20 x 20 pixels each, of which the 16 x 16 in the middle are scored."""
    for number, radar in enumerate(("one", "two")):
        frames = draw_rain(number, 20, 20, 20)
        frames[:, 0] = np.nan
        times = np.datetime64("2020-01-01", "ns") + np.arange(20) * np.timedelta64(20, "m")
        coords = {"time": times, "y": np.arange(20)[::-1] * 1e3, "x": np.arange(20) * 1e3}
        rain = xr.DataArray(frames, coords, ("time", "y", "x"), "rainrate", {"units": "mm/h"})
        for axis in "yx":
            rain[axis].attrs["units"] = "m"
        rain.to_netcdf(tmp_path / f"{radar}.nc")
    monkeypatch.setattr(cases, "SIDE", 16)
    monkeypatch.setitem(cases.EVENTS, "pair", ("one", "two"))
    return argparse.Namespace(data=tmp_path, cache=tmp_path / "cache", every=1)


def test_cases_of_both_radars(event):
    found = list(cases.find_cases("pair", event.data))
    assert [case.name for case in found] == [f"{radar}_{start:03d}" for radar in ("one", "two") for start in (0, 6, 12)]
    with xr.open_dataset(event.data / "two.nc") as data:
        np.testing.assert_allclose(found[4].future, data.rainrate[10:13, 2:18, 2:18])
    assert found[4].observed.shape == (4, 16, 16) and found[4][-2:] == (1, 20)
    assert [case.name for case in cases.find_cases("pair", event.data, every=2)][:2] == ["one_000", "one_012"]


def test_what_is_kept_is_not_made_again(event, monkeypatch):
    made, scored = [], []

    def score(fields):
        scored.append(fields.domain.sum())
        return {"pixels": xr.Dataset({"ensemble_pairs": ("lead_time", fields.domain.sum((1, 2)))})}

    def make(name, missing):
        def forecast(case):
            made.append((name, case.name))
            members = draw_rain(len(name), 4, *case.future.shape)
            members[0, :, :missing] = np.nan
            return members

        return forecast

    monkeypatch.setattr(ensembles, "score_case", score)
    event.every = 2
    makers = {"few": make("few", 0), "some": make("some", 2)}
    totals, seconds = ensembles.measure_event("pair", makers, event)
    assert len(made) == len(scored) == 8 and seconds["few"] > 0
    assert totals["few"]["pixels"].ensemble_pairs.values.tolist() == [4 * 14 * 16] * 3
    again, _ = ensembles.measure_event("pair", makers, event)
    xr.testing.assert_identical(again["some"]["pixels"], totals["some"]["pixels"])
    assert len(scored) == 8
    (event.cache / "forecasts/some/two_000.npz").unlink()  # as a run that was stopped leaves it
    totals, _ = ensembles.measure_event("pair", makers | {"most": make("most", 5)}, event)
    assert made[8:] == [("most", "one_000"), ("most", "one_012"), ("some", "two_000"), ("most", "two_000"),
                        ("most", "two_012")]  # fmt: skip
    assert totals["few"]["pixels"].ensemble_pairs.values.tolist() == [4 * 11 * 16] * 3


def test_targets_are_held_against_the_better_steps(tmp_path):
    def make(factor):
        values = factor * np.array([0.1, 0.2, 0.3])
        by_lead = dict.fromkeys(("crps", "crps_area", "rmse", "mae_median", "spread_ratio"), ("lead_time", values))
        both = dict.fromkeys(("brier", "brier_near", "csi_matched"), (("threshold", "lead_time"), [values, values]))
        counts = dict.fromkeys(("said", "came"), (("threshold", "members_above"), np.ones((2, 4))))
        others = {"crps_accumulation": factor, "power": ("lead_time", [np.nan] * 3), "pixels": ("lead_time", [9] * 3)}
        others["rank_histogram"] = "rank", np.full(4, 1 / 4)
        return xr.Dataset(by_lead | both | counts | others, {"lead_time": [10, 30, 60], "threshold": [1.0, 5.0]})

    near, middle, far = (make(factor) for factor in (0.5, 1, 2))
    events = {f"event_{n}": {"pysteps_steps": far, "pysteps_steps_auto": middle, "own": near} for n in range(5)}
    assert set(results.find_steps(events).values()) == {"pysteps_steps_auto"}
    rows = {row.what: row for row in results.judge(events, "own")}
    ratio = float(near.crps.mean() / middle.crps.mean())
    row = rows["CRPS, ratio to STEPS"]
    assert row.met and row.found.startswith(f"{ratio:.3f} (95 % {ratio:.3f} to {ratio:.3f}, resolved)")
    assert "CSI at 1 mm/h of `matched`, four events" in rows
    assert not {row.what: row for row in results.judge(events, "pysteps_steps")}["CRPS, ratio to STEPS"].met
    few = dict(list(events.items())[:4])
    assert "not resolved: too few events" in results.judge(few, "own")[0].found
    ensembles.write_json(tmp_path / "a.json", few, {}, results.judge(few, "own"))
    assert json.loads((tmp_path / "a.json").read_text())["scores"]["event_0"]["own"]["power"] == [None] * 3
    assert ensembles.make_tables(few, {event: dict.fromkeys(few[event], 1.0) for event in few}).count("| own |") == 4


def test_an_event_has_no_voice_in_its_own_choice():
    def make(crps):
        return xr.Dataset({"crps": ("lead_time", np.full(3, crps))})

    values = {"one": (1, 9), "two": (3, 2), "three": (3, 2), "beside": (1, 9)}
    events = {event: {name: make(crps) for name, crps in zip(("a", "b"), pair)} for event, pair in values.items()}
    chosen = results.choose_by_others(events, ["a", "b"], ("one", "two", "three"))
    assert chosen == {"one": "b", "two": "a", "three": "a", "beside": "a"}


def test_a_deterministic_forecast_is_an_ensemble_of_one():
    observed = draw_rain(0, 2, 16, 16)
    sums = scores.score_case(make_fields(observed[None] + 1, observed))
    found = results.find_scores(sums)
    np.testing.assert_allclose(found.crps, 1, rtol=1e-6)
    np.testing.assert_allclose(found.mae_median, found.crps)
    assert np.isnan(found.spread_ratio).all() and ensemble_skill(sums["pixels"]).sizes["rank"] == 2
