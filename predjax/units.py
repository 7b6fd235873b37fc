"""Units of rain and radar: their names and possible values, conversions of reflectivity, rain rate and accumulation.

Every conversion takes arrays of numpy or jax and returns the same kind; numbers become numpy values.
"""

import re
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

_NAMES = {
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("s", "sec", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "minute", "minutes"), "min"),
    **dict.fromkeys(("d", "day", "days"), "day"),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), "mm"),
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "m"),
    **dict.fromkeys(("cm", "kg"), None),
}
_METRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres"), 1000.0),
}
_LENGTHS = {"mm": 1.0, "cm": 10.0, "m": 1000.0}  # in mm
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}
_POWER = re.compile(r"([a-z]+)\^?\{?([+-]?\d+)?\}?$")


def canonical_unit(text: str | None) -> str:
    """Return the one spelling of a known unit ("mm/h", "dBZ", "1", "mm", "mm/s", ...), or any other text as it is.

    A mass of water per area is its depth: "kg m-2" is "mm" and "kg m-2 s-1" is "mm/s".

    >>> [canonical_unit(text) for text in ("mm h-1", "kg m**-2 s^-1", "DBZ", "", "furlong")]
    ['mm/h', 'mm/s', 'dBZ', '1', 'furlong']
    """
    text = "" if text is None else str(text).strip()
    if text.lower() in ("", "1", "none", "-", "unitless", "dimensionless"):
        return "1"
    if text.lower() in ("dbz", "dbze"):
        return "dBZ"
    powers = _powers(text)
    if powers is None:
        return text
    if (powers.get("kg"), powers.get("m")) == (1, -2):
        powers = {"mm": 1} | {name: power for name, power in powers.items() if name not in ("kg", "m")}
    length = [name for name in _LENGTHS if powers.get(name) == 1]
    rest = {name: power for name, power in powers.items() if name not in length}
    if len(length) == 1 and not rest:
        return length[0]
    if len(length) == 1 and len(rest) == 1 and next(iter(rest)) in _SECONDS and set(rest.values()) == {-1}:
        return f"{length[0]}/{next(iter(rest))}"
    return text


def rate_factor(unit: str) -> float | None:
    """Return the factor from `unit` to mm/h; None where `unit` is not a depth per time.

    >>> rate_factor("mm h-1"), rate_factor("kg m-2 s-1"), rate_factor("m s-1"), rate_factor("dBZ")
    (1.0, 3600.0, 3600000.0, None)
    """
    length, _, time = canonical_unit(unit).partition("/")
    if length not in _LENGTHS or time not in _SECONDS:
        return None
    return _LENGTHS[length] * 3600.0 / _SECONDS[time]


def amount_factor(unit: str) -> float | None:
    """Return the factor from `unit` to mm; None where `unit` is not a depth.

    >>> amount_factor("kg m-2"), amount_factor("m"), amount_factor("mm/h")
    (1.0, 1000.0, None)
    """
    return _LENGTHS.get(canonical_unit(unit))


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


def _powers(text: str) -> dict[str, int] | None:
    """Return the powers of the units in a product, "kg m**-2/h" -> {"kg": 1, "m": -2, "h": -1}, or None."""
    text = re.sub(r"\s*/\s*", " /", text.lower().replace("**", "^"))
    powers: dict[str, int] = {}
    for token in re.split(r"[\s*.·]+", text.strip()):
        sign = -1 if token.startswith("/") else 1
        match = _POWER.match(token.lstrip("/"))
        if match is None or match[1] not in _NAMES:
            return None
        name = _NAMES[match[1]] or match[1]
        powers[name] = powers.get(name, 0) + sign * int(match[2] or 1)
    return powers
