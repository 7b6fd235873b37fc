"""Paths of strain (xx, yy, xy with engineering shear) for a material to follow."""

import numpy as np

PATH_TYPES = ("canonical", "proportional", "gaussian")


def list_canonical() -> np.ndarray:
    """Return the 18 directions (18, 3) with one component, or two equal ones: uniaxial, shear, biaxial and mixed."""
    signs = np.indices((3, 3, 3)).reshape(3, -1).T - 1.0
    count = np.abs(signs).sum(1)
    directions = np.concatenate([signs[count == 1], signs[count == 2]])
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def make_strain_path(path_type: str, number: int, length: int, max_strain: float, seed: int) -> np.ndarray:
    """Make path `number` of a seed, (length, 3); the first step is already strained.

    A "canonical" path goes evenly to `max_strain` in a direction of `list_canonical`. A "proportional" path goes in a
    random direction; it goes a part of the way back and forth again. On a "gaussian" path every component is a smooth
    Gaussian process that starts at zero, with a correlation length from a tenth to a half of the path; the largest norm
    is `max_strain`.
    """
    times = np.arange(1, length + 1) / length
    rng = np.random.default_rng([seed, PATH_TYPES.index(path_type), number])
    if path_type == "canonical":
        return max_strain * times[:, None] * list_canonical()[number]
    if path_type == "proportional":
        direction = rng.normal(size=3)
        direction *= max_strain / np.linalg.norm(direction)
        turn, back = rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.9)
        way = np.interp(times * (1 + 2 * turn * back), [0, turn, turn * (1 + back), 1 + 2 * turn * back],
                        [0, turn, turn * (1 - back), 1])  # fmt: skip
        return way[:, None] * direction
    points = np.append(0.0, times)
    values = [_draw_process(points, rng.uniform(0.1, 0.5), rng) for _ in range(3)]
    strain = np.stack(values, 1)[1:]
    return strain * max_strain / np.linalg.norm(strain, axis=1).max()


def _draw_process(points: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a Gaussian process with the covariance exp(-d^2 / 2 scale^2) that is zero at the first point."""
    covariance = np.exp(-(((points[:, None] - points) / scale) ** 2) / 2)
    covariance -= np.outer(covariance[:, 0], covariance[0])
    values, vectors = np.linalg.eigh(covariance)
    return vectors @ (np.sqrt(np.maximum(values, 0)) * rng.normal(size=len(points)))
