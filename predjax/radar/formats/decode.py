"""The decoding of stored numbers to values: packing, missing values and units, in one place.

The decoders of netCDF4 and xarray are not used: they forget masks, ignore the valid range, and let fill values that
nobody declared pass for weather. Which values are possible: `possible_values`.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import netCDF4
import numpy as np

from predjax import units
from predjax.radar.formats.possible_values import (
    FINE,
    IMPOSSIBLE,
    Judged,
    apply_rule,
    refuse_impossible,
    sort_values,
)

# The netCDF library writes 9.96921e36 where nothing was written; any float near it is that.
_UNWRITTEN = 9.9e36

# numpy makes 64-bit integers of codes before it looks them up: those of a piece stay in the processor's cache.
_LOOKED_UP = 2**16


@dataclasses.dataclass(frozen=True)
class Decoder:
    """A function from stored numbers to float32 values: value = convert(stored * scale + offset)."""

    dtype: str  # the type of the stored numbers, e.g. "<i2"
    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()  # stored numbers that mean "no data"; they come before `dry`
    dry: tuple[float, ...] = ()  # stored numbers that mean "looked, and nothing there"
    dry_value: float = 0.0  # their value before conversion
    stored_range: tuple[float, float] = (-np.inf, np.inf)  # smallest and largest valid stored number
    value_range: tuple[float, float] = (-np.inf, np.inf)  # smallest and largest valid value before conversion
    quantity: str = ""  # "rain", "reflectivity" or "" (anything else): which values are impossible
    unsigned: bool = False  # whether signed stored numbers are read as unsigned (attribute `_Unsigned`)
    factor: float = 1.0  # multiplies the value (a unit or an accumulation into mm/h)
    to: str = ""  # "" (keep), "mm/h" (from dBZ) or "dBZ" (from mm/h), after the factor, by Z = zr_a R^zr_b
    zr_a: float = units.ZR_A
    zr_b: float = units.ZR_B
    values: bytes = b""  # float64 of each code where the scale is not linear; scale and offset are not used then

    def __call__(self, stored: np.ndarray, name: str) -> np.ndarray:
        """Return the values of `stored`; see `decode`."""
        return self.decode(stored, name)[0]

    def decode(self, stored: np.ndarray, name: str) -> tuple[np.ndarray, Judged | None]:
        """Return the values of `stored` as float32 with NaN = no data; arithmetic in float64, rounded once.

        Also return the kinds of values that cannot be weather and were changed (see `possible_values`), or None.

        Errors: ValueError, an infinite value, or another one that cannot be weather.
        """
        if self.table is not None:
            # Few numbers can be stored, so each is decoded once: the same values, several times faster.
            codes, judged = self.codes(stored, name)
            return _look_up(self.table, codes), judged
        values = self._unpack(self._native(stored))
        kinds = self._sort(values)
        if kinds is None:
            return self._convert_checked(values, name), None
        refuse_impossible(values, kinds, self.quantity, self.factor, name)
        return self._convert_checked(apply_rule(values, kinds), name), Judged(kinds, values, self.factor)

    @property
    def table(self) -> np.ndarray | None:
        """The float32 value of each of the 256 or 65536 codes of 8 or 16 bit integers; None for other types."""
        dtype = np.dtype(self.dtype)
        return _table(self).values if dtype.kind in "iu" and dtype.itemsize <= 2 else None

    def codes(self, stored: np.ndarray, name: str) -> tuple[np.ndarray, Judged | None]:
        """Return the bits of `stored`, uint8 or uint16, as indices into `table`, which must not be None.

        Changed values and errors are as for `decode`. Where no code stands for such a value, this costs nothing.
        """
        stored, table = self._native(stored), _table(self)
        codes = stored.view(f"u{stored.itemsize}")
        if table.kinds is None or not any(_hold(codes, *run) for run in table.runs):
            return codes, None
        kinds, found = table.kinds[codes], self._unpack(stored)
        refuse_impossible(found, kinds, self.quantity, self.factor, name)
        return codes, Judged(kinds, found, self.factor)

    def _native(self, stored: np.ndarray) -> np.ndarray:
        return np.asarray(stored, np.dtype(self.dtype).newbyteorder("="), order="C")

    def _sort(self, values: np.ndarray) -> np.ndarray | None:
        step = abs(self.scale) if np.dtype(self.dtype).kind in "iu" else 0.0
        return sort_values(values, self.quantity, self.factor, step)

    def _unpack(self, stored: np.ndarray) -> np.ndarray:
        """Return the values before conversion in float64; NaN for missing ones."""
        if self.unsigned:
            stored = stored.view(f"u{stored.dtype.itemsize}")
        missing = np.zeros(stored.shape, bool)
        for number in self.missing:
            missing |= stored == number
        with np.errstate(over="ignore", invalid="ignore"):  # also of NaNs that signal
            if self.values:
                values = np.frombuffer(self.values)[stored.view(f"u{stored.dtype.itemsize}")]
            else:
                values = stored.astype(np.float64) * self.scale + self.offset
        for number in self.dry:
            values = np.where(stored == number, self.dry_value, values)
        if stored.dtype.kind == "f":
            if stored.dtype.itemsize >= 4:
                missing |= (np.abs(stored) > _UNWRITTEN) & np.isfinite(stored)
            if self.quantity == "reflectivity":
                values = np.where(np.isneginf(values), units.DRY_DBZ, values)  # the logarithm of no echo
        for numbers, (low, high) in ((stored, self.stored_range), (values, self.value_range)):
            if (low, high) != (-np.inf, np.inf):
                missing |= (numbers < low) | (numbers > high)
        return np.where(missing, np.nan, values)

    def _convert_checked(self, values: np.ndarray, name: str) -> np.ndarray:
        """Convert values; raise a ValueError where one becomes infinite."""
        converted = self._convert(values)
        if not self.quantity or self.to:  # other values have a range
            wrong = np.isinf(converted)
            if wrong.any():
                raise ValueError(f"{name}: holds {values[wrong].flat[0]:g}, too large for a number of 32 bits")
        return converted

    @np.errstate(over="ignore")
    def _convert(self, values: np.ndarray) -> np.ndarray:
        if self.factor != 1.0:
            values = values * self.factor
        if self.to == "mm/h":
            values = units.dbz_to_rain_rate(values, self.zr_a, self.zr_b)
        elif self.to == "dBZ":
            values = units.rain_rate_to_dbz(values, self.zr_a, self.zr_b)
        return values.astype(np.float32)


class _Table(NamedTuple):
    """The values and their kinds for all numbers of 8 or 16 bits, in the order of the bits."""

    values: np.ndarray  # float32
    kinds: np.ndarray | None  # as of `possible_values.sort_values`
    runs: tuple[tuple[int, int], ...]  # first and last code of each run of codes that are not FINE


@functools.lru_cache(maxsize=16)
def _table(decoder: Decoder) -> _Table:
    """Return the table of a decoder for all numbers of 8 or 16 bits."""
    dtype = np.dtype(decoder.dtype).newbyteorder("=")
    bits = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    found = decoder._unpack(bits.view(dtype))
    kinds = decoder._sort(found)
    values = decoder._convert(found if kinds is None else apply_rule(found, kinds))
    values.flags.writeable = False  # all frames of this packing share it
    too_large = np.isinf(values)
    if too_large.any():
        kinds = np.where(too_large, np.uint8(IMPOSSIBLE), np.uint8(FINE) if kinds is None else kinds)
    if kinds is None:
        return _Table(values, None, ())
    changed = np.flatnonzero(kinds)
    ends = np.flatnonzero(np.diff(changed) > 1)
    runs = zip(changed[[0, *(ends + 1)]].tolist(), changed[[*ends, -1]].tolist())
    return _Table(values, kinds, tuple(runs))


def _look_up(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return table[codes]; for whole composites this takes a quarter to a half of the time of indexing."""
    values = np.empty(codes.shape, table.dtype)
    flat, places = values.reshape(-1), codes.reshape(-1)
    for first in range(0, places.size, _LOOKED_UP):
        piece = slice(first, first + _LOOKED_UP)
        # Each code has its place in the table; with the default mode, which would check that, `out` is copied.
        np.take(table, places[piece], out=flat[piece], mode="clip")
    return values


def _hold(codes: np.ndarray, first: int, last: int) -> bool:
    """Return whether any code from `first` to `last` occurs; several times faster than a look-up of each code."""
    if last == np.iinfo(codes.dtype).max:
        return bool(codes.max(initial=0) >= first)
    # Unsigned numbers wrap around, so that smaller ones become the largest.
    return bool(np.subtract(codes, codes.dtype.type(first)).min(initial=last - first + 1) <= last - first)


def read_packing(dtype: np.dtype, attrs: dict, name: str) -> Decoder:
    """Return the decoder that the attributes of a variable declare (CF 1.11 sections 2.5.1 and 8.1, NUG appendix A).

    What CF cannot say, formats say by two more attributes: `dry_codes` are stored numbers that mean "looked, and
    nothing there" (the `undetect` of ODIM), and `dry_value` is their value before conversion. A scale that is not
    linear is a variable, named by the attribute `code_values`; see `with_code_values`.

    Errors: ValueError, the stored type is not a real number, or an attribute is not one.
    """
    check_dtype(np.dtype("bool") if attrs.get("dtype") == "bool" else dtype, name)
    dtype = np.dtype(dtype)
    unsigned = str(attrs.get("_Unsigned", "")).lower() == "true" and dtype.kind == "i"
    missing = []
    for key in ("_FillValue", "missing_value"):
        missing += [as_stored(number, dtype, unsigned) for number in read_numbers(attrs.get(key), key, name)]
    if "_FillValue" not in attrs and dtype.itemsize > 1 and dtype.str[1:] in netCDF4.default_fillvals:
        missing.append(as_stored(np.asarray(netCDF4.default_fillvals[dtype.str[1:]]), dtype, unsigned))
    low, high = (read_number(attrs.get(key), key, name) for key in ("valid_min", "valid_max"))
    if attrs.get("valid_range") is not None:
        limits = read_numbers(attrs["valid_range"], "valid_range", name)
        if len(limits) != 2:
            raise ValueError(f"{name}: valid_range must be two numbers, found {attrs['valid_range']!r}")
        low, high = (read_number(limit, "valid_range", name) for limit in limits)
    # Limits of the stored type are for the stored numbers; real limits of packed integers are for the values.
    on_values = dtype.kind in "iu" and any(limit is not None and limit.dtype.kind == "f" for limit in (low, high))
    limits = (
        -np.inf if low is None else float(as_stored(low, dtype, unsigned)),
        np.inf if high is None else float(as_stored(high, dtype, unsigned)),
    )
    scale, offset = (read_number(attrs.get(key), key, name) for key in ("scale_factor", "add_offset"))
    for key, number in (("scale_factor", scale), ("add_offset", offset)):
        # A scale of 0 with an offset is how constant fields are packed.
        if number is not None and (np.isinf(number) or (number == 0 and key == "scale_factor" and offset is None)):
            raise ValueError(f"{name}: the attribute {key} must be finite and not 0, found {number}")
    keywords: dict[str, Any] = {"value_range" if on_values else "stored_range": limits}
    return Decoder(
        dtype=dtype.str,
        scale=1.0 if scale is None else float(scale),
        offset=0.0 if offset is None else float(offset),
        missing=tuple(dict.fromkeys(number for number in missing if number == number)),
        dry=tuple(as_stored(code, dtype, unsigned) for code in read_numbers(attrs.get("dry_codes"), "dry_codes", name)),
        dry_value=float(attrs.get("dry_value", 0.0)),
        unsigned=unsigned,
        **keywords,
    )


def with_code_values(decoder: Decoder, values: np.ndarray, name: str) -> Decoder:
    """Return a decoder that takes the value of each code of 8 or 16 bits from `values` (code,); NaN = no data.

    Errors: ValueError, the stored numbers are not such codes, or a code has no value.
    """
    dtype = np.dtype(decoder.dtype)
    if dtype.kind != "u" or dtype.itemsize > 2 or values.shape != (2 ** (8 * dtype.itemsize),):
        raise ValueError(
            f"{name}: code_values must be of all codes of uint8 or uint16, found {values.shape} for {dtype}"
        )
    return dataclasses.replace(decoder, values=np.asarray(values, np.float64).tobytes())


def check_dtype(dtype: np.dtype, name: str) -> None:
    """Raise a ValueError for a type that cannot become float32 without a decision of the user."""
    kind = getattr(dtype, "kind", "O")
    if kind not in "iuf":
        found = {"c": "complex numbers", "b": "true/false", "O": "Python objects or text", "V": "records", "M": "dates"}
        raise ValueError(f"{name}: values must be integers or real numbers, found {found.get(kind, 'text')} ({dtype})")


def read_numbers(value: Any, key: str, name: str) -> list[np.ndarray]:
    """Return the numbers of an attribute; no number where it is None. Errors: ValueError, it holds something else."""
    if value is None:
        return []
    numbers = np.atleast_1d(np.asarray(value))
    if numbers.dtype.kind not in "iuf":
        raise ValueError(f"{name}: the attribute {key} must be a number, found {value!r}")
    return [numbers[i] for i in range(numbers.size)]


def read_number(value: Any, key: str, name: str) -> Any:
    """Return the number of an attribute, None where it is None. Errors: ValueError, NaN, several or no numbers."""
    numbers = read_numbers(value, key, name)
    if len(numbers) > 1:
        raise ValueError(f"{name}: the attribute {key} must be one number, found {value!r}")
    if numbers and np.isnan(numbers[0]):
        raise ValueError(f"{name}: the attribute {key} must be a number, found nan")
    return numbers[0] if numbers else None


def as_stored(number: Any, dtype: np.dtype, unsigned: bool) -> float:
    """Return `number` in the form in which stored numbers are compared: rounded like them, or read as unsigned."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return float(np.asarray(number).astype(dtype))
    number = number.item() if hasattr(number, "item") else number
    return number % 2 ** (8 * dtype.itemsize) if unsigned and number < 0 else number
