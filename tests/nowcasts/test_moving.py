"""A nowcast in moving coordinates sees rain at rest, and its frames move again."""

import numpy as np

from predjax.nowcasts.extrapolation import extrapolate
from predjax.nowcasts.moving import move_with_rain


def test_what_stays_in_moving_coordinates_is_extrapolated():
    rows, columns = np.mgrid[:32, :32]
    observed = np.array([10 * np.exp(-((rows - 14) ** 2 + (columns - 8 - 2 * t) ** 2) / 20) for t in range(4)])
    observed = observed.astype(np.float32)[None, ..., None]

    def persist(frames, num_steps, forcings):
        assert np.nanmax(np.abs(frames[:, 0] - frames[:, -1])) < np.abs(observed[:, 0] - observed[:, -1]).max() / 4
        return np.repeat(frames[:, -1:], num_steps, 1)

    found = move_with_rain(persist, "mm/h")(observed, 3)
    np.testing.assert_allclose(found, extrapolate(observed, 3, units="mm/h"), rtol=1e-5, atol=1e-5)
    ensemble = move_with_rain(lambda *a: np.stack([persist(*a)] * 2, 1), "mm/h")(observed, 3)
    np.testing.assert_array_equal(ensemble, np.stack([found] * 2, 1))
