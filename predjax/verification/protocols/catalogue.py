"""The published protocols by name, and their application in a verification."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.verification.fields import Scoring
from predjax.verification.protocols import openstl, predrnn, sevir
from predjax.verification.protocols.frames import FrameScore, average_frames, sum_frames

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Protocol(NamedTuple):
    """A published protocol: a line about its scores, its source, and its scores of frames on [0, 1], if it has any.

    A protocol without scores of frames counts events in the unit of the data.
    """

    rule: str
    source: str
    list_scores: Callable[[Distance | None], Mapping[str, FrameScore]] | None = None


PROTOCOLS = {
    "predrnn": Protocol(predrnn.RULE, predrnn.SOURCE, predrnn.list_scores),
    "openstl": Protocol(openstl.RULE, openstl.SOURCE, openstl.list_scores),
    "sevir": Protocol(sevir.RULE, sevir.SOURCE),
}


@dataclass(frozen=True)
class Published:
    """A protocol for the data of a verification.

    Attributes:
      name: one of PROTOCOLS.
      scaling: a `Scaling` that brings frames to [0, 1]; not used where events are counted.
      thresholds: of events, in the unit of the data; empty: those of SEVIR.
      lpips: measures LPIPS of frames (case, H, W, C); None: it is left out.

    Errors: ValueError, observed frames that are not on [0, 1] and have no scaling.
    """

    name: str
    scaling: Any
    thresholds: tuple[float, ...] = ()
    lpips: Distance | None = None

    def measure(self, forecast: np.ndarray, observed: np.ndarray, scoring: Scoring) -> xr.Dataset:
        """Return the additive sums of cases (case, T, H, W, C), or of the mean of an ensemble (case, member, ...)."""
        forecast = forecast.mean(1) if forecast.ndim == 6 else forecast
        make = PROTOCOLS[self.name].list_scores
        if make is None:
            return sevir.count_events(forecast, observed, scoring, self.thresholds or sevir.THRESHOLDS)
        self._check_range(observed)
        f, o = (self.scaling.scale(frames.astype(np.float64)) for frames in (forecast, observed))
        return sum_frames(f, o, scoring, make(self.lpips))

    def _check_range(self, observed: np.ndarray) -> None:
        known = observed[np.isfinite(observed)]
        if self.scaling.kind == "none" and known.size and not (known.min() >= -1e-3 and known.max() <= 1.001):
            rule = f"protocol {self.name} needs frames on [0, 1]: give a --checkpoint, whose scaling brings them there"
            raise ValueError(f"{rule}; found {known.min():g} to {known.max():g}")

    def score(self, statistics: xr.Dataset) -> xr.Dataset:
        """Return the scores of summed statistics, with the protocol as attributes."""
        protocol = PROTOCOLS[self.name]
        scores = average_frames(statistics) if protocol.list_scores else sevir.score_events(statistics)
        scaled = {"scaling": str(self.scaling)} if protocol.list_scores else {}
        return scores.assign_attrs(protocol=self.name, rule=protocol.rule, source=protocol.source, **scaled)
