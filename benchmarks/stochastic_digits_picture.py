"""The picture of `stochastic_digits.py`: CRPS, spread against error and rank histograms, above futures and members."""

import os

import numpy as np

from predjax.pictures.figures import new_figure, save_png
from predjax.pictures.lead_times import COLOURS, MARKERS, style_axes
from predjax.pictures.panels import FAINT, INK, place_axes, place_text

DPI = 140
SIDE, GAP = 400, 120  # pixels of a panel, and between two
LEFT, TOP, BELOW = 90, 50, 80
FRAME, SHOWN = 64, 3  # pixels of a frame; futures and members of the case that is drawn
LABELS = {"crps": "network, --loss crps --noise 0.1", "mse": "network, one forecast", "truth": "drawn from the truth"}
SHORT = {"crps": "network", "truth": "truth"}


def draw_calibration(path: str | os.PathLike, observed: np.ndarray, forecasts: dict, scores: dict) -> None:
    """Draw scores by (forecast, side of squares), and one case of frames (case, member, T, H, W, 1)."""
    lower = TOP + SIDE + BELOW + 40
    figure = new_figure(LEFT + 3 * (SIDE + GAP), lower + SHOWN * FRAME + 30, DPI)
    axes = [place_axes(figure, LEFT + number * (SIDE + GAP), TOP, SIDE, SIDE) for number in range(3)]
    titles = "CRPS (of one forecast: MAE)", "spread / error of the mean", "rank histogram, all lead times"
    below = "frame ahead", "frame ahead", "rank of the observation"
    for one, title, text in zip(axes, titles, below):
        style_axes(one)
        one.set_xlabel(text, fontsize=7.5, color=FAINT)
        one.set_title(title, fontsize=9, color=INK, loc="left")
    leads = np.arange(1, len(scores["truth", 1]["crps"]) + 1)
    for number, name in enumerate(LABELS):
        style = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 3.4, "linewidth": 1.3}
        axes[0].plot(leads, scores[name, 1]["crps"], label=LABELS[name], **style)
    shown = [("truth", 1), *((name, side) for name, side in scores if name == "crps")]
    for (name, side), line in zip(shown, ("-", "-", "--", ":")):
        number, what = list(LABELS).index(name), f", means of {side} x {side} pixels" if side > 1 else ", pixels"
        style = {"color": COLOURS[number], "linestyle": line, "linewidth": 1.3, "label": SHORT[name] + what}
        axes[1].plot(leads, scores[name, side]["spread_ratio"], **style)
        ranks = scores[name, side]["rank_histogram"].mean(0)
        axes[2].stairs(ranks * len(ranks), np.arange(len(ranks) + 1) - 0.5, **style)
    for one in axes[1:]:
        one.axhline(1, color=FAINT, linewidth=1)
    for one in axes[:2]:
        one.set_xticks(leads)
    axes[2].set_xticks(range(0, len(ranks), 4))
    for one, place in zip(axes, ((0.03, 0.3), "lower right", "upper right")):
        one.set_ylim(bottom=0)
        one.legend(loc=place, fontsize=7, frameon=False, labelcolor=INK)

    case = forecasts["truth"].var(axis=1).sum((1, 2, 3, 4)).argmax()  # the least certain one
    for number, name in enumerate(("truth", "crps", "mse")):
        left = LEFT + number * (SIDE + GAP)
        place_text(figure, left, lower - 24, LABELS[name], size=8)
        for row, frames in enumerate(forecasts[name][case, :SHOWN]):
            for lead, frame in enumerate(frames[..., 0]):
                one = place_axes(figure, left + lead * (FRAME + 2), lower + row * (FRAME + 2), FRAME, FRAME)
                one.imshow(frame, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
                one.set(xticks=[], yticks=[])
    left, count = LEFT + 2 * (SIDE + GAP), forecasts["truth"].shape[2]
    seen = observed[case, : observed.shape[1] - count, :, :, 0]
    place_text(figure, left, lower + 2 * FRAME - 16, f"the {len(seen)} frames observed", size=8)
    for place, frame in enumerate(seen):
        one = place_axes(figure, left + place * (FRAME + 2), lower + 2 * (FRAME + 2), FRAME, FRAME)
        one.imshow(frame, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        one.set(xticks=[], yticks=[])
    save_png(figure, path, overwrite=True)
