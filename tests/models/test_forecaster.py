"""The forecaster: what it may see, what is missing, and the units that go in and come out."""

import dataclasses
import functools
import importlib.util
import json
import pathlib

import jax
import numpy as np
import pytest

from predjax.models.catalogue import MODELS
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.sampling import forecast_mask
from predjax.models.scaling import Scaling
from predjax.models.shares import Share

compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
KEY = jax.random.key(0)
BATCH, LENGTH, INPUT_LENGTH = 2, 5, 3
PLAIN = ModelConfig("predrnn_v2", (2, 2), 3, patch_size=2, input_length=INPUT_LENGTH, total_length=LENGTH)
ACTION = dataclasses.replace(PLAIN, model_name="action_cond_predrnn_v2", num_action_ch=2)


def draw(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).random(shape).astype(np.float32)


FRAMES = draw(BATCH, LENGTH, 5, 7, 1)
ALL_TRUE = np.ones((BATCH, LENGTH - 1), bool)
FREE = np.asarray(forecast_mask(BATCH, INPUT_LENGTH, LENGTH))


def make_params(config, frames=FRAMES, forcings=None):
    """Random parameters, larger than the initial ones so that everything matters."""
    shapes = jax.eval_shape(make_forecaster(config).init, KEY, frames, forcings)
    leaves, structure = jax.tree.flatten(shapes)
    rng = np.random.default_rng(1)
    return structure.unflatten([(0.4 * rng.normal(size=leaf.shape)).astype(np.float32) for leaf in leaves])


@functools.cache
def compile_rollout(config):
    return compile_quickly(make_forecaster(config).rollout)


@functools.cache
def compile_gradient(config):
    """The loss and its gradients with respect to parameters and frames."""
    return compile_quickly(jax.value_and_grad(make_forecaster(config).loss, (0, 2), has_aux=True))


def rollout(frames, use_truth, config=PLAIN, forcings=None, params=None):
    params = make_params(config, frames, forcings) if params is None else params
    return np.asarray(compile_rollout(config)(params, KEY, frames, use_truth, forcings))


def test_predictions_do_not_depend_on_later_frames():
    predicted = rollout(FRAMES, ALL_TRUE)
    assert np.isfinite(predicted).all()
    for t in range(1, LENGTH):
        later = FRAMES.copy()
        later[:, t:] += 1
        changed = rollout(later, ALL_TRUE)
        # Prediction t - 1 is the last one made before frame t was seen.
        np.testing.assert_array_equal(changed[:, :t], predicted[:, :t])
        assert t == LENGTH - 1 or np.abs(changed[:, t] - predicted[:, t]).max() > 1e-4


def test_a_free_forecast_is_blind_to_the_future():
    later = FRAMES.copy()
    later[:, INPUT_LENGTH:] = np.nan
    np.testing.assert_array_equal(rollout(later, FREE), rollout(FRAMES, FREE))
    assert np.abs(rollout(FRAMES, FREE) - rollout(FRAMES, ALL_TRUE))[:, INPUT_LENGTH:].max() > 1e-4


def test_each_sample_follows_its_own_mask():
    mixed = np.stack([ALL_TRUE[0], FREE[1]])
    expected = np.stack([rollout(FRAMES, ALL_TRUE)[0], rollout(FRAMES, FREE)[1]])
    np.testing.assert_allclose(rollout(FRAMES, mixed), expected, atol=1e-6)


def test_predict_is_the_free_forecast():
    params = make_params(PLAIN)
    predict = compile_quickly(make_forecaster(PLAIN).predict, static_argnums=3)
    predicted = predict(params, KEY, FRAMES[:, :INPUT_LENGTH], LENGTH - INPUT_LENGTH)
    np.testing.assert_allclose(predicted, rollout(FRAMES, FREE)[:, INPUT_LENGTH - 1 :], atol=1e-6)


def test_rows_of_the_batch_are_independent():
    frames = np.concatenate([FRAMES[:1], draw(1, *FRAMES.shape[1:], seed=5)])
    together, exchanged = rollout(frames, FREE), rollout(frames[::-1], FREE)
    np.testing.assert_allclose(exchanged[::-1], together, atol=1e-6)
    np.testing.assert_allclose(together[0], rollout(FRAMES, FREE)[0], atol=1e-6)


def test_a_frame_of_any_size_is_one_of_whole_patches_with_missing_pixels():
    """5 x 7 pixels in patches of 2 x 2 are 6 x 8 pixels of which the last row and column are missing."""
    padded = np.pad(FRAMES, ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0)), constant_values=np.nan)
    predicted = rollout(FRAMES, FREE)
    assert predicted.shape == (BATCH, LENGTH - 1, 5, 7, 1)
    np.testing.assert_allclose(rollout(padded, FREE)[:, :, :5, :7], predicted, atol=1e-6)


def test_predictions_are_missing_exactly_where_the_last_true_frame_is():
    frames = FRAMES.copy()
    frames[:, 0, 0] = np.nan  # before the last true frame: no matter
    frames[0, INPUT_LENGTH - 1, 1, 2] = np.nan
    frames[1, INPUT_LENGTH - 1, 3:] = np.nan
    predicted = rollout(frames, FREE)
    for t in range(LENGTH - 1):
        missing = np.isnan(frames[:, min(t, INPUT_LENGTH - 1)])
        np.testing.assert_array_equal(np.isnan(predicted[:, t]), missing)


def test_a_missing_pixel_goes_in_as_dry():
    dry = FRAMES.copy()
    dry[:, 1, 2:4, 1:5] = 0
    missing = np.where(dry == 0, np.nan, dry)
    np.testing.assert_array_equal(rollout(missing, FREE)[:, 2:], rollout(dry, FREE)[:, 2:])


def test_missing_pixels_do_not_move_the_loss_and_give_no_gradient():
    params, frames = make_params(PLAIN), FRAMES.copy()
    frames[:, -1, :2] = np.nan  # only the loss looks at the last frame
    frames[0, 1, 4, 4] = np.nan  # this one goes in as well
    (loss, metrics), (by_params, by_frames) = compile_gradient(PLAIN)(params, KEY, frames, FREE)
    exists = np.isfinite(frames[:, 1:])
    predicted = rollout(np.nan_to_num(frames), FREE, params=params)  # all of it: a missing pixel goes in as dry
    errors = np.where(exists, predicted - np.nan_to_num(frames[:, 1:]), 0)
    np.testing.assert_allclose(metrics["mse"], (errors**2).sum() / exists.sum(), rtol=1e-5)
    np.testing.assert_allclose(loss, metrics["mse"] + metrics["penalty"], rtol=1e-6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(by_params))
    assert not by_frames[np.isnan(frames)].any()
    assert (np.abs(by_frames[:, :INPUT_LENGTH][np.isfinite(frames[:, :INPUT_LENGTH])]) > 0).all()


def test_nothing_observed_is_a_finite_loss():
    (loss, _), (by_params, _) = compile_gradient(PLAIN)(make_params(PLAIN), KEY, np.full_like(FRAMES, np.nan), ALL_TRUE)
    assert np.isfinite(loss)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(by_params))


def test_every_parameter_has_a_gradient():
    _, (by_params, _) = compile_gradient(PLAIN)(make_params(PLAIN), KEY, FRAMES, ALL_TRUE)
    assert all(np.abs(leaf).max() > 1e-7 for leaf in jax.tree.leaves(by_params))


def test_shifting_the_units_and_the_scaling_together_changes_nothing():
    params, dbz = make_params(PLAIN), 60 * FRAMES
    here = dataclasses.replace(PLAIN, scaling=Scaling("dBZ", 0.0, 60.0, "dBZ"))
    there = dataclasses.replace(PLAIN, scaling=Scaling("dBZ", 20.0, 80.0, "dBZ"))
    predicted = rollout(dbz, FREE, here, params=params)
    assert predicted.max() > 2  # dBZ, not [0, 1]
    np.testing.assert_allclose(rollout(dbz + 20, FREE, there, params=params), predicted + 20, atol=1e-3)


def test_the_loss_is_that_of_the_scaled_frames():
    scaled = dataclasses.replace(PLAIN, scaling=Scaling("linear", 0.0, 60.0, "dBZ"))
    params = make_params(PLAIN)
    loss, metrics = compile_quickly(make_forecaster(scaled).loss)(params, KEY, 60 * FRAMES, FREE)
    (expected, same), _ = compile_gradient(PLAIN)(params, KEY, FRAMES, FREE)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["penalty"], same["penalty"], rtol=1e-5)


def test_replicas_share_the_loss_of_the_whole_batch():
    """Also when one has fewer pixels with coverage than the other."""
    params, frames = make_params(PLAIN), FRAMES.copy()
    frames[0, 2:, :3] = np.nan
    loss = make_forecaster(PLAIN).loss
    shares, _ = jax.jit(jax.vmap(lambda f, m: loss(params, KEY, f, m, share=Share("replicas")), axis_name="replicas"))(
        frames[:, None], FREE[:, None]
    )
    (whole, _), _ = compile_gradient(PLAIN)(params, KEY, frames, FREE)
    np.testing.assert_allclose(shares.sum(), whole, rtol=1e-5)


def test_coverage_is_shown_when_asked_for():
    """With the channel, missing and dry are told apart; without, they are not."""
    config = dataclasses.replace(PLAIN, coverage_channel=True)
    missing, dry = FRAMES.copy(), FRAMES.copy()
    missing[:, 1, :2, :2], dry[:, 1, :2, :2] = np.nan, 0
    assert np.abs(rollout(missing, FREE, config) - rollout(dry, FREE, config))[:, 2:].max() > 1e-4
    changed = missing.copy()
    changed[:, INPUT_LENGTH:] += 1
    np.testing.assert_array_equal(rollout(changed, FREE, config), rollout(missing, FREE, config))


@pytest.mark.parametrize("conv_on_input", [False, True])
def test_forcings_steer_the_forecast_and_only_forwards(conv_on_input):
    """Patches of 2 x 2 pixels; those at t go in with frame t, so that they first move prediction t."""
    config = dataclasses.replace(ACTION, conv_on_input=conv_on_input)
    forcings = draw(BATCH, LENGTH, 2)
    params = make_params(config, FRAMES, forcings)
    predicted = rollout(FRAMES, FREE, config, forcings, params)
    assert predicted.shape == (BATCH, LENGTH - 1, 5, 7, 1)
    for t in (0, INPUT_LENGTH):
        other = forcings.copy()
        other[:, t] += 1
        changed = rollout(FRAMES, FREE, config, other, params)
        np.testing.assert_array_equal(changed[:, :t], predicted[:, :t])
        assert np.abs(changed[:, t] - predicted[:, t]).max() > 1e-4


def test_a_map_of_one_value_forces_as_the_vector_does():
    config = dataclasses.replace(ACTION, patch_size=1)
    forcings = draw(BATCH, LENGTH, 2)
    maps = np.broadcast_to(forcings[:, :, None, None], (BATCH, LENGTH, 5, 7, 2))
    params = make_params(config, FRAMES, forcings)
    by_vector = rollout(FRAMES, FREE, config, forcings, params)
    np.testing.assert_allclose(rollout(FRAMES, FREE, config, maps, params), by_vector, atol=1e-6)


def test_maps_force_where_they_are():
    """With 3 x 3 kernels, two layers and one step, a map's corner does not reach the opposite corner."""
    config = dataclasses.replace(ACTION, input_length=1, total_length=2)
    frames, maps = draw(1, 3, 16, 16, 1), draw(1, 3, 16, 16, 2)
    params = make_params(config, frames, maps)
    other = maps.copy()
    other[:, 1, 0, 0] += 1
    use_truth = np.ones((1, 2), bool)
    difference = rollout(frames, use_truth, config, other, params) - rollout(frames, use_truth, config, maps, params)
    assert np.abs(difference[0, 1, :2, :2]).max() > 1e-5
    np.testing.assert_array_equal(difference[0, 1, 12:, 12:], 0)
    np.testing.assert_array_equal(difference[0, 0], 0)


def test_the_same_key_makes_the_same_parameters():
    init = compile_quickly(make_forecaster(dataclasses.replace(PLAIN, num_hidden=(2,))).init)
    first, same, other = (init(jax.random.key(seed), FRAMES) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, same)
    assert np.abs(first["predrnn/~/conv_last"]["w"] - other["predrnn/~/conv_last"]["w"]).max() > 1e-2


def test_layer_norm_ties_a_model_to_its_grid():
    config = dataclasses.replace(PLAIN, layer_norm=True)
    params = make_params(config)
    assert np.isfinite(rollout(FRAMES, FREE, config, params=params)).all()
    wider = draw(BATCH, LENGTH, 6, 12, 1)
    with pytest.raises(ValueError, match="layer_norm 1 ties this model to frames of 6x8 pixels, these are 6x12"):
        rollout(wider, FREE, config, params=params)
    with pytest.raises(ValueError, match="frames are 7 pixels wide, img_width is 40"):
        make_forecaster(dataclasses.replace(config, img_width=40)).init(KEY, FRAMES)


@pytest.mark.parametrize(
    ("config", "shape", "forcings", "reason"),
    [
        (PLAIN, (1, 3, 4, 4, 2), None, "frames have 2 channels, img_channel is 1"),
        (PLAIN, (1, 3, 4, 1, 1), None, "patch_size 2 is larger than the frame 4x1"),
        (PLAIN, (1, 3, 4, 4, 1), (1, 3, 2), "2 forcing channels are given, num_action_ch is 0"),
        (ACTION, (1, 3, 4, 4, 1), None, "0 forcing channels are given, num_action_ch is 2"),
        (ACTION, (1, 3, 4, 4, 1), (1, 3, 5), "5 forcing channels are given, num_action_ch is 2"),
    ],
)
def test_what_does_not_fit_is_refused(config, shape, forcings, reason):
    forcings = None if forcings is None else np.zeros(forcings)
    with pytest.raises(ValueError, match=reason):
        make_forecaster(config).init(KEY, np.zeros(shape), forcings)


def test_a_forecast_needs_forcings_for_its_lead_times():
    forcings = draw(BATCH, INPUT_LENGTH + 1, 2)
    with pytest.raises(ValueError, match="forcings cover 4 steps, 3 observed and 3 predicted frames need 5"):
        make_forecaster(ACTION).predict({}, KEY, FRAMES[:, :INPUT_LENGTH], 3, forcings)


def load_maker():
    spec = importlib.util.spec_from_file_location("make_parameter_names", GOLDEN / "make_parameter_names.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


@pytest.mark.parametrize("name", MODELS)
def test_parameter_names_are_a_file_format(name):
    maker = load_maker()
    pinned = json.loads(maker.FILE.read_text())
    assert maker.list_parameters(maker.make_config(name)) == pinned[name], maker.__doc__
    assert set(pinned) == set(MODELS)
