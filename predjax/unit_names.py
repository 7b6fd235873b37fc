"""The spellings of units of rain and reflectivity, and their meanings."""

import functools
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}
_LENGTHS = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4}  # in mm
_ALL_NAMES = {
    "s": "s sec secs second seconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    "day": "d day days",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "m": "m meter meters metre metres",
    "in": "in inch inches",
    "kg": "kg kilogram kilograms kilogramme kilogrammes",
    "l": "l liter liters litre litres",
}
_NAMES = {name: unit for unit, names in _ALL_NAMES.items() for name in names.split()}
_NO_UNIT = ("", "1", "none", "-", "~", "unitless", "dimensionless", "unknown")
# Without blanks and signs of powers: the spellings that libraries make of dBZ.
_DBZ = ("dbz", "dbze", "decibelz", "10log10(mm6m-3)", "10log10(mm6/m3)", "0.1lg(re1mm6m-3)", "0.1lg(remm6m-3)")
_DBZ += ("decibelrelativeto1mm6m-3", "decibelrelativeto1mm6/m3")
_LONGEST = 100  # letters of a unit
VARIABLES = {"mm/h": "precip_intensity", "dBZ": "reflectivity"}  # names by which pysteps knows the unit of a variable
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_POWER = r"(?:\s*\^\s*[({]?(?P<power>[+-]?\d+)[)}]?|(?P<plain>[+-]?\d+))?"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{_NUMBER})(?:\^(?P<exponent>[+-]?\d+))?|(?P<name>[a-z]+){_POWER}|(?P<mark>[(/*.]))\s*"
)
_CLOSING = re.compile(rf"\s*\){_POWER}\s*")


class Depth(NamedTuple):
    """The meaning of a unit of rain: a depth of water, or a depth in a time."""

    mm: float  # the depth, 0.1 of "0.1 mm/h"
    seconds: float | None  # the time, 300 of "mm/5min"; None for a depth alone
    counted: bool  # whether the unit counts the time, as "mm/5min" does: values are sums of such periods
    name: str  # the one spelling of the unit; "" where it has a number
    is_small: bool  # whether the depth is in mm, kg m-2 or inches, as that of rain is and that of no wind or lake


def canonical_unit(text: str | None) -> str:
    """Return the one spelling of a known unit ("mm/h", "dBZ", "1", "mm", "mm/s", ...), or any other text as it is.

    A mass of water per area is its depth: "kg m-2" is "mm" and "kg m-2 s-1" is "mm/s".

    >>> [canonical_unit(text) for text in ("mm h-1", "kg/(m**2 s)", "DBZ", "", "furlong", "mm/5min")]
    ['mm/h', 'mm/s', 'dBZ', '1', 'furlong', 'mm/5min']
    """
    text = "" if text is None else str(text).strip()
    if text.lower() in _NO_UNIT:
        return "1"
    if re.sub(r"[\s*^{}_]", "", _plain(text)) in _DBZ:
        return "dBZ"
    depth = read_depth(text)
    return text if depth is None else depth.name or text


def is_known(unit: str) -> bool:
    """Return whether a unit is one of rain or reflectivity, between which values can be converted."""
    return canonical_unit(unit) == "dBZ" or read_depth(unit) is not None


def is_same(unit: str, other: str) -> bool:
    """Return whether values are the same in two known units, as in "mm h-1" and "kg m-2 h-1"."""
    values = [(canonical_unit(one) == "dBZ", rate_factor(one), amount_factor(one)) for one in (unit, other)]
    return values[0] == values[1]


def name_frames(attrs: Mapping[str, Any]) -> str:
    """Return the name for a variable of frames with these `attrs`: the name in the data if it fits the values.

    Frames of another quantity than the data, such as rain rates made from reflectivity or from sums of rain, get a name
    of VARIABLES. Frames without a name in the data are called `frames`.

    >>> name_frames({"variable": "DBZH", "source_units": "dBZ", "units": "mm/h"})
    'precip_intensity'
    """
    name, units = attrs.get("variable"), attrs["units"]
    stored = _find_quantity(attrs.get("source_units") or attrs.get("units_on_disk") or units)
    if not name or not stored or stored == _find_quantity(units):
        return name or "frames"
    return VARIABLES.get(units, name)


def _find_quantity(unit: str) -> str:
    """Return the quantity of a unit: "reflectivity", "rate", "amount"; "" for other units."""
    depth = read_depth(unit)
    if depth is None:
        return "reflectivity" if canonical_unit(unit) == "dBZ" else ""
    return "amount" if depth.counted or not depth.seconds else "rate"


@functools.lru_cache(maxsize=256)
def read_depth(text: str) -> Depth | None:
    """Return the meaning of a unit of a depth, or of a depth in a time; None for any other text.

    Names in any case with powers (`h-1`, `h^-1`, `h**-1`, `h⁻¹`), joined by blanks, dots, signs of multiplication, `/`
    and "per", with parentheses. `/` divides by the one name, or the one parenthesis, that follows. A number stands
    before a unit (`0.1 mm/h`) or counts a time (`mm/5min`); one that stands elsewhere is not understood.

    >>> read_depth("0.1 mm/5min")
    Depth(mm=0.1, seconds=300.0, counted=True, name='', is_small=True)
    >>> read_depth("m s⁻¹")
    Depth(mm=1000.0, seconds=1.0, counted=False, name='m/s', is_small=False)
    """
    try:
        factors = _read_factors(_plain(text))
    except (ValueError, KeyError, ArithmeticError):
        return None
    numbers = [(value, power, place) for place, (value, power) in enumerate(factors) if isinstance(value, float)]
    named = [(name, power) for name, power in factors if isinstance(name, str)]
    powers = dict(named)
    scales = [value for value, power, place in numbers if power == 1 and not place]
    counts = [value for value, power, place in numbers if power == -1 and factors[place + 1][0] in _SECONDS]
    times = [name for name in powers if name in _SECONDS]
    if len(powers) < len(named) or max(len(scales), len(counts), len(times)) > 1:
        return None
    if len(scales) + len(counts) < len(numbers) or any(powers.pop(time) != -1 for time in times):
        return None
    length = "mm" if powers in ({"kg": 1, "m": -2}, {"l": 1, "m": -2}) else "".join(powers)
    scale, count = scales[0] if scales else 1.0, counts[0] if counts else 1.0
    if length not in _LENGTHS or powers.get(length, 1) != 1 or not (0 < scale < math.inf and 0 < count < math.inf):
        return None
    name = "" if scale != 1 or count != 1 else "/".join([length, *times])
    seconds = count * _SECONDS[times[0]] if times else None
    return Depth(scale * _LENGTHS[length], seconds, count != 1, name, length in ("mm", "in"))


def read_duration(text: str) -> float | None:
    """Return the seconds of a duration such as "5min", "1 h" or "hour"; None for any other text.

    >>> read_duration("60min"), read_duration("1 h"), read_duration("mm")
    (3600.0, 3600.0, None)
    """
    match = re.fullmatch(rf"({_NUMBER})?[\s-]*([a-z]+)", text.strip().lower())
    seconds = _SECONDS.get(_NAMES.get(match[2], "")) if match else None
    if match is None or seconds is None:
        return None
    seconds *= float(match[1] or 1)
    return seconds if 0 < seconds < math.inf else None


def rate_factor(unit: str) -> float | None:
    """Return the factor from `unit` to mm/h; None where `unit` is not a depth per time.

    >>> rate_factor("mm h-1"), rate_factor("kg m-2 s-1"), rate_factor("mm/5min"), rate_factor("dBZ")
    (1.0, 3600.0, 12.0, None)
    """
    depth = read_depth(unit)
    return None if depth is None or depth.seconds is None else depth.mm * 3600.0 / depth.seconds


def amount_factor(unit: str) -> float | None:
    """Return the factor from `unit` to mm; None where `unit` is not a depth.

    >>> amount_factor("kg m-2"), amount_factor("m"), amount_factor("mm/h")
    (1.0, 1000.0, None)
    """
    depth = read_depth(unit)
    return None if depth is None or depth.seconds is not None else depth.mm


def _plain(text: str) -> str:
    """Return a unit in lower case, with "^" before raised powers, "/" for "per" and "*" for a multiplication."""
    text = unicodedata.normalize("NFKC", re.sub("[⁺⁻⁰¹²³⁴-⁹]+", r"^\g<0>", text)).lower()
    return re.sub("[·⋅×]", "*", re.sub(r"\bper\b", "/", text.replace("−", "-").replace("**", "^").replace("_", " ")))


def _read_factors(text: str) -> list[tuple[str | float, int]]:
    """Return the names and the numbers of a product with their powers, "0.1 kg/m2" -> [(0.1, 1), ("kg", 1), ("m", -2)].

    Errors: ValueError or KeyError, it is not such a product; ArithmeticError.
    """
    found, end = _read_product(text[:_LONGEST], 0)
    if end < len(text):
        raise ValueError(text)
    return found


def _read_product(text: str, place: int) -> tuple[list[tuple[str | float, int]], int]:
    """Return the factors of a product from position `place` on, and the position of its end: ")" or the text's end."""
    found: list[tuple[str | float, int]] = []
    before, sign = "start", 1  # the sign of the next factor's power
    while place < len(text) and (token := _TOKEN.match(text, place)):
        place = token.end()
        if token["number"]:
            if before not in ("start", "/"):
                raise ValueError(text)
            found.append((float(token["number"]) ** int(token["exponent"] or 1), sign))
            before = "number"
        elif token["mark"] in ("/", "*", "."):
            if before != "factor":
                raise ValueError(text)
            before, sign = token["mark"], -1 if token["mark"] == "/" else 1
        else:
            factor: list[tuple[str | float, int]]
            if token["mark"]:
                factor, place = _read_product(text, place)
                token = _CLOSING.match(text, place)
                if token is None:
                    raise ValueError(text)
                place = token.end()
            else:
                factor = [(_NAMES[token["name"]], 1)]
            power = sign * int(token["power"] or token["plain"] or 1)
            found += [(one, own * power) for one, own in factor]
            before, sign = "factor", 1
    if before != "factor":
        raise ValueError(text)
    return found, place
