"""The CSI of SEVIR against its definition written down once more."""

import numpy as np
import pytest

from predjax.models.scaling import Scaling
from predjax.verification.fields import Scoring
from predjax.verification.protocols.catalogue import Published
from predjax.verification.protocols.sevir import THRESHOLDS, count_events
from predjax.verification.sums import add_statistics


def fields():
    draw = np.random.default_rng(0)
    observed = draw.integers(0, 255, (2, 2, 20, 18)).astype(np.float32)
    forecast = np.clip(observed + draw.normal(0, 60, observed.shape), 0, 254).astype(np.float32)
    observed[0, 0, 3, 4] = forecast[1, 1, 5:9, 0:4] = np.nan
    return forecast, observed


def csi_by_hand(forecast, observed, threshold, side):
    hits = events = 0
    for f, o in zip(forecast.reshape(-1, 20, 18), observed.reshape(-1, 20, 18), strict=True):
        for row in range(0, 20, side):
            for column in range(0, 18, side):
                a, b = (field[row : row + side, column : column + side].ravel() for field in (f, o))
                known = [(x, y) for x, y in zip(a, b, strict=True) if not np.isnan(x) and not np.isnan(y)]
                if known:
                    x, y = max(x for x, _ in known) >= threshold, max(y for _, y in known) >= threshold
                    hits, events = hits + (x and y), events + (x or y)
    return hits / events


def test_csi_is_that_of_the_counts_of_all_frames():
    forecast, observed = fields()
    published = Published("sevir", Scaling())
    scores = published.score(published.measure(forecast[..., None], observed[..., None], Scoring()))
    assert scores["level"].values.tolist() == [16, 74, 133, 160, 181, 219]
    for pool in (1, 4, 16):
        expected = [csi_by_hand(forecast, observed, threshold, pool) for threshold in THRESHOLDS]
        np.testing.assert_allclose(scores["csi_all"].sel(pool=pool), expected, rtol=1e-6)
        assert scores["csi_m"].sel(pool=pool).item() == pytest.approx(np.mean(expected), rel=1e-6)
    leads = [[csi_by_hand(forecast[:, lead], observed[:, lead], t, 1) for t in THRESHOLDS] for lead in range(2)]
    assert scores["csi_frames"].sel(pool=1).item() == pytest.approx(np.mean(leads), rel=1e-6)


def test_counts_add_and_the_members_of_an_ensemble_are_averaged():
    forecast, observed = (field[..., None] for field in fields())
    whole = count_events(forecast, observed, Scoring(), (74,))
    parts = [count_events(forecast[part], observed[part], Scoring(), (74,)) for part in (slice(1), slice(1, None))]
    assert add_statistics(*parts).equals(whole)
    members = np.stack([forecast - 5, forecast + 5], axis=1)
    assert Published("sevir", Scaling(), (74,)).measure(members, observed, Scoring()).equals(whole)
