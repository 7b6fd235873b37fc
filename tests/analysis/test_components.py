"""Principal components: the variance they hold, and the way to the plane and back."""

import numpy as np
import pytest

from predjax.analysis.components import fit_components, project, unproject


def make_states():
    """Three variables, turned, with the standard deviations 5, 2, 0.1."""
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return rng.normal(size=(4, 50, 3)) * [5, 2, 0.1] @ turn + [1, 2, 3], turn


def test_axes_are_the_eigenvectors_of_the_covariance():
    states, turn = make_states()
    components = fit_components(states, 3)
    values, vectors = np.linalg.eigh(np.cov(states.reshape(-1, 3).T))
    np.testing.assert_allclose(components.explained, values[::-1] / values.sum(), rtol=1e-10)
    np.testing.assert_allclose(np.abs(components.axes @ vectors[:, ::-1]), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(np.abs(components.axes @ turn.T), np.eye(3), atol=0.1)
    np.testing.assert_allclose(components.mean, states.mean(axis=(0, 1)))


def test_coordinates_are_uncorrelated_and_have_the_variance_explained():
    states, _ = make_states()
    components = fit_components(states, 2)
    places = project(components, states)
    assert places.shape == (4, 50, 2)
    covariance = np.cov(places.reshape(-1, 2).T)
    total = states.reshape(-1, 3).var(axis=0, ddof=1).sum()
    np.testing.assert_allclose(covariance, np.diag(components.explained * total), atol=1e-10 * total)


def test_all_components_lead_back_and_fewer_to_the_nearest_point():
    states, _ = make_states()
    whole = fit_components(states, 3)
    np.testing.assert_allclose(unproject(whole, project(whole, states)), states, atol=1e-12)
    plane = fit_components(states, 2)
    nearest = unproject(plane, project(plane, states))
    np.testing.assert_allclose((states - nearest) @ plane.axes.T, 0, atol=1e-12)  # what is lost is orthogonal
    lost = ((states - nearest) ** 2).sum() / ((states - plane.mean) ** 2).sum()
    np.testing.assert_allclose(lost, 1 - plane.explained.sum(), rtol=1e-8)


def test_axes_do_not_depend_on_the_order_of_the_states():
    states, _ = make_states()
    np.testing.assert_allclose(fit_components(states[::-1], 3).axes, fit_components(states, 3).axes, atol=1e-10)


@pytest.mark.parametrize("states, explained", [(np.ones((7, 3)), [0, 0]), (np.eye(3)[:2], [1, 0])])
def test_states_of_fewer_dimensions_have_axes_all_the_same(states, explained):
    components = fit_components(states, 2)
    np.testing.assert_allclose(components.axes @ components.axes.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(components.explained, explained, atol=1e-12)
    np.testing.assert_allclose(unproject(components, project(components, states)), states, atol=1e-12)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"states must be \(\.\.\., N\), found the shape \(3,\)"):
        fit_components(np.zeros(3), 1)
    with pytest.raises(ValueError, match="finite, found 2 values"):
        fit_components(np.array([[np.nan, np.inf, 0]]), 1)
    with pytest.raises(ValueError, match="within 1 to 3, found 4"):
        fit_components(np.zeros((9, 3)), 4)
