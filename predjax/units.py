"""Units of rain and radar: their possible values, conversions of reflectivity, rain rate and accumulation.

Every conversion takes arrays of numpy or jax and returns the same kind; numbers become numpy values.
"""

from typing import Any, NamedTuple

import numpy as np

# Z = a R^b with Z in mm^6 m^-3 and R in mm/h: Marshall & Palmer (1948), J. Meteor. 5, 165-166.
ZR_A, ZR_B = 200.0, 1.6
# "No rain" in dBZ, where the logarithm has no value: below 0.0004 mm/h by the relation above.
DRY_DBZ = -32.0
RAIN_UNITS = ("mm/h", "dBZ")


class Ranges(NamedTuple):
    """The possible values of a quantity as (least, greatest), in three places."""

    # A value in a file before it is converted: a value outside is a fill value that nobody declared (-9999, 1e20). This
    # range is the widest, because rain may still be an accumulation or be in another unit.
    files: tuple[float, float]
    # A pixel in a frame: wide enough for any weather, narrow enough to find a forgotten scale factor or a wrong unit.
    frames: tuple[float, float]
    # A threshold of a score: beyond it every pixel, or none, reaches the threshold. The least is the value of dry air.
    thresholds: tuple[float, float]


RANGES = {
    "mm/h": Ranges(files=(-900.0, 1e6), frames=(-0.01, 2000.0), thresholds=(0.0, 2000.0)),
    "dBZ": Ranges(files=(-200.0, 200.0), frames=(-100.0, 120.0), thresholds=(DRY_DBZ, 100.0)),
}
_UNLIMITED = Ranges(*[(-np.inf, np.inf)] * 3)

_METRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres"), 1000.0),
}


def metre_factor(unit: str | None) -> float | None:
    """Return the factor from `unit` to metres; None when `unit` is neither metres nor kilometres.

    >>> metre_factor("kilometres"), metre_factor("m"), metre_factor("degrees_east")
    (1000.0, 1.0, None)
    """
    return _METRES.get(unit or "")


def find_ranges(unit: str) -> Ranges:
    """Return the possible values in `unit`, which must be canonical; a unit that is not in RANGES has no limits."""
    return RANGES.get(unit, _UNLIMITED)


def dbz_to_rain_rate(dbz: Any, zr_a: float = ZR_A, zr_b: float = ZR_B) -> Any:
    """Return the rain rate in mm/h of a reflectivity in dBZ: R = (10^(dBZ/10) / a)^(1/b). NaN stays NaN."""
    return (10.0 ** (dbz / 10.0) / zr_a) ** (1.0 / zr_b)


def rain_rate_to_dbz(rate: Any, zr_a: float = ZR_A, zr_b: float = ZR_B, dry_dbz: float = DRY_DBZ) -> Any:
    """Return the reflectivity in dBZ of a rain rate in mm/h: 10 log10(a R^b), at least `dry_dbz`. NaN stays NaN.

    A rate of zero, or below zero after packing, has no logarithm and becomes `dry_dbz`.
    """
    xp = _namespace(rate)
    raining = rate > 0
    dbz = 10.0 * zr_b * xp.log10(xp.where(raining, rate, 1.0)) + 10.0 * np.log10(zr_a).item()
    dbz = xp.where(raining, xp.maximum(dbz, dry_dbz), dry_dbz)
    return xp.where(xp.isnan(rate), rate, dbz)


def accumulation_to_rain_rate(amount: Any, seconds: float) -> Any:
    """Return the mean rain rate in mm/h of a depth in mm that fell in `seconds`."""
    return amount * (3600.0 / seconds)


def _namespace(array: Any) -> Any:
    """Return the module of an array's functions (numpy or jax.numpy), by the Python array API standard."""
    return array.__array_namespace__() if hasattr(array, "__array_namespace__") else np
