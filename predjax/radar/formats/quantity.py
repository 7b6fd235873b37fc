"""The quantity that a variable measures, and its conversion to the requested unit."""

import dataclasses
from typing import Any

from predjax import units
from predjax.radar.formats.decode import Decoder

_REFLECTIVITY = "equivalent_reflectivity_factor"
# The rate that an amount or a mass flux becomes when its unit does.
_RATES = {
    "rainfall_amount": "rainfall_rate",
    "rainfall_flux": "rainfall_rate",
    "precipitation_amount": "lwe_precipitation_rate",
    "precipitation_flux": "lwe_precipitation_rate",
    "lwe_thickness_of_precipitation_amount": "lwe_precipitation_rate",
}


@dataclasses.dataclass(frozen=True)
class Conversion:
    """The conversion of the values of one variable to another unit."""

    quantity: str  # "rain", "reflectivity" or "" as in Decoder
    units: str  # the unit after the conversion
    factor: float  # the factor to mm/h, or to mm for an accumulation
    accumulation: bool  # whether the period of the accumulation still has to divide the values
    to: str  # this, zr_a and zr_b as in Decoder
    zr_a: float
    zr_b: float
    own_zr: bool  # whether zr_a and zr_b are the file's own
    attrs: tuple[tuple[str, object], ...]  # the attributes of the frames after the conversion

    def apply(self, packing: Decoder, seconds: float | None) -> Decoder:
        """Return the decoder with this conversion; `seconds` is the period of an accumulation."""
        factor = self.factor
        if self.accumulation:
            assert seconds is not None, "a header of accumulations has their period"
            factor = units.accumulation_to_rain_rate(factor, seconds)
        return dataclasses.replace(
            packing, quantity=self.quantity, factor=factor, to=self.to, zr_a=self.zr_a, zr_b=self.zr_b
        )


def is_radar_name(standard_name: str) -> bool:
    """Return whether a CF standard name is rain or radar reflectivity (a quality flag of it is not).

    >>> [is_radar_name(name) for name in ("rainfall_rate", "precipitation_flux status_flag", "air_temperature")]
    [True, False, False]
    """
    return " " not in standard_name and (_is_rain_name(standard_name) or standard_name == _REFLECTIVITY)


def plan_conversion(attrs: dict, global_attrs: dict, wanted: str, name: str) -> Conversion:
    """Decide how the variable with `attrs` becomes `wanted`: "file", "mm/h" or "dBZ".

    Rain rates and accumulations of any unit become mm/h even when the file's unit is kept. A speed (m s-1) is
    rain only when the standard name says so, and a mass per area that has another standard name is no accumulation.

    Errors: ValueError, the unit cannot be converted, or the file's Z-R relation is not a pair of positive numbers.
    """
    unit = units.canonical_unit(attrs.get("units"))
    standard_name = str(attrs.get("standard_name", ""))
    rain = _is_rain_name(standard_name)
    rate, amount = units.rate_factor(unit), units.amount_factor(unit)
    if unit == "dBZ":
        quantity, factor, own = "reflectivity", 1.0, "dBZ"
    elif rate is not None and (rain or unit.startswith("mm/")):
        quantity, factor, own = "rain", rate, "mm/h"
    elif amount is not None and (rain if standard_name else unit == "mm"):
        quantity, factor, own = "rain", amount, "mm/h"
    else:
        quantity, factor, own = "", 1.0, unit
    target = own if wanted == "file" else wanted
    if not quantity and target != own:
        raise ValueError(f"{name}: the unit {attrs.get('units', '')!r} cannot be converted to {target}")
    to = target if target != own else ""
    zr = _zr(attrs, global_attrs, name)
    zr_a, zr_b = zr or (units.ZR_A, units.ZR_B)
    accumulation = quantity == "rain" and amount is not None
    frames_attrs = {key: attrs[key] for key in ("standard_name", "long_name") if key in attrs}
    frames_attrs["units"] = target
    if to:
        frames_attrs["standard_name"] = _REFLECTIVITY if to == "dBZ" else "rainfall_rate"
        frames_attrs["long_name"] = "radar reflectivity" if to == "dBZ" else "rain rate"
    elif quantity == "rain" and standard_name in _RATES:
        frames_attrs["standard_name"] = _RATES[standard_name]
    if accumulation and not to:
        frames_attrs["long_name"] = "rain rate"
    if zr or to:
        frames_attrs |= {"zr_a": zr_a, "zr_b": zr_b}
    return Conversion(
        quantity, target, factor, accumulation, to, zr_a, zr_b, zr is not None, tuple(frames_attrs.items())
    )


def _is_rain_name(standard_name: str) -> bool:
    return "rainfall" in standard_name or "precipitation" in standard_name


def _zr(attrs: dict, global_attrs: dict, name: str) -> tuple[float, float] | None:
    """Return (zr_a, zr_b) from the attributes of the variable, else of the file, else None."""
    for owner in (attrs, global_attrs):
        found: list[Any] = [owner.get(key) for key in ("zr_a", "zr_b")]
        if found == [None, None]:
            continue
        try:
            zr_a, zr_b = (float(value) for value in found)
        except (TypeError, ValueError):
            zr_a = zr_b = 0.0
        if not (0 < zr_a < float("inf") and 0 < zr_b < float("inf")):
            raise ValueError(f"{name}: zr_a and zr_b must be two positive numbers, found {found}")
        return zr_a, zr_b
    return None
