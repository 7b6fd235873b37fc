"""The options of an ensemble: the number of its members, and the products made of them."""

import dataclasses
import math

from predjax.flags import flag
from predjax.messages import suggest

STATISTICS = ("members", "mean", "median", "matched")


@dataclasses.dataclass(frozen=True)
class EnsembleOptions:
    """The members of a forecast, and their products; every field is a command line flag.

    Raises:
      ValueError: a value outside its choices or its range.
    """

    members: int | None = flag(
        None, "to draw; of a checkpoint of several networks, to take (default: 1, of several networks all)", metavar="N"
    )
    seed: int = flag(0, "seed of the draws", metavar="N")
    statistic: tuple[str, ...] = flag(
        (), f"of the members, one or several of {', '.join(STATISTICS)} (default: members)", metavar="NAMES"
    )
    percentiles: tuple[float, ...] = flag((), "of the members, such as 10,50,90 (default: none)", metavar="X,X,...")
    probability: tuple[float, ...] = flag(
        (),
        "thresholds in the data's unit: how likely each is reached, by lead time (default: none)",
        metavar="X,X,...",
    )
    accumulation: tuple[float, ...] = flag(
        (),
        "thresholds in mm: how likely the rain of the next 15, 30 and 60 minutes reaches each (default: none)",
        metavar="X,X,...",
    )
    radius: float | None = flag(
        None, "both probabilities also for anywhere within this distance (default: at pixels alone)", metavar="KM"
    )

    def __post_init__(self) -> None:
        if self.members is not None and self.members < 1:
            raise ValueError(f"--members must be at least 1, not {self.members}")
        for name in self.statistic:
            if name not in STATISTICS:
                hint = suggest(name, STATISTICS)
                raise ValueError(f"--statistic must be of {', '.join(STATISTICS)}, not {name!r}{hint}")
        for percentile in self.percentiles:
            if not 0 <= percentile <= 100:
                raise ValueError(f"--percentiles must lie between 0 and 100, not {percentile:g}")
        for threshold in self.accumulation:
            if not 0 < threshold < math.inf:
                raise ValueError(f"--accumulation must be above 0 mm, not {threshold:g}")
        for threshold in self.probability:
            if not math.isfinite(threshold):
                raise ValueError(f"--probability must be a number, not {threshold:g}")
        if self.radius is not None and not 0 < self.radius < math.inf:
            raise ValueError(f"--radius must be above 0 km, not {self.radius:g}")
        if self.radius is not None and not (self.probability or self.accumulation):
            raise ValueError("--radius needs thresholds: give --probability or --accumulation")
        for name in ("statistic", "percentiles", "probability", "accumulation"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"--{name} names a value twice: {','.join(map(str, values))}")

    @property
    def product(self) -> str:
        """The first flag that asks for a product of several members; "" without any."""
        names = ("percentiles", "probability", "accumulation")
        if any(name != "members" for name in self.statistic):
            return "--statistic"
        return next((f"--{name}" for name in names if getattr(self, name)), "")
