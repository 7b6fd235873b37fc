"""The scaling of physical units to the network's [0, 1] and back, for arrays of numpy and of jax."""

import dataclasses
import math
from typing import Any, cast

KINDS = ("none", "linear", "dBZ", "rain_rate")
RAIN_FLOOR, RAIN_TOP = 0.1, 100.0  # mm/h: below 0.1 radars see noise; 100 mm/h is the usual cap of composites


@dataclasses.dataclass(frozen=True)
class Scaling:
    """A map from physical values x to scaled values s, which are about 0 to 1.

        none       s = x, for data that are already in [0, 1]
        linear     s = (x - low) / (high - low); low and high may be a number for each channel
        dBZ        as linear, but x below `low` (no echo) counts as `low`; the inverse gives at least `low`
        rain_rate  s = log(1 + R/low) / log(1 + high/low): decibels above the floor `low`, bent so that R = 0 is s = 0;
                   R below 0 counts as 0

    NaN passes through. Attributes: `units` of the physical side; `low` and `high` in those units.
    """

    kind: str = "none"
    low: float | tuple[float, ...] = 0.0
    high: float | tuple[float, ...] = 1.0
    units: str = "1"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"scaling {self.kind!r} is not one of {', '.join(KINDS)}")
        for name in ("low", "high"):
            if isinstance(getattr(self, name), list):  # as a checkpoint's JSON has it
                object.__setattr__(self, name, tuple(getattr(self, name)))
        starts, ends = (len(end) if isinstance(end, tuple) else 0 for end in (self.low, self.high))
        if starts != ends:
            raise ValueError(f"scaling needs as many ends as starts, got {self.low} and {self.high}")
        pairs = self.ranges
        for low, high in pairs:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"scaling range {low:g},{high:g} is not increasing")
        if isinstance(self.low, tuple) and self.kind != "linear":
            raise ValueError(f"scaling {self.kind} has one range for all channels, not {len(pairs)}")
        if self.kind == "rain_rate" and pairs[0][0] <= 0:
            raise ValueError(f"rain_rate scaling needs a floor above 0 mm/h, got {pairs[0][0]:g}")

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """One pair (low, high) for all channels, or one for each channel."""
        if isinstance(self.low, tuple) and isinstance(self.high, tuple):
            return list(zip(self.low, self.high, strict=True))
        return [cast(tuple[float, float], (self.low, self.high))]

    def __str__(self) -> str:
        shown = [f"{low:g}..{high:g}" for low, high in self.ranges]
        more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
        return f"{self.kind} {', '.join(shown[:4])}{more} {self.units}"

    def _ends(self, frames: Any) -> tuple[Any, Any]:
        """Return low and high; where channels have their own, as arrays of the kind of the frames."""
        if not isinstance(self.low, tuple):
            return self.low, self.high
        xp = frames.__array_namespace__()
        return xp.asarray(self.low, dtype=frames.dtype), xp.asarray(self.high, dtype=frames.dtype)

    @property
    def dry(self) -> float | tuple[float, ...]:
        """The physical value of s = 0."""
        return 0.0 if self.kind in ("none", "rain_rate") else self.low

    def scale(self, frames: Any) -> Any:
        """Turn physical values into scaled values of the same shape."""
        if self.kind == "none":
            return frames
        if self.kind == "rain_rate":
            xp = frames.__array_namespace__()
            low, high = self.ranges[0]
            return xp.log1p(xp.clip(frames, 0.0, None) / low) / math.log1p(high / low)
        if self.kind == "dBZ":
            frames = frames.__array_namespace__().clip(frames, self.low, None)
        low, high = self._ends(frames)
        return (frames - low) / (high - low)

    def unscale(self, scaled: Any, clip: bool = True) -> Any:
        """Turn scaled values into physical values; `clip` raises dBZ and rain rates to their least value."""
        if self.kind == "none":
            return scaled
        if self.kind == "linear":
            low, high = self._ends(scaled)
            return low + (high - low) * scaled
        xp = scaled.__array_namespace__()
        scaled = xp.clip(scaled, 0.0, None) if clip else scaled
        low, high = self.ranges[0]
        if self.kind == "dBZ":
            return low + (high - low) * scaled
        return low * xp.expm1(scaled * math.log1p(high / low))


def choose_scaling(units: str, dtype_on_disk: str = "", value_range: tuple[float, float] = (0.0, 1.0)) -> Scaling:
    """Return the scaling that fits data in `units`.

    dBZ: 0..60. mm/h: decibels above 0.1 mm/h, 1 at 100 mm/h. Without a unit, uint8 is scaled from 0..255 and values
    within [0, 1] are left as they are. Anything else is scaled from `value_range`, the smallest and the largest value
    of a sample.
    """
    if units == "dBZ":
        return Scaling("dBZ", 0.0, 60.0, units)
    if units == "mm/h":
        return Scaling("rain_rate", RAIN_FLOOR, RAIN_TOP, units)
    if dtype_on_disk == "uint8" and units == "1":
        return Scaling("linear", 0.0, 255.0, units)
    low, high = value_range
    if units == "1" and low >= 0 and high <= 1:
        return Scaling("none", 0.0, 1.0, units)
    return Scaling("linear", low, high if high > low else low + 1.0, units)
