"""Fields and scores that several tests of the verification share."""

import numpy as np

from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics

LEADS = [5, 10, 15]


def random_fields(dtype=np.float32, cases=6, steps=3):
    """A forecast and an observation (case, T, 24, 20, 2), each with a tenth of its pixels missing."""
    rng = np.random.default_rng(1)
    forecast, observed = rng.gamma(0.3, 3.0, (2, cases, steps, 24, 20, 2)).astype(dtype)
    forecast[rng.random(forecast.shape) < 0.1] = np.nan
    observed[rng.random(observed.shape) < 0.1] = np.nan
    return forecast, observed


def scored(error, *, thresholds=(0.5, 99.0), **options):
    """Scores of a forecast that is off by `error` (one number a lead time) on rain of 0, 1, 2, 3."""
    observed = np.tile(np.arange(4.0).reshape(1, 1, 2, 2, 1), (2, len(error), 1, 1, 1))
    forecast = observed + np.asarray(error, float)[:, None, None, None]
    labels = {"lead_times": LEADS[: len(error)], "units": "mm/h"} | options
    return skill(statistics(forecast, observed, Scoring(thresholds, **labels)))
