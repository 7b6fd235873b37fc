"""The memoryless baseline finds what is linear, and nothing else."""

import numpy as np

from predjax.nowcasts.regression import fit_regression, make_regression

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(4, 2))


def test_a_linear_response_is_found_whatever_is_missing():
    forcings = RNG.normal(size=(50, 3))
    pixels = np.column_stack([forcings, np.ones(50)]) @ WEIGHTS
    pixels[3, 1] = forcings[4, 0] = np.nan
    np.testing.assert_allclose(fit_regression(pixels, forcings), WEIGHTS, rtol=1e-12)


def test_every_frame_follows_from_the_forcings_of_its_own_step():
    forcings = RNG.normal(size=(2, 5, 3)).astype(np.float32)
    frames = make_regression(WEIGHTS.tolist())(np.zeros((2, 0, 4, 6, 2), np.float32), 5, forcings)
    expected = (forcings @ WEIGHTS[:3] + WEIGHTS[3])[:, :, None, None]
    np.testing.assert_allclose(frames, np.broadcast_to(expected, (2, 5, 4, 6, 2)), rtol=1e-5, atol=1e-6)
    maps = np.broadcast_to(forcings[:, :, None, None], (2, 5, 4, 6, 3))
    np.testing.assert_array_equal(make_regression(WEIGHTS)(np.zeros((2, 0, 4, 6, 2)), 5, maps), frames)
