"""What goes into every step: which frame, what is missing, and forcings."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from predjax.models.config import ModelConfig
from predjax.models.inputs import Window, gather, split_window, take

CONFIG = ModelConfig("gru", (2,), patch_size=2, input_length=2, total_length=4, num_action_ch=1, coverage_channel=True)
FRAMES = np.arange(4 * 4 * 2, dtype=np.float32).reshape(1, 4, 4, 2, 1)
FORCINGS = np.arange(4, dtype=np.float32).reshape(1, 4, 1)


def split(frames, use_truth, config=CONFIG, forcings=FORCINGS):
    truth = None if use_truth is None else jnp.asarray([use_truth])
    return split_window(config, Window(jnp.asarray(frames), truth, forcings, 0, 2))


def test_features_are_those_of_the_frame_then_its_coverage_then_the_forcings():
    inputs, masks = split(FRAMES, [True, True, False])
    assert inputs.shape == (3, 1, 2, 1) and inputs.grid == (2, 1)
    previous = jnp.full((1, 2, 1, 4), -1.0)
    for step, frame in enumerate((FRAMES[:, 0], FRAMES[:, 1], -np.ones((1, 4, 2, 1)))):
        features = gather(CONFIG, *take((inputs, masks), step), previous)
        np.testing.assert_array_equal(features[0, :, 0, :4], frame.reshape(2, 4))
        np.testing.assert_array_equal(features[..., 4:8], 1)
        np.testing.assert_array_equal(features[..., 8], step)


def test_coverage_is_that_of_the_last_true_frame_and_missing_pixels_go_in_as_dry():
    frames = FRAMES.copy()
    frames[0, 1, 0, 0], frames[0, 2, 3, 1] = np.nan, np.nan
    inputs, masks = split(frames, [True, True, False])
    missing = [[tuple(map(int, at)) for at in np.argwhere(~np.asarray(step)[0, :, 0])] for step in masks.covered]
    assert missing == [[], [(0, 0)], [(0, 0)]]  # patch and pixel in it; what is missing in frame 2 does not go in
    features = gather(CONFIG, *take((inputs, masks), 1), jnp.zeros((1, 2, 1, 4)))
    assert features[0, 0, 0, 0] == 0 and np.isfinite(features).all()


def test_a_sequence_task_reads_the_forcings_of_all_times_alone():
    sizes = {"task": "sequence", "input_length": 0, "coverage_channel": False}
    config = dataclasses.replace(CONFIG, **sizes)
    inputs, masks = split(FRAMES, None, config)
    assert inputs.frames is None and masks.covered is None
    np.testing.assert_array_equal(gather(config, *take((inputs, masks), 3)), np.full((1, 2, 1, 1), 3.0))
