"""When the network sees the truth: the schedules' ends, and draws that belong to the sample."""

import jax
import numpy as np
import pytest

from predjax.models.config import SamplingConfig
from predjax.models.sampling import draw_truth, forecast_mask, truth_mask, truth_probabilities

INPUT_LENGTH, TOTAL_LENGTH = 4, 9
REVERSE = SamplingConfig().resolve(1600)  # s1 500, s2 1000, alpha 50
FORWARD = SamplingConfig(reverse_scheduled_sampling=False).resolve(1600)  # stops at 1000
ENCODER, FORECASTER = slice(1, INPUT_LENGTH), slice(INPUT_LENGTH, TOTAL_LENGTH - 1)


def probabilities(step, config):
    return np.asarray(truth_probabilities(step, config, INPUT_LENGTH, TOTAL_LENGTH))


def masks(step, config, batch_size, offset=0, seed=0):
    return np.asarray(
        truth_mask(jax.random.key(seed), step, config, offset + np.arange(batch_size), INPUT_LENGTH, TOTAL_LENGTH)
    )


def test_the_steps_follow_the_number_of_iterations():
    assert (REVERSE.r_sampling_step_1, REVERSE.r_sampling_step_2, REVERSE.r_exp_alpha) == (500, 1000, 50)
    assert (FORWARD.sampling_stop_iter, FORWARD.sampling_changing_rate) == (1000, 1e-3)
    given = SamplingConfig(r_sampling_step_1=7, sampling_changing_rate=0.5).resolve(1600)
    assert (given.r_sampling_step_1, given.sampling_changing_rate) == (7, 0.5)


@pytest.mark.parametrize("config", [REVERSE, FORWARD])
@pytest.mark.parametrize("step", [1, 499, 501, 999, 1000, 5000])
def test_probabilities_are_probabilities_and_the_first_input_is_true(step, config):
    p = probabilities(step, config)
    assert p.shape == (TOTAL_LENGTH - 1,)
    assert (p >= 0).all() and (p <= 1).all()
    assert p[0] == 1
    assert masks(step, config, 64)[:, 0].all()


def test_ends_of_the_reverse_schedule():
    start, end = probabilities(1, REVERSE), probabilities(1000, REVERSE)
    assert (start[1:] == 0.5).all()
    assert (end[ENCODER] == 1).all() and (end[FORECASTER] == 0).all()
    np.testing.assert_allclose(probabilities(550, REVERSE)[ENCODER], 1 - 0.5 * np.exp(-1), rtol=1e-6)
    np.testing.assert_allclose(probabilities(750, REVERSE)[FORECASTER], 0.25, rtol=1e-6)


def test_ends_of_the_forward_schedule():
    np.testing.assert_allclose(probabilities(1, FORWARD)[FORECASTER], 0.999, rtol=1e-6)
    np.testing.assert_allclose(probabilities(600, FORWARD)[FORECASTER], 0.4, rtol=1e-5)
    assert (probabilities(1000, FORWARD)[FORECASTER] == 0).all()
    assert (probabilities(1000, FORWARD)[ENCODER] == 1).all()
    off = SamplingConfig(reverse_scheduled_sampling=False, scheduled_sampling=False).resolve(1600)
    assert (probabilities(1, off)[FORECASTER] == 0).all()


@pytest.mark.parametrize("config", [REVERSE, FORWARD])
def test_the_mean_of_many_draws_is_the_schedule(config):
    drawn = masks(600, config, 4000).mean(0)
    np.testing.assert_allclose(drawn, probabilities(600, config), atol=4 * 0.5 / np.sqrt(4000))


def test_a_sample_of_the_global_batch_has_its_own_draws_wherever_it_is_computed():
    whole = masks(600, REVERSE, 8)
    np.testing.assert_array_equal(np.concatenate([masks(600, REVERSE, 2, offset) for offset in (0, 2, 4, 6)]), whole)
    assert len(np.unique(whole, axis=0)) > 1
    assert (masks(600, REVERSE, 8, seed=1) != whole).any()


def test_the_iteration_may_be_traced():
    mask = jax.jit(lambda step: truth_mask(jax.random.key(0), step, REVERSE, np.arange(8), INPUT_LENGTH, TOTAL_LENGTH))(
        600
    )
    np.testing.assert_array_equal(mask, masks(600, REVERSE, 8))


def test_certain_draws_are_certain():
    uniforms = np.linspace(0, 1, 50, endpoint=False)[:, None]
    assert draw_truth(np.ones(3), uniforms).all()
    assert not draw_truth(np.zeros(3), uniforms).any()


def test_a_forecast_shows_what_was_observed_and_nothing_more():
    mask = np.asarray(forecast_mask(2, 3, 6))
    np.testing.assert_array_equal(mask, [[True, True, True, False, False]] * 2)


@pytest.mark.parametrize("forcing", ["steps", "parallel"])
@pytest.mark.parametrize("step", [1, 700, 5000])
def test_with_teacher_forcing_every_input_is_true(forcing, step):
    config = SamplingConfig(teacher_forcing=forcing).resolve(1600)
    assert masks(step, config, 64).all()


def test_only_models_that_are_linear_in_time_take_all_steps_at_once():
    SamplingConfig(teacher_forcing="parallel").check_model("s5")
    SamplingConfig(teacher_forcing="steps").check_model("gru")
    with pytest.raises(ValueError, match=r"parallel needs a model that is linear in time \(lru, s5, conv_s5\), gru is"):
        SamplingConfig(teacher_forcing="parallel").check_model("gru")
