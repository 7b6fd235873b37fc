"""Spectra, eigenmodes and linear readouts of series whose timescales are known."""

import numpy as np
import pytest

from predjax.analysis.timescales import find_eigenmodes, find_periods, find_spectrum, score_readout

READOUT = np.array([[1.0], [-2.0], [0.5]])


def rotate(period, modulus=1.0):
    angle = 2 * np.pi / period
    return modulus * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def mixed_dynamics():
    """Two rotations, two real eigenvalues, of which one is negative, behind a random change of coordinates."""
    blocks = np.zeros((6, 6))
    blocks[:2, :2], blocks[2:4, 2:4] = rotate(12, 0.9), rotate(60)
    blocks[4, 4], blocks[5, 5] = 0.5, -0.7
    basis = np.random.default_rng(0).normal(size=(6, 6))
    return basis @ blocks @ np.linalg.inv(basis), basis


def test_a_spectrum_has_its_peaks_at_the_periods():
    time = np.arange(600)
    series = [
        np.stack([3 + np.sin(2 * np.pi * time / 60 + phase), 5 * np.cos(2 * np.pi * time / 12), 0 * time], -1)
        for phase in (0, 1)
    ]
    spectrum = find_spectrum([series[0], np.concatenate([series[1], np.zeros((50, 3))])])  # cut to the shortest
    assert spectrum.periods[0] == 600 and spectrum.periods[-1] == 2
    np.testing.assert_allclose(spectrum.dominant[:2], [60, 12])
    np.testing.assert_allclose(spectrum.power.sum(0), [1, 1, 0])
    near = np.abs(600 / spectrum.periods - 10) < 1.5
    assert spectrum.power[near, 0].sum() > 0.99


def test_white_noise_is_as_strong_at_every_period():
    noise = np.random.default_rng(0).normal(size=(200, 128, 1))
    power = find_spectrum(list(noise)).power[1:-1, 0]
    np.testing.assert_allclose(power, 1 / 64, rtol=0.4)


def test_eigenmodes_move_for_themselves():
    matrix, basis = mixed_dynamics()
    modes = find_eigenmodes(matrix)
    np.testing.assert_allclose(modes.periods, [np.inf, 60, 12, 2], rtol=1e-9)
    np.testing.assert_allclose(modes.moduli, [0.5, 1, 0.9, 0.7], rtol=1e-9)
    assert modes.owners.tolist() == [0, 1, 1, 2, 2, 3]
    blocks = modes.project @ matrix @ np.linalg.inv(modes.project)
    apart = modes.owners[:, None] != modes.owners
    np.testing.assert_allclose(blocks[apart], 0, atol=1e-9)
    for mode, modulus in enumerate(modes.moduli):
        block = blocks[np.ix_(modes.owners == mode, modes.owners == mode)]
        np.testing.assert_allclose(np.abs(np.linalg.eigvals(block)), modulus, rtol=1e-9)
    # The coordinates of a mode are blind to all others: they see its own part of a mixture alone.
    seen = modes.project @ basis
    np.testing.assert_allclose(seen[1:3, [0, 1, 4, 5]], 0, atol=1e-9)


def test_periods_of_many_matrices():
    matrices = np.stack([rotate(10), rotate(40), 2 * np.eye(2)])
    np.testing.assert_allclose(find_periods(matrices), [[10, 10], [40, 40], [np.inf, np.inf]], rtol=1e-9)


def test_a_readout_explains_what_the_codes_hold_in_series_it_has_not_seen():
    rng = np.random.default_rng(0)
    codes = [rng.normal(size=(300, 3)) for _ in range(3)]
    noise = [rng.normal(size=(300, 1)) for _ in range(3)]
    states = [np.concatenate([code @ READOUT + 2, code[:, :1] + one, one], 1) for code, one in zip(codes, noise)]
    scores = score_readout(codes, states)
    np.testing.assert_allclose(scores, [1, 0.5, 0], atol=0.06)
    assert scores[2] < 0  # what the fit owes to chance counts against it


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: find_spectrum([]), "at least 4 steps, the shortest has 0"),
        (lambda: find_spectrum([np.zeros((3, 1))]), "at least 4 steps, the shortest has 3"),
        (lambda: find_spectrum([np.full((9, 1), np.nan)]), "values must be finite, found 9"),
        (lambda: score_readout([np.zeros((5, 1))], [np.zeros((5, 1))]), "two or more series"),
        (
            lambda: score_readout([np.zeros((5, 1))] * 2, [np.zeros((4, 1))] * 2),
            r"found lengths \[\[5, 5\], \[4, 4\]\]",
        ),
    ],
)
def test_what_has_no_timescales_is_refused(call, reason):
    with pytest.raises(ValueError, match=reason):
        call()
