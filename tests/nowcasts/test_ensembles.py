"""Ensembles: draws belong to the seed, the case and the member."""

import numpy as np
import pytest

from predjax import parallel
from predjax.models.stochastic_scales import Scalars
from predjax.nowcasts import ensembles
from predjax.nowcasts.baselines import Setting, make_baselines
from predjax.nowcasts.ensembles import make_ensemble_nowcast
from predjax.units import rain_rate_to_dbz

RNG = np.random.default_rng(0)
FRAMES = np.maximum(np.cumsum(RNG.normal(size=(2, 3, 16, 18, 1)), 2), 0).astype(np.float32)
FRAMES[1, :, :5] = np.nan
# Three scales compile faster; without a trend no member exceeds the newest frame.
FEW = Scalars(noise=(1.0, 1.0), noise_growth=(0.0, 0.0), typical=((0.5, 0.0),) * 2, trend=0.0)


@pytest.fixture(scope="module")
def members():
    return make_ensemble_nowcast("mm/h", members=3, scalars=FEW)(FRAMES, 2)


def test_members_of_a_case_do_not_depend_on_the_batch_the_groups_or_the_devices(members, monkeypatch):
    assert members.shape == (2, 3, 2, 16, 18, 1)
    devices = parallel.choose_local()
    monkeypatch.setattr(parallel, "choose_local", lambda: devices[:1])
    monkeypatch.setattr(parallel, "MOST_CALLS", 2)
    monkeypatch.setattr(ensembles, "GROUP_PIXELS", 2 * 2 * 16 * 18)  # two at once, of which the last is a surplus
    parts = list(make_ensemble_nowcast("mm/h", members=3, scalars=FEW).groups(FRAMES[1:], 2))
    assert [part.shape[1] for part in parts] == [2, 1]
    np.testing.assert_allclose(np.concatenate(parts, 1), members[1:], rtol=1e-4, atol=1e-4)


def test_members_differ_and_keep_to_the_coverage(members):
    assert np.nanmax(members[0].max(0) - members[0].min(0)) > 0.1
    assert np.isnan(members[1]).any() and np.isfinite(members[1]).any()
    assert np.nanmin(members) >= 0 and np.nanmax(members) <= np.nanmax(FRAMES[:, -1]) * 1.001


@pytest.mark.ci
def test_the_baseline_gives_the_same_and_another_seed_gives_others():
    members = make_ensemble_nowcast("mm/h", members=3)(FRAMES, 2)
    made = make_baselines(["stochastic_scales"], Setting("mm/h", members=3, seed=0))["stochastic_scales"]
    np.testing.assert_array_equal(made(FRAMES, 2, None), members)
    other = make_baselines(["stochastic_scales"], Setting("mm/h", members=3, seed=1))["stochastic_scales"]
    assert np.nanmax(np.abs(other(FRAMES, 2) - members)) > 0.1


def test_reflectivity_does_not_fall_below_the_newest_frame():
    observed = np.maximum(rain_rate_to_dbz(FRAMES[:1]), 5).astype(np.float32)
    found = make_ensemble_nowcast("dBZ", members=1, scalars=FEW)(observed, 2)
    assert np.nanmin(found) == pytest.approx(5, abs=0.01) and np.nanmax(found) <= observed.max() + 0.01


def test_members_are_drawn_around_a_centre():
    def stay(observed, num_steps, forcings):
        return np.repeat(observed[:, -1:], num_steps, 1)

    found = make_ensemble_nowcast("mm/h", members=2, scalars=FEW, centre=stay)(FRAMES, 2)
    assert found.shape == (2, 2, 2, 16, 18, 1)


@pytest.mark.parametrize(
    ("units", "members", "shape", "message"),
    [
        ("1", 2, (1, 3, 8, 8, 1), r"rain in mm/h or dBZ, the frames are in '1'"),
        ("mm/h", 0, (1, 3, 8, 8, 1), "members must be at least 1, not 0"),
        ("mm/h", 2, (1, 3, 1, 1, 1), "frames of 1x1 have no scales"),
        ("mm/h", 2, (1, 3, 8, 8, 2), "one channel, these have 2"),
        ("mm/h", 2, (1, 0, 8, 8, 1), "none of them 0"),
    ],
)
def test_what_has_no_members_is_refused(units, members, shape, message):
    with pytest.raises(ValueError, match=message):
        make_ensemble_nowcast(units, members)(np.zeros(shape, np.float32), 2)
