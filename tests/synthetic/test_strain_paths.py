"""Paths of strain: their directions, lengths and turns."""

import numpy as np
import pytest

from predjax.synthetic.strain_paths import PATH_TYPES, list_canonical, make_strain_path


def make_paths(path_type, count=2, length=8, max_strain=0.04):
    return np.stack([make_strain_path(path_type, i, length, max_strain, 0) for i in range(count)]).astype(np.float32)


def test_there_are_eighteen_canonical_directions():
    directions = list_canonical()
    assert directions.shape == (18, 3) and len(np.unique(directions, axis=0)) == 18
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert (np.count_nonzero(directions[:6], axis=1) == 1).all() and (
        np.count_nonzero(directions[6:], axis=1) == 2
    ).all()


@pytest.mark.parametrize("path_type", PATH_TYPES)
def test_paths_go_as_far_as_they_may_and_turn_where_they_should(path_type):
    paths = make_paths(path_type, 18, 60)
    norms = np.linalg.norm(paths, axis=-1)
    np.testing.assert_allclose(norms.max(1), 0.04, rtol=1e-5)
    turns = np.diff(np.sign(np.diff(norms, axis=1)), axis=1) != 0
    expected = {"canonical": turns.sum(1) == 0, "proportional": turns.sum(1) == 2, "gaussian": turns.sum(1) > 0}
    assert expected[path_type].all() and norms[:, 0].max() < 0.02
    assert len(np.unique(paths[:, -1], axis=0)) == 18
    np.testing.assert_array_equal(make_paths(path_type, 3, 60), paths[:3])
