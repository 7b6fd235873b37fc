"""Embedding in two dimensions, and the similarity that the decoupling loss lowers."""

import numpy as np
import pytest

from predjax.analysis import decoupling
from predjax.analysis.decoupling import embed, measure_similarity, sample_points


def distances(points):
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def clusters(count=20, features=6):
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(count, features)), rng.normal(size=(count, features)) + 30])


def test_pca_keeps_the_distances_of_planar_points():
    rng = np.random.default_rng(1)
    plane, _ = np.linalg.qr(rng.normal(size=(7, 2)))
    points = rng.normal(size=(40, 2)) @ plane.T + rng.normal(size=7)
    embedding = embed(points, "PCA")
    assert embedding.method == "PCA"
    np.testing.assert_allclose(distances(embedding.points), distances(points), atol=1e-12)


def test_pca_puts_the_largest_spread_first():
    points = np.random.default_rng(2).normal(size=(200, 3)) * [0.1, 5.0, 1.0]
    embedded = embed(points, "PCA").points
    np.testing.assert_allclose(embedded.std(axis=0), [5.0, 1.0], rtol=0.15)


def test_pca_does_not_depend_on_the_sign_that_the_decomposition_takes():
    points = np.random.default_rng(3).normal(size=(30, 4))
    np.testing.assert_allclose(embed(points[::-1], "PCA").points[::-1], embed(points, "PCA").points, atol=1e-12)


@pytest.mark.parametrize("points", [np.zeros((6, 3)), np.ones((1, 3)), np.arange(4.0)[:, None]])
def test_points_of_fewer_dimensions_are_embedded_all_the_same(points):
    embedding = embed(points)
    assert embedding.method == "PCA" and embedding.points.shape == (len(points), 2)
    np.testing.assert_allclose(distances(embedding.points), distances(points), atol=1e-12)


def test_tsne_separates_two_far_clusters():
    pytest.importorskip("sklearn", reason="t-SNE needs scikit-learn")
    points = clusters()
    embedding = embed(points)
    assert embedding.method == "t-SNE"
    apart = distances(embedding.points)
    within = max(apart[:20, :20].max(), apart[20:, 20:].max())
    assert apart[:20, 20:].min() > within


def test_tsne_takes_few_points_and_gives_the_same_picture_again():
    pytest.importorskip("sklearn", reason="t-SNE needs scikit-learn")
    points = clusters(count=3)
    first = embed(points, "t-SNE").points
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, embed(points, "t-SNE").points)


def test_without_scikit_learn_pca_takes_its_place(monkeypatch):
    monkeypatch.setattr(decoupling.importlib.util, "find_spec", lambda name: None)
    assert embed(clusters()).method == "PCA"


def test_what_cannot_be_embedded_is_named():
    with pytest.raises(ValueError, match=r"\(N, F\), found the shape \(3,\)"):
        embed(np.zeros(3))
    with pytest.raises(ValueError, match="finite, found 1 values"):
        embed(np.array([[0.0, np.inf]]))
    with pytest.raises(ValueError, match="auto, t-SNE, PCA, found 'UMAP'"):
        embed(np.zeros((9, 2)), "UMAP")
    with pytest.raises(ValueError, match="at least 5 points, found 4"):
        embed(np.zeros((4, 2)), "t-SNE")


def test_a_sample_has_no_point_twice_and_is_the_same_again():
    chosen = sample_points(1000, 50)
    assert len(np.unique(chosen)) == 50 and (np.diff(chosen) > 0).all() and chosen.max() < 1000
    assert chosen.max() > 800 and chosen.min() < 200
    np.testing.assert_array_equal(chosen, sample_points(1000, 50))
    np.testing.assert_array_equal(sample_points(7, 50), np.arange(7))


def test_similarity_is_1_where_proportional_and_0_where_orthogonal():
    delta = np.random.default_rng(4).normal(size=(2, 3, 50, 4))
    np.testing.assert_allclose(measure_similarity(delta, -3 * delta), np.ones((2, 3)))
    even, odd = np.zeros_like(delta), np.zeros_like(delta)
    even[..., ::2, :], odd[..., 1::2, :] = delta[..., ::2, :], delta[..., 1::2, :]
    np.testing.assert_array_equal(measure_similarity(even, odd), np.zeros((2, 3)))
    np.testing.assert_array_equal(measure_similarity(delta, 0 * delta), np.zeros((2, 3)))


def test_similarity_is_taken_over_points_for_each_feature():
    delta_c = np.array([[1.0, 0.0], [0.0, 1.0]])  # (points, features)
    delta_m = np.array([[1.0, 1.0], [1.0, 0.0]])
    # Feature 0: (1, 0) against (1, 1): 1/sqrt(2); feature 1: (0, 1) against (1, 0): 0.
    assert measure_similarity(delta_c, delta_m) == pytest.approx(0.5 / np.sqrt(2))
