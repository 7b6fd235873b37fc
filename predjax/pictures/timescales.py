"""The timescales of a series: power spectra of features and latent states, and the periods of the dynamics."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from predjax.analysis.timescales import Eigenmodes, Spectrum
from predjax.pictures.figures import new_figure
from predjax.pictures.latents import CYCLE
from predjax.pictures.lead_times import style_axes
from predjax.pictures.panels import FAINT, INK, place_axes, place_title
from predjax.pictures.spectra import mark_decades

DPI = 130
LEFT, HEAD, WIDTH, HEIGHT, ACROSS, DOWN, FOOT = 72, 72, 330, 240, 66, 62, 50  # pixels
DECADES, HEADROOM = 4.5, 0.6  # powers of ten below the highest peak, and above it for a row of the legend
MOST_NAMES = 8  # of modes, the slowest, in the legend
BINS = 60
WIDEST = 1.03  # ratio of the longest and the shortest period whose powers are averaged to one point of a line
PANELS = {
    "x": "observed x",
    "r": "latent states r",
    "z": "eigenmodes of the mean V",
    "r2": "slow latent states r2",
    "w": "weights of the dynamics w",
}


def plot_timescales(
    spectra: Mapping[str, Spectrum], modes: Eigenmodes, periods: np.ndarray, *, title: str = ""
) -> Figure:
    """Draw six panels over the period in steps, slow on the left: five spectra, and the histogram of V's periods.

    Dotted lines mark the finite periods of the modes in every panel.

    Args:
      spectra: the spectra of x, r, z, r2 and w, with the same periods; z has the coordinates of `modes`.
      modes: the eigenmodes of the mean V.
      periods: the periods of the eigenvalues of V at all steps, of any shape. Infinite ones and those slower than the
        spectra are not drawn, but counted.
    """
    rows = 2
    width, height = LEFT + 3 * WIDTH + 2 * ACROSS + 20, HEAD + rows * HEIGHT + DOWN + FOOT
    figure = new_figure(width, height, DPI)
    slowest, fastest = spectra["x"].periods[0], spectra["x"].periods[-1]
    for number, name in enumerate((*PANELS, "")):
        row, column = divmod(number, 3)
        axes = place_axes(figure, LEFT + column * (WIDTH + ACROSS), HEAD + row * (HEIGHT + DOWN), WIDTH, HEIGHT)
        style_axes(axes)
        axes.set_xscale("log")
        axes.set_xlim(slowest, fastest)
        for period in modes.periods[np.isfinite(modes.periods)]:
            axes.axvline(period, color=FAINT, linewidth=0.8, linestyle=":", zorder=1)
        if name:
            _draw_spectrum(axes, spectra[name], modes if name == "z" else None)
            axes.set_ylabel("share of the variance", fontsize=7, color=FAINT, labelpad=1)
        else:
            _draw_periods(axes, periods, slowest, fastest)
        axes.set_title(PANELS.get(name, "periods of V at all steps"), fontsize=8, color=INK, pad=4, loc="left")
        mark_decades(axes)
        axes.tick_params(labelsize=6.5)
        if row == rows - 1:
            axes.set_xlabel("period (time steps)", fontsize=7.5, color=INK, labelpad=2)
    place_title(figure, 12, title, margin=40 / DPI)
    return figure


def _draw_spectrum(axes: Axes, spectrum: Spectrum, modes: Eigenmodes | None) -> None:
    """Draw a line for each feature. Lines of one mode share a colour, and its period and growth are in the legend."""
    for number, power in enumerate(spectrum.power.T):
        owner = number if modes is None else modes.owners[number]
        style: dict[str, Any] = {"color": CYCLE[owner % len(CYCLE)], "linewidth": 0.9}
        if modes is not None and owner < MOST_NAMES and (number == 0 or modes.owners[number - 1] != owner):
            period = modes.periods[owner]
            name = f"{period:.3g} steps" if np.isfinite(period) else "no rotation"
            style["label"] = f"{name}, |λ| {modes.moduli[owner]:.2f}"
        axes.plot(*_join(spectrum.periods, power), **style)
    axes.set_yscale("log")
    top = spectrum.power.max()
    rows = 0 if modes is None else -(-min(len(modes.periods), MOST_NAMES) // 2)
    if top > 0:
        axes.set_ylim(top * 10**-DECADES, top * (3 if modes is None else 10 ** (HEADROOM * rows + 0.2)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if modes is not None:
        style = {"fontsize": 6, "labelcolor": INK, "handlelength": 1.2, "columnspacing": 1.0, "borderaxespad": 0.2}
        axes.legend(ncols=2, loc="upper right", edgecolor="none", framealpha=1, **style)


def _join(periods: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbouring points that a line has no room for: logarithms of periods, and powers; 0 becomes NaN."""
    groups = np.floor(np.log(periods[0] / periods) / np.log(WIDEST) + 1e-9).astype(int)
    _, groups = np.unique(groups, return_inverse=True)
    counts = np.bincount(groups)
    means = np.bincount(groups, power) / counts
    return np.exp(np.bincount(groups, np.log(periods)) / counts), np.where(means > 0, means, np.nan)


def _draw_periods(axes: Axes, periods: np.ndarray, slowest: float, fastest: float) -> None:
    periods = np.ravel(periods)
    shown = periods[(periods >= fastest) & (periods <= slowest)]
    edges = np.geomspace(fastest, slowest, BINS + 1)
    counts, _ = np.histogram(shown, edges)
    axes.stairs(100 * counts / max(len(periods), 1), edges, fill=True, color=CYCLE[0], zorder=2)
    axes.set_ylim(0, 125 * max(counts.max() / max(len(periods), 1), 0.01))
    axes.set_ylabel("share of the eigenvalues (%)", fontsize=7, color=FAINT, labelpad=1)
    left_out = f"{1 - len(shown) / max(len(periods), 1):.0%} rotate slower\nor not at all"
    axes.text(0.98, 0.97, left_out, transform=axes.transAxes, ha="right", va="top", fontsize=6.5, color=FAINT)
