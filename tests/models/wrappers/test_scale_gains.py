"""Scales of frames, and how they go on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.scaling import Scaling
from predjax.models.wrappers import scale_gains
from predjax.models.wrappers.scale_gains import LARGEST, NARROWING

split_scales, fit_scales = (jax.jit(f, static_argnums=1) for f in (scale_gains.split_scales, scale_gains.fit_scales))
extend_scales = jax.jit(scale_gains.extend_scales)


def predict(forecaster, params, observed, num_steps):
    return jax.jit(forecaster.predict, static_argnums=3)(params, None, observed, num_steps)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_scales_sum_to_the_frame_and_get_coarser():
    frames = noise(2, 40, 33)
    parts = split_scales(frames, 5)
    np.testing.assert_allclose(sum(parts), frames, atol=1e-5)
    variances = [float(np.var(scale)) for scale in parts[:-1]]
    assert variances == sorted(variances, reverse=True)  # of white noise each blurring takes the most of what is left
    wave = np.cos(2 * np.pi * np.arange(64) / 16)[None, None] * np.ones((1, 64, 1))
    power = [float(np.square(scale[:, 16:48, 16:48]).mean()) for scale in split_scales(wave.astype(np.float32), 5)]
    assert int(np.argmax(power)) == 2  # 16 pixels long: taken away at a distance of 4 pixels


def test_a_constant_is_in_the_last_scale_alone():
    *parts, last = split_scales(np.full((2, 9, 7), 3.0, np.float32), 4)
    for scale in parts:
        np.testing.assert_allclose(scale, 0, atol=1e-6)
    np.testing.assert_allclose(last, 3, rtol=1e-6)


def test_the_autoregression_of_a_known_process_is_found():
    """White noise in space, of which every frame is 0.6 of the last, 0.2 of the one before, and new noise."""
    first, second, frames = 0.6, 0.2, [noise(1, 96, 96, 1, seed=0)]
    frames.append(noise(1, 96, 96, 1, seed=1))
    for step in range(40):
        frames.append(first * frames[-1] + second * frames[-2] + 0.5 * noise(1, 96, 96, 1, seed=2 + step))
    fitted = fit_scales(jnp.stack(frames[-12:], 1), 3)
    assert fitted.shape == (1, 3, 2, 1)
    np.testing.assert_allclose(fitted[0, :2, :, 0], [[first + second - 1, -second]] * 2, atol=0.06)
    np.testing.assert_array_equal(fitted[0, 2], 0)


def test_what_stands_still_goes_on_as_it_is():
    frame = noise(1, 32, 32, 1)
    fitted = fit_scales(np.repeat(frame[:, None], 4, 1), 4)
    change = extend_scales(frame, frame, fitted, jnp.zeros((1, 8, 8, 8)))
    np.testing.assert_allclose(change, 0, atol=1e-3)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_few_frames(length):
    fitted = fit_scales(noise(2, length, 16, 16, 1), 3)
    assert np.isfinite(fitted).all()
    if length < 3:
        np.testing.assert_array_equal(fitted[:, :, 1], 0)
    if length == 1:
        np.testing.assert_array_equal(fitted, 0)


def test_missing_and_dry_frames_give_numbers():
    frames = np.zeros((3, 4, 16, 16, 1), np.float32)
    frames[1], frames[2, :, 4:] = np.nan, np.nan
    frames[2, :, :4] = noise(4, 4, 16, 1)
    assert np.isfinite(fit_scales(frames, 3)).all()


def test_gains_are_those_of_their_place():
    """A gain of one patch and one scale: the change is that scale times the gain, in the patch's middle all of it,
    nothing from the middles of its neighbours on, and in proportion between."""
    frame, before = noise(1, 20, 20, 1), noise(1, 20, 20, 1, seed=1)
    fitted, count = jnp.zeros((1, 3, 2, 1)), 3
    share = np.maximum(0, 1 - np.abs((np.arange(20) + 0.5) / 4 - 0.5 - 2))
    for kind, fields in enumerate((frame, frame - before)):
        gains = np.zeros((1, 5, 5, 2 * count), np.float32)
        gains[0, 2, 2, kind * count + 1] = 0.5
        change = np.asarray(extend_scales(frame, before, fitted, gains))[0, ..., 0]
        expected = (
            LARGEST * NARROWING * np.tanh(0.5) * share[:, None] * share * split_scales(fields[..., 0], count)[1][0]
        )
        np.testing.assert_allclose(change, expected, atol=1e-6)


def test_gradients_of_a_change():
    """Between the middles of patches a gradient is stated, not derived."""
    frame, before, fitted = noise(2, 12, 8, 2), noise(2, 12, 8, 2, seed=1), noise(2, 3, 2, 2, seed=2)
    gains = noise(2, 3, 4, 12, seed=3)
    check_grads(extend_scales, (frame, before, fitted, gains), order=1, modes=["rev"], atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("name", [pytest.param("conv_lstm", marks=pytest.mark.slow), "conv_s5"])
@pytest.mark.ci
def test_a_model_whose_network_gives_nothing_forecasts_the_autoregression(name):
    config = ModelConfig(
        name, (4,), filter_size=3, patch_size=4, input_length=4, total_length=7, residual=True, scales=3,
        scaling=Scaling("none"),
    )  # fmt: skip
    forecaster = make_forecaster(config)
    frames = noise(1, 7, 16, 16, 1)
    frames = 0.5 + 0.1 * np.cumsum(frames, 1)
    params = forecaster.init(jax.random.key(0), frames)
    nothing = jax.tree.map(jnp.zeros_like, params)
    found = predict(forecaster, nothing, frames[:, :4], 3)
    fitted = fit_scales(frames[:, :4], 3)
    before, frame = frames[:, 2], frames[:, 3]
    for step in range(3):
        change = extend_scales(frame, before, fitted, jnp.zeros((1, 4, 4, 6)))
        before, frame = frame, frame + change
        np.testing.assert_allclose(found[:, step], frame, atol=1e-5)
    if name == "conv_s5":  # all true inputs at once, and one by one
        ones = jnp.ones((1, 6), bool)
        rollout = jax.jit(forecaster.rollout)
        np.testing.assert_allclose(rollout(params, None, frames, None), rollout(params, None, frames, ones), atol=1e-4)
    loss = jax.jit(jax.value_and_grad(lambda p: forecaster.loss(p, None, frames, jnp.ones((1, 6), bool))[0]))
    value, gradient = loss(params)
    assert np.isfinite(value) and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("length", [2, 3, 6])
def test_scales_go_on_as_in_the_frames_that_are_observed_however_many(length):
    config = ModelConfig(
        "conv_lstm", (4,), filter_size=3, patch_size=4, input_length=4, total_length=7, residual=True, scales=3,
        scaling=Scaling("none"),
    )  # fmt: skip
    forecaster, frames = make_forecaster(config), 0.5 + 0.1 * np.cumsum(noise(1, length, 16, 16, 1), 1)
    nothing = jax.tree.map(jnp.zeros_like, forecaster.init(jax.random.key(0), frames))
    change = extend_scales(frames[:, -1], frames[:, -2], fit_scales(frames, 3), jnp.zeros((1, 4, 4, 6)))
    found = predict(forecaster, nothing, frames, 1)[:, 0]
    np.testing.assert_allclose(found, frames[:, -1] + change, atol=1e-5)


def test_what_has_no_scales():
    with pytest.raises(ValueError, match="scales must be 0 without residual 1, got 3"):
        ModelConfig(scales=3)
    series = make_forecaster(ModelConfig("gru", (4,), 1, patch_size=1, residual=True, scales=2))
    with pytest.raises(ValueError, match="frames of 1x1 have none"):
        series.init(jax.random.key(0), np.zeros((1, 20, 1, 1, 1), np.float32))
