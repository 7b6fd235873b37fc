"""The picture of a learning-rate range test."""

import os
import pathlib

import numpy as np

from predjax.files import refuse_existing
from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.lead_times import COLOURS, style_axes
from predjax.pictures.panels import INK

DPI = 130


def draw_rates(
    path: str | os.PathLike,
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    suggestion: float | None,
    *,
    overwrite: bool = False,
) -> None:
    """Draw losses and their running mean `(N,)` against the learning rate, and mark the suggested rate (PNG).

    Errors: FileExistsError, `path` exists and `overwrite` is False.
    """
    refuse_existing(pathlib.Path(path), overwrite)
    figure = new_figure(6.4 * DPI, 3.9 * DPI, DPI)
    axes = figure.add_axes((0.115, 0.135, 0.855, 0.82))
    style_axes(axes)
    axes.plot(rates, losses, color=COLOURS[0], linewidth=0.7, alpha=0.4, label="loss")
    axes.plot(rates, smoothed, color=COLOURS[0], linewidth=1.5, label="running mean")
    if suggestion is not None:
        label = f"falls fastest at {suggestion:.1e}"
        axes.axvline(suggestion, color=COLOURS[1], linewidth=1.2, linestyle="--", label=label)
    axes.set_xscale("log")
    axes.set_xlabel("learning rate", fontsize=8, color=INK)
    axes.set_ylabel("training loss", fontsize=8, color=INK)
    axes.legend(loc="best", fontsize=7.5, frameon=True, framealpha=0.9, edgecolor="none", labelcolor=INK)
    save_png(figure, path, overwrite=overwrite)
