"""The picture of `ensembles.py`: CRPS against STEPS, rank histograms and reliability."""

import numpy as np
from ensemble_results import Scores, find_steps
from matplotlib.figure import Figure

from predjax.pictures.figures import new_figure
from predjax.pictures.lead_times import COLOURS, MARKERS, style_axes
from predjax.pictures.panels import FAINT, INK, place_axes, place_text

DPI = 140
SIDE, GAP = 420, 110  # pixels of a panel, and between two
LEFT, TOP, BELOW = 90, 50, 80


def draw_ensembles(scores: Scores, method: str) -> Figure:
    """Draw a method beside STEPS: the ratio of their CRPS by event, their rank histograms and their reliability.

    The rank histogram is the mean over events; the reliability diagram is of the sums of all events and lead times.
    """
    thresholds = next(iter(scores.values()))[method].threshold.values.tolist()
    count = 2 + len(thresholds)
    figure = new_figure(LEFT + count * (SIDE + GAP), TOP + SIDE + BELOW, DPI)
    axes = [place_axes(figure, LEFT + number * (SIDE + GAP), TOP, SIDE, SIDE) for number in range(count)]
    titles = [f"CRPS of {method} / STEPS", "rank histogram", *(f"{t:g} mm/h, all lead times" for t in thresholds)]
    for number, (one, title) in enumerate(zip(axes, titles)):
        style_axes(one)
        place_text(figure, LEFT + number * (SIDE + GAP), 18, title, size=9)
    labels = [("lead time (minutes)", "ratio"), ("rank of the observation", "share times number of ranks")]
    labels += [("forecast probability", "observed frequency")] * len(thresholds)
    for one, (below, beside) in zip(axes, labels):
        one.set_xlabel(below, fontsize=7.5, color=FAINT)
        one.set_ylabel(beside, fontsize=7.5, color=FAINT)

    steps = find_steps(scores)
    axes[0].axhline(1, color=FAINT, linewidth=1)
    for number, (event, by_method) in enumerate(scores.items()):
        ratio = by_method[method].crps / by_method[steps[event]].crps
        style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)], "markersize": 3.4}
        axes[0].plot(ratio.lead_time, ratio, label=event, linewidth=1.3, **style)
    axes[1].axhline(1, color=FAINT, linewidth=1)
    for edge in (0.7, 1.3):
        axes[1].axhline(edge, color=FAINT, linewidth=0.7, linestyle=":")
    for place, choose in enumerate((lambda event: method, lambda event: steps[event])):
        name, colour = (method, "STEPS")[place], COLOURS[place]
        chosen = [by_method[choose(event)] for event, by_method in scores.items()]
        shares = np.mean([one.rank_histogram for one in chosen], 0)
        axes[1].stairs(shares * len(shares), np.arange(len(shares) + 1) - 0.5, color=colour, label=name, linewidth=1.3)
        for panel, threshold in zip(axes[2:], thresholds):
            said, came = (sum(one[kind].sel(threshold=threshold) for one in chosen) for kind in ("said", "came"))
            probability = said.members_above / said.members_above[-1]
            style = {"color": colour, "marker": MARKERS[place], "markersize": 3.4, "linewidth": 1.3, "label": name}
            panel.plot(probability, came / said.where(said > 0), **style)
    axes[1].set_ylim(bottom=0)
    for panel in axes[2:]:
        panel.plot((0, 1), (0, 1), color=FAINT, linewidth=1)
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    for one in axes:
        one.legend(fontsize=7, frameon=False, labelcolor=INK)
    return figure
