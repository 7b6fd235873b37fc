"""The effect of memory decoupling on ΔC and ΔM: their similarity, and an embedding of both in two dimensions."""

import importlib.util
from typing import NamedTuple

import numpy as np

from predjax.analysis.components import fit_components, project

METHODS = ("auto", "t-SNE", "PCA")
LEAST_POINTS = 5  # t-SNE needs some neighbours that are not all the points
PERPLEXITY = 30.0  # scikit-learn's default; less for few points


class Embedding(NamedTuple):
    """Points in two dimensions, and the method that placed them ("t-SNE" or "PCA")."""

    points: np.ndarray  # (N, 2)
    method: str


def embed(points: np.ndarray, method: str = "auto") -> Embedding:
    """Place points (N, F), which must be finite, in two dimensions, by the method "t-SNE", "PCA" or "auto".

    "auto" is t-SNE (van der Maaten & Hinton 2008) where scikit-learn is installed and there are at least five
    points that are not all the same, PCA otherwise. The same points give the same picture.

    Raises:
      ValueError: points that are not (N, F) or not finite, an unknown method, too few points for t-SNE.
      ModuleNotFoundError: t-SNE is asked for and scikit-learn is missing.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or 0 in points.shape:
        raise ValueError(f"points to embed must be (N, F), found the shape {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"points to embed must be finite, found {np.sum(~np.isfinite(points))} values that are not")
    if method not in METHODS:
        raise ValueError(f"the embedding must be one of {', '.join(METHODS)}, found {method!r}")
    if method == "t-SNE" and len(points) < LEAST_POINTS:
        raise ValueError(f"t-SNE needs at least {LEAST_POINTS} points, found {len(points)}")
    if method == "auto":
        possible = len(points) >= LEAST_POINTS and np.ptp(points, axis=0).any()
        method = "t-SNE" if possible and importlib.util.find_spec("sklearn") else "PCA"
    return Embedding(_tsne(points) if method == "t-SNE" else _pca(points), method)


def sample_points(count: int, most: int = 250, seed: int = 0) -> np.ndarray:
    """Draw at most `most` of `count` positions without repetition, in rising order.

    Take ΔC and ΔM at the same positions, so that their pairs stay together.
    """
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def measure_similarity(delta_c: np.ndarray, delta_m: np.ndarray) -> np.ndarray:
    """Return the mean over the features f of |cos(ΔC_f, ΔM_f)|, where ΔC_f and ΔM_f are vectors over the points.

    ΔC and ΔM `(..., points, features)` give `(...)`: 1 where they are proportional, 0 where they are orthogonal. When
    the points are the pixels of one case and the deltas have passed the adapter, this is the decoupling loss of
    PredRNN-V2 (Wang et al. 2022) for one step and layer. A feature that is zero everywhere counts as orthogonal.
    """
    delta_c, delta_m = np.asarray(delta_c, np.float64), np.asarray(delta_m, np.float64)
    lengths = np.linalg.norm(delta_c, axis=-2) * np.linalg.norm(delta_m, axis=-2)
    products = np.abs(np.sum(delta_c * delta_m, axis=-2))
    return np.mean(np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0), axis=-1)


def _pca(points: np.ndarray) -> np.ndarray:
    """Return the first two principal components (N, 2); zeros for a component along which the points do not vary."""
    components = fit_components(points, min(2, points.shape[1]))
    embedded = np.zeros((len(points), 2))
    embedded[:, : len(components.axes)] = project(components, points) * (components.explained > 0)
    return embedded


def _tsne(points: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    # Scaled, because the constants of the algorithm suit values about 1.
    points = (points - points.mean(axis=0)) / (points.std() or 1.0)
    start = _pca(points)
    start *= 1e-4 / (start[:, 0].std() or 1.0)  # the size that scikit-learn's own PCA start has
    tsne = TSNE(2, perplexity=perplexity, init=start, learning_rate="auto", random_state=0)
    with threadpool_limits(1):  # for so few points threads only wait for each other, up to tenfold
        return tsne.fit_transform(points)
