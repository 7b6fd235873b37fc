"""Members in a scratch file."""

import tempfile

import numpy as np

from predjax.radar.scratch import store_members


def test_members_come_back_part_by_part():
    members = np.random.default_rng(0).random((5, 3, 4, 6, 1), np.float32)
    with tempfile.TemporaryFile() as file:
        stored = store_members(file, (members[:2], members[2:4].astype(np.float64), members[4:, :, ::1]))
        assert stored.shape == members.shape and stored.dtype == np.float32
        np.testing.assert_array_equal(stored.isel(lead_time=1).values, members[:, 1])
        np.testing.assert_array_equal(stored[3, :, ::-1].values, members[3, :, ::-1])
        np.testing.assert_array_equal(stored.values, members)
