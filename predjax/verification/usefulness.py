"""The judgement whether a forecast may be used: is it better than others and useful, by threshold and lead time?"""

from typing import Any

import numpy as np
import xarray as xr

STATES = ("better and useful", "perhaps better", "useful", "not useful", "no event", "reference")
DIMS = ("method", "lead_time", "threshold")


def judge_usefulness(comparison: xr.Dataset, reference: str) -> xr.Dataset:
    """Return whether each method may be used, from the scores of all methods on the common pixels.

    A single forecast is useful where its FSS is above `fss_useful` in one of the windows; methods are compared by the
    FSS of the smallest such window, or of the largest window where none is useful. An ensemble is useful where its
    probabilities tell more than the observed frequency alone: the reliability part of its Brier score is below the
    resolution part (Murphy 1973), so that the score is below the uncertainty part. Methods are then compared by the
    fair Brier score, in which a single forecast is a probability of 0 or 1.

    Args:
      comparison: the scores of `measure.score` by method, with the verdicts of `bootstrap` on fss and brier.
      reference: the method that the verdicts refer to.

    Returns:
      Over (method, lead_time, threshold); no variables for data without FSS:
      use: one of STATES. "better and useful": useful, no other method has a better score, and the difference to the
      reference is resolved; "perhaps better": the same, but not resolved; "useful": another method has as good a score
      or a better one; "not useful"; "no event": none was observed; "reference" for the reference.
      use_window: the side of the smallest useful window in pixels; 0 for an ensemble, or where there is none.
      use_rival: the best of the other methods.
    """
    if "fss" not in comparison or not comparison["fss"].size:
        return xr.Dataset()
    methods = comparison["method"].values.astype(str)
    data = comparison.transpose(*DIMS, "window", ...).sortby("window")
    happened = (data["hits"] + data["misses"]).values > 0
    states, windows, rivals = [], [], []
    for number, method in enumerate(methods):
        judge = _judge_probabilities if data["members"].values[number] > 1 else _judge_windows
        useful, gains, verdict, window = judge(data, number)
        others = np.where(np.isnan(gains), -np.inf, gains)
        others[number] = -np.inf
        conditions = [
            ~happened[number],
            np.full(useful.shape, method == reference),
            ~useful,
            ~(gains[number] > others.max(axis=0)),
            verdict != "resolved",
        ]
        names = ("no event", "reference", "not useful", "useful", "perhaps better")
        states.append(np.select(conditions, names, "better and useful"))
        windows.append(np.where(useful & happened[number], window, 0))
        rivals.append(methods[others.argmax(axis=0)])
    found: dict[str, tuple[Any, str]] = {
        "use": (states, f"may the method be used: is it better than {reference} and all others, and useful"),
        "use_window": (windows, "side in pixels of the smallest window of the FSS that is useful; 0: none"),
        "use_rival": (rivals, "best of the other methods"),
    }
    return xr.Dataset({name: (DIMS, np.stack(values), {"long_name": text}) for name, (values, text) in found.items()})


def _judge_windows(data: xr.Dataset, number: int) -> tuple[np.ndarray, ...]:
    """Return by (lead_time, threshold): whether the FSS is useful, the FSS of all methods, the verdict, the window."""
    above = (data["fss"] > data["fss_useful"]).values[number]
    useful = above.any(axis=-1)
    place = np.where(useful, above.argmax(axis=-1), above.shape[-1] - 1)[..., None]
    gains = np.take_along_axis(data["fss"].values, place[None], axis=-1)[..., 0]
    verdict = np.take_along_axis(data["fss_verdict"].values[number], place, axis=-1)[..., 0]
    return useful, gains, verdict, data["window"].values[place[..., 0]]


def _judge_probabilities(data: xr.Dataset, number: int) -> tuple[np.ndarray, ...]:
    """Return the same as `_judge_windows`, with the negative Brier score and without a window."""
    useful = (data["brier_reliability"] < data["brier_resolution"]).values[number]
    return useful, -data["brier"].values, data["brier_verdict"].values[number], np.zeros(useful.shape, int)
