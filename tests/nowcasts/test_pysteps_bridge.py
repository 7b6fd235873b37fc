"""Nowcasts of predjax as pysteps calls its own, and what pysteps' verification says of them."""

import contextlib
import datetime
import importlib.util
import io
import warnings

import numpy as np
import pytest
from fake_ensemble import FakeEnsemble

import predjax
from predjax.nowcasts.baselines import BASELINES, Baseline, Setting
from predjax.nowcasts.extrapolation import extrapolate
from predjax.nowcasts.pysteps import Sampling
from predjax.nowcasts.pysteps_bridge import make_pysteps_nowcast


@pytest.fixture(scope="module")
def rain():
    """Ten frames (10, 32, 32) in mm/h of rain that moves a pixel a step."""
    field = np.random.default_rng(0).gamma(0.3, 3.0, (32, 64)).astype(np.float32)
    field = sum(np.roll(field, (i, j), (0, 1)) for i in range(3) for j in range(3)) / 9
    frames = np.stack([field[:, 20 - step : 52 - step] for step in range(10)])
    frames[:, :2, :2] = np.nan
    return frames


@pytest.fixture(scope="module")
def pysteps():
    if importlib.util.find_spec("pysteps") is None:
        pytest.skip("pysteps is not installed (extra pysteps)")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import pysteps
    return pysteps


def test_the_result_is_that_of_predjax_in_the_shapes_of_pysteps(rain):
    expected = extrapolate(rain[None, :4, ..., None], 3, units="mm/h")[0, ..., 0]
    forecast = make_pysteps_nowcast("extrapolation")
    np.testing.assert_array_equal(forecast(rain[:4], None, 3), expected)
    np.testing.assert_array_equal(forecast(np.concatenate([rain[5:6], rain[:4]]), None, 3), expected)  # the last count
    np.testing.assert_array_equal(forecast(rain[:4], np.zeros((2, 32, 32)), [1, 3]), expected[[0, 2]])


def test_an_ensemble_has_its_members_first(rain, monkeypatch):
    settings = []
    make = lambda setting: settings.append(setting) or FakeEnsemble(setting)  # noqa: E731
    monkeypatch.setitem(BASELINES, "stochastic_scales", Baseline(make, ensemble=True))
    options = {"n_ens_members": 3, "seed": 7, "kmperpixel": 2, "timestep": 10}
    members = make_pysteps_nowcast("stochastic_scales", "dBZ", **options)(rain[:4], None, [2, 4])
    expected = FakeEnsemble.of(3, 7)(rain[None, :4, ..., None], 4)[0, ..., 0]
    np.testing.assert_array_equal(members, expected[:, [1, 3]])
    assert settings == [Setting("dBZ", members=3, seed=7, sampling=Sampling(2.0, 10.0))]


def test_what_does_not_fit_is_said_in_one_line(rain):
    forecast = make_pysteps_nowcast("persistence")
    for frames, steps, message in (
        (rain[0], 2, r"precip must be \(n, y, x\) with at least 4 frames for persistence, found \(32, 32\)"),
        (rain[:3], 2, r"at least 4 frames for persistence, found \(3, 32, 32\)"),
        (rain[:4] - 15, 2, r"precip: values in mm/h must be between -0.01 and 2000, but one is -14.98"),
        (rain[:4], 0, "timesteps must be a number from 1 on, or whole ascending steps from 1 on, not 0"),
        (rain[:4], [1, 2.5], r"whole ascending steps from 1 on, not \[1, 2.5\]"),
        (rain[:4], [2, 1], r"ascending steps from 1 on, not \[2, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            forecast(frames, None, steps)
    with pytest.raises(ValueError, match="--members 3: persistence draws none"):
        make_pysteps_nowcast("persistence", n_ens_members=3)


def test_the_signature_is_that_of_a_method_of_pysteps(pysteps, rain):
    velocity = np.stack([np.ones((32, 32)), np.zeros((32, 32))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pysteps.nowcasts.get_method("extrapolation")(np.nan_to_num(rain[3]), velocity, 3)
    ours = make_pysteps_nowcast("extrapolation")(rain[:4], velocity, 3)
    assert ours.shape == theirs.shape
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert both.mean() > 0.8 and np.corrcoef(ours[both], theirs[both])[0, 1] > 0.95


def test_the_verification_of_pysteps_gives_the_scores_of_predjax(pysteps, rain):
    ours, observed = make_pysteps_nowcast("extrapolation")(rain[:4], None, 3), rain[4:7]
    known = np.isfinite(ours) & np.isfinite(observed)
    scoring = predjax.Scoring(thresholds=[1.0], units="mm/h")
    skill = predjax.skill(predjax.statistics(ours[None, ..., None], observed[None, ..., None], scoring))
    for name, found in (("CSI", skill["csi"].sel(threshold=1.0)), ("RMSE", skill["rmse"])):
        score = pysteps.verification.get_method(name)
        theirs = [
            score(ours[lead][known[lead]], observed[lead][known[lead]], thr=1.0)[name]
            if name == "CSI"
            else score(ours[lead][known[lead]], observed[lead][known[lead]])[name]
            for lead in range(3)
        ]
        np.testing.assert_allclose(theirs, found, rtol=1e-5)


@pytest.fixture(scope="module")
def members(pysteps, rain):
    return make_pysteps_nowcast("stochastic_scales", n_ens_members=2)(rain[:4], None, 2)


def test_the_verification_of_pysteps_scores_the_members(pysteps, rain, members):
    crps = pysteps.verification.get_method("CRPS", type="probabilistic")
    known = np.isfinite(members[:, 1]).all(axis=0) & np.isfinite(rain[5])
    assert 0 < crps(members[:, 1][:, known], rain[5][known]) < rain[5][known].mean()


def test_a_member_is_blended_with_a_weather_model(pysteps, rain, members, tmp_path):
    """By the blending of pysteps, the model being the members upside down, which have nothing of their places."""
    decibels = pysteps.utils.transformation.dB_transform
    member = np.nan_to_num(np.concatenate([rain[3:4], members[0]]))
    nowcast, model, observed = (
        decibels(frames, threshold=0.1, zerovalue=-15.0)[0]
        for frames in (member, member[:, ::-1], np.nan_to_num(rain[1:4]))
    )
    still = np.zeros((2, 32, 32))
    steps = {"timesteps": 2, "timestep": 5, "issuetime": datetime.datetime(2020, 5, 1), "n_ens_members": 1}
    options = {"n_cascade_levels": 3, "precip_thr": -10.0, "kmperpixel": 1.0}
    options |= {"vel_pert_method": None, "noise_method": None}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        blended = pysteps.blending.steps.forecast(
            precip=observed, precip_models=model[None], velocity=still, velocity_models=np.zeros((1, 3, *still.shape)),
            precip_nowcast=nowcast[None], nowcasting_method="external_nowcast", outdir_path_skill=str(tmp_path),
            **steps, **options,
        )  # fmt: skip
    assert blended.shape == (1, 2, 32, 32) and np.isfinite(blended).all()
    for given in (nowcast, model):
        assert np.corrcoef(blended[0, 0].ravel(), given[1].ravel())[0, 1] > 0.3
