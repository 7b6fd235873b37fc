"""The latent view of a series over time: features, latent states, weights of the dynamics, and modes."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from predjax.pictures.figures import new_figure
from predjax.pictures.lead_times import style_axes
from predjax.pictures.panels import INK, place_title

DPI = 130
MOST_FEATURES = 3
LEFT, WIDTH, HEAD, PANEL, STRIP, GAP, FOOT = 0.75, 8.4, 0.42, 1.15, 0.2, 0.16, 0.45  # inches
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#000000")  # Okabe & Ito (2008)


def plot_latents(latents: Mapping[str, np.ndarray], modes: Mapping[str, np.ndarray], *, title: str = "") -> Figure:
    """Draw panels over time steps: x with x_bar, r, r2 and w, each `(T, size)`, and below strips of modes `(T,)`."""
    panels = {"x, and dashed as predicted a step before": "x", "r": "r", "r2": "r2", "w": "w"}
    height = HEAD + len(panels) * (PANEL + GAP) + len(modes) * (STRIP + 0.06) + FOOT
    width = LEFT + WIDTH + 0.15
    figure = new_figure(width * DPI, height * DPI, DPI)
    steps, top = len(latents["x"]), height - HEAD
    for label, name in panels.items():
        axes = figure.add_axes((LEFT / width, (top - PANEL) / height, WIDTH / width, PANEL / height))
        style_axes(axes)
        for number, values in enumerate(latents[name].T[: MOST_FEATURES if name == "x" else None]):
            colour = CYCLE[number % len(CYCLE)]
            axes.plot(values, color=colour, linewidth=0.9)
            if name == "x":
                axes.plot(latents["x_bar"][:, number], color=colour, linewidth=0.9, linestyle=(0, (3, 2)), alpha=0.7)
        axes.set(xlim=(0, steps - 1))
        axes.set_ylabel(name, fontsize=8, color=INK)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(labelbottom=False)
        if label != name:
            axes.set_title(label, fontsize=7, color=INK, pad=2, loc="right")
        top -= PANEL + GAP
    for number, (name, values) in enumerate(modes.items()):
        axes = figure.add_axes((LEFT / width, (top - STRIP) / height, WIDTH / width, STRIP / height))
        colours = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in CYCLE])
        axes.imshow(
            colours[values % len(CYCLE)][None], aspect="auto", extent=(-0.5, steps - 0.5, 0, 1), interpolation="none"
        )
        axes.set(xlim=(0, steps - 1), yticks=[])
        axes.set_ylabel(name.replace(" ", "\n"), fontsize=6, color=INK, rotation=0, ha="right", va="center", labelpad=4)
        axes.tick_params(labelsize=7, labelbottom=number == len(modes) - 1, labelcolor=INK, length=2)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        top -= STRIP + 0.06
    axes.set_xlabel("time step", fontsize=7.5, color=INK, labelpad=2)
    place_title(figure, 0.06 * DPI, title, margin=0.4)
    return figure
