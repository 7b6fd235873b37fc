"""The quantity that a variable measures, and its conversion to the requested unit."""

import dataclasses
from typing import Any, NamedTuple

from predjax import unit_names, units
from predjax.radar.formats.decode import Decoder

_REFLECTIVITY = "equivalent_reflectivity_factor"
# The rate that an amount or a mass flux becomes when its unit does.
_RATES = {
    "rainfall_amount": "rainfall_rate",
    "thickness_of_rainfall_amount": "rainfall_rate",
    "rainfall_flux": "rainfall_rate",
    "precipitation_amount": "lwe_precipitation_rate",
    "precipitation_flux": "lwe_precipitation_rate",
    "lwe_thickness_of_precipitation_amount": "lwe_precipitation_rate",
}
# Words in names of a quantity, and its usual unit.
_RAIN_WORDS = ("rain", "precip")
_QUANTITIES = {("reflectivity", "dbz"): "dBZ", ("amount", "accumul"): "mm", _RAIN_WORDS: "mm/h"}


class UnitOptions(NamedTuple):
    """The units as a user states them: the options of these names, see `radar.config.DataConfig`."""

    units: str = "file"
    source_units: str = ""
    accumulation_period: str = ""


AS_STATED = UnitOptions()  # a user says nothing


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
    source_units: str  # the unit of the values before the conversion
    remarks: tuple[str, ...]  # a line for each unit that was taken for something

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
    """Return whether a CF standard name is one of rain or radar reflectivity, and not of a quality flag.

    >>> [is_radar_name(name) for name in ("rainfall_rate", "precipitation_flux status_flag", "air_temperature")]
    [True, False, False]
    """
    return " " not in standard_name and (_is_rain_name(standard_name) or standard_name == _REFLECTIVITY)


def plan_conversion(attrs: dict, global_attrs: dict, wanted: UnitOptions, name: str) -> Conversion:
    """Return the conversion of a variable with `attrs` to the wanted unit: "file", "mm/h" or "dBZ".

    Rain rates and accumulations of any unit become mm/h even when the file's unit is kept. A speed (m s-1) is
    rain only when the standard name or the user says so, and a mass per area that has another standard name is no
    accumulation.

    Errors: ValueError, the unit cannot be converted, it is not what the user says, or the file's Z-R relation is not a
    pair of positive numbers.
    """
    text, declared, remarks = _choose_unit(attrs, wanted, name)
    unit, depth = unit_names.canonical_unit(text), unit_names.read_depth(text)
    standard_name = str(attrs.get("standard_name", ""))
    rain = declared or _is_rain_name(standard_name)
    accumulation = False
    quantity, factor, own = "", 1.0, unit
    if unit == "dBZ":
        quantity = "reflectivity"
    elif depth and depth.seconds and not depth.counted and (rain or depth.is_small):
        quantity, factor, own = "rain", unit_names.rate_factor(text) or 0.0, "mm/h"
    elif depth and (rain or (depth.is_small and (depth.counted or not standard_name))):
        quantity, factor, own, accumulation = "rain", depth.mm, "mm/h", depth.counted or not depth.seconds
    if quantity == "rain" and not rain and not _is_called_rain(attrs, name):
        named = f"the standard name {standard_name!r}" if standard_name else "a standard name"
        remarks.append(f"values in {text} {'with' if standard_name else 'without'} {named} are taken as rain")
    target = own if wanted.units == "file" else wanted.units
    if not quantity and target != own:
        may_be_rain = is_radar_name(standard_name) or standard_name in ("", "unknown")
        hint = (
            "; --source_units states the one that it stands for"
            if may_be_rain and not unit_names.is_known(text)
            else ""
        )
        raise ValueError(f"{name}: the unit {text!r} cannot be converted to {target}{hint}")
    if wanted.accumulation_period and not accumulation:
        if not quantity:
            raise ValueError(
                f"{name}: --accumulation_period {wanted.accumulation_period} is of sums, but the unit is {text!r}: "
                "--source_units mm states that they are sums"
            )
        remarks.append(f"the values are in {text}, no sums: --accumulation_period is not used")
    to = target if target != own else ""
    zr = _zr(attrs, global_attrs, name)
    zr_a, zr_b = zr or (units.ZR_A, units.ZR_B)
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
    if to:
        whose = "the file's own" if zr else "Marshall and Palmer's, the file has none"
        remarks.append(f"{'mm/h to dBZ' if to == 'dBZ' else 'dBZ to mm/h'} by Z = {zr_a:g} R^{zr_b:g} ({whose})")
    return Conversion(
        quantity=quantity,
        units=target,
        factor=factor,
        accumulation=accumulation,
        to=to,
        zr_a=zr_a,
        zr_b=zr_b,
        own_zr=zr is not None,
        attrs=tuple(frames_attrs.items()),
        source_units=text,
        remarks=tuple(remarks),
    )


def _choose_unit(attrs: dict, wanted: UnitOptions, name: str) -> tuple[str, bool, list[str]]:
    """Return the unit of stored values as a text, whether the user states it, and remarks on inferred units."""
    stated, remarks = _find_unit(attrs)
    is_none, source = unit_names.canonical_unit(stated) == "1", wanted.source_units
    found = "no unit is stated" if is_none else f"the unit {stated!r} is not known"
    if unit_names.is_known(stated):
        if source and not unit_names.is_same(stated, source):
            raise ValueError(f"{name}: the unit is {stated}, not {source} as --source_units says")
        return stated, False, remarks
    if source:
        return source, True, [f"{found}: values are taken as {source}, as --source_units says"]
    if is_none and wanted.units != "file":
        word, meant = _find_quantity(attrs)
        if meant and meant != wanted.units:
            hint = f"state it, such as --source_units {meant}"
            raise ValueError(f"{name}: {found}, and {word!r} is not in {wanted.units}: {hint}")
        text = f"{found}: values are taken as {wanted.units}, as --units says; --source_units would state another unit"
        return wanted.units, True, [text]
    if is_none or is_radar_name(str(attrs.get("standard_name", ""))):
        remarks = [f"{found}: values are kept as they are; --source_units would state their unit"]
    return stated, False, remarks


def _is_called_rain(attrs: dict, name: str) -> bool:
    """Return whether the long or the short name of values says that they are rain."""
    names = " ".join((str(attrs.get("long_name", "")), str(attrs.get("short_name", "")), name.rpartition(": ")[2]))
    return not attrs.get("standard_name") and any(word in names.lower() for word in _RAIN_WORDS)


def _find_quantity(attrs: dict) -> tuple[str, str]:
    """Return the first name in the attributes that tells the quantity, and its usual unit; ("", "") without one."""
    for text in (str(attrs.get(key, "")) for key in ("standard_name", "long_name")):
        for words, unit in _QUANTITIES.items():
            if any(word in text.lower() for word in words):
                return text, unit
    return "", ""


def _find_unit(attrs: dict) -> tuple[str, list[str]]:
    """Return the unit in the attribute `units`, else in `unit` with a remark on that; "" without any."""
    texts = {key.lower(): str(value).strip() for key, value in attrs.items() if key.lower() in ("units", "unit")}
    own, other = texts.get("units", ""), texts.get("unit", "")
    if unit_names.canonical_unit(own) == "1" and unit_names.canonical_unit(other) != "1":
        return other, [f"the unit {other} is that of the attribute 'unit'"]
    return own, []


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
