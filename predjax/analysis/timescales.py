"""Timescales of series: power spectra, the eigenmodes of a linear map, and which states a linear readout finds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Spectrum(NamedTuple):
    """The power `(P, F)` of F features at P periods (in steps, longest first).

    The powers of a feature sum to 1, or to 0 where the feature is constant.
    """

    periods: np.ndarray
    power: np.ndarray

    @property
    def dominant(self) -> np.ndarray:
        """The period at which each feature has most power, `(F,)`."""
        return self.periods[self.power.argmax(0)]


class Eigenmodes(NamedTuple):
    """The eigenmodes of a real matrix V `(R, R)`, from the slowest to the fastest; a complex pair is one mode.

    z = project @ r are the real coordinates of r in the modes: one for a real eigenvalue, two for a pair. V acts on
    each mode separately: project V = blocks project, where each block has 1 or 2 rows.
    """

    periods: np.ndarray  # in steps, 2 pi / |arg(lambda)|; infinite for a positive eigenvalue
    moduli: np.ndarray  # |lambda|: growth in a step
    owners: np.ndarray  # (R,), the mode of each row of `project`
    project: np.ndarray  # (R, R)


def find_spectrum(series: Sequence[np.ndarray]) -> Spectrum:
    """Return the mean periodogram of series `(T, F)`, each without its mean and under a Hann window.

    Series of different lengths are cut to the shortest, whose length is the longest period. Errors: ValueError for no
    series, fewer than 4 steps, and values that are not finite.
    """
    steps = min((len(one) for one in series), default=0)
    if steps < 4:
        raise ValueError(f"a spectrum needs series of at least 4 steps, the shortest has {steps}")
    values = np.stack([np.asarray(one[:steps], np.float64) for one in series])
    if not np.isfinite(values).all():
        raise ValueError(f"values must be finite, found {np.sum(~np.isfinite(values))} that are not")
    values = (values - values.mean(1, keepdims=True)) * np.hanning(steps)[:, None]
    power = np.square(np.abs(np.fft.rfft(values, axis=1))).mean(0)[1:]
    total = power.sum(0)
    return Spectrum(steps / np.arange(1, len(power) + 1), power / np.where(total > 0, total, 1.0))


def find_periods(matrices: np.ndarray) -> np.ndarray:
    """Return the periods 2 pi / |arg(lambda)| `(..., R)` of the eigenvalues lambda of matrices `(..., R, R)`.

    The period of a positive eigenvalue is infinite.
    """
    return _measure_periods(np.linalg.eigvals(matrices))


def _measure_periods(values: np.ndarray) -> np.ndarray:
    angles = np.abs(np.angle(values))
    return np.divide(2 * np.pi, angles, out=np.full(angles.shape, np.inf), where=angles > 0)


def find_eigenmodes(matrix: np.ndarray) -> Eigenmodes:
    """Find the eigenmodes of a real matrix, by eigenvectors of length 1 whose largest component is real and positive.

    Errors: LinAlgError where the eigenvectors do not span the space (a Jordan block).
    """
    values, vectors = np.linalg.eig(np.asarray(matrix, np.float64))
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0)
    left = np.linalg.inv(vectors * np.abs(largest) / largest)
    kept = np.flatnonzero(values.imag >= 0)
    kept = kept[np.argsort(np.abs(np.angle(values[kept])), kind="stable")]
    rows, owners = [], []
    for number, mode in enumerate(kept):
        parts = [left[mode].real, left[mode].imag] if values[mode].imag > 0 else [left[mode].real]
        rows += parts
        owners += [number] * len(parts)
    return Eigenmodes(_measure_periods(values[kept]), np.abs(values[kept]), np.array(owners), np.array(rows))


def score_readout(codes: Sequence[np.ndarray], states: Sequence[np.ndarray]) -> np.ndarray:
    """Score how well codes `(T, R)` predict each state `(T, S)` of a series by a linear map fitted to all other series.

    Returns R^2 = 1 - sum of squared errors / sum of squared deviations from the mean, `(S,)`, over all series. The maps
    are least squares with a constant. Errors: ValueError for fewer than two series, and for series of codes and states
    that do not fit.
    """
    if len(codes) < 2 or [len(one) for one in codes] != [len(one) for one in states]:
        lengths = [[len(one) for one in many] for many in (codes, states)]
        raise ValueError(f"a readout needs two or more series of codes and states alike, found lengths {lengths}")
    inputs = [np.concatenate([one, np.ones((len(one), 1))], 1, dtype=np.float64) for one in codes]
    errors = []
    for number, (own, truth) in enumerate(zip(inputs, states)):
        others = [i for i in range(len(inputs)) if i != number]
        rest = np.concatenate([inputs[i] for i in others]), np.concatenate([states[i] for i in others])
        errors.append(truth - own @ np.linalg.lstsq(*rest, rcond=None)[0])
    every = np.concatenate(states)
    return 1 - np.square(np.concatenate(errors)).sum(0) / np.square(every - every.mean(0)).sum(0)
