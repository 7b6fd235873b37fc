"""Persistence: the last frame, and nothing else."""

import numpy as np
import pytest

from predjax.nowcasts.persistence import persist
from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.skill import compare, skill_against


def test_every_lead_time_is_the_last_observed_frame():
    observed = np.random.default_rng(0).random((2, 4, 5, 6, 1), np.float32)
    forecast = persist(observed, 3)
    assert forecast.dtype == np.float32
    for lead in range(3):
        np.testing.assert_array_equal(forecast[:, lead], observed[:, 3])


def test_coverage_is_that_of_the_last_frame():
    observed = np.ones((1, 2, 1, 2, 1), np.float32)
    observed[0, 0, 0, 0] = np.nan  # seen again in the last frame
    observed[0, 1, 0, 1] = np.nan  # no longer seen
    assert np.isnan(persist(observed, 2))[0, :, 0, :, 0].tolist() == [[False, True]] * 2


def test_its_skill_against_itself_is_exactly_zero():
    rng = np.random.default_rng(1)
    forecast = persist(rng.random((3, 2, 8, 8, 1), np.float32), 4)
    scores = skill(statistics(forecast, rng.random((3, 4, 8, 8, 1), np.float32), Scoring([0.5])))
    own = skill_against(compare({"persistence": scores}), "persistence")
    for name in ("rmse_skill", "mae_skill", "mse_skill"):
        assert (own[name] == 0).all()


def test_changing_the_forecast_leaves_the_observation():
    observed = np.zeros((1, 1, 2, 2, 1), np.float32)
    persist(observed, 1)[:] = 1
    assert not observed.any()


@pytest.mark.parametrize(
    ("observed", "steps", "message"),
    [
        (np.zeros((3, 4, 4, 1)), 2, r"\(3, 4, 4, 1\)"),
        (np.zeros((1, 0, 4, 4, 1)), 2, "T_in >= 1"),
        (np.zeros((1, 1, 4, 4, 1)), 0, "num_steps must be at least 1, not 0"),
    ],
)
def test_nothing_to_persist_is_an_error(observed, steps, message):
    with pytest.raises(ValueError, match=message):
        persist(observed, steps)
