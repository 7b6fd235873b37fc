"""The encoding of labels and numbers in messages between processes. Decoding runs no code of the sender."""

import json
import math
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.formats.accumulation import Period
from predjax.radar.formats.decode import Decoder
from predjax.radar.formats.labels import Field, Header
from predjax.radar.formats.quantity import Conversion
from predjax.radar.grid import Grid
from predjax.radar.step import Step

HEAD = struct.Struct("<QQ")  # a message begins with the bytes of its text and of its numbers
_KINDS = "biufcmMSU"  # of numpy; no objects


class Place(NamedTuple):
    """The place of an array in a file: the number of its field in the header, with its name, shape and type."""

    number: int
    name: str
    shape: tuple[int, ...]
    dtype: str


_RECORDS: dict[str, Callable[..., Any]] = {
    one.__name__: one for one in (Header, Grid, Field, Decoder, Conversion, Period, Step, Place)
}


def encode(value: Any) -> list[bytes | memoryview]:
    """Return the parts of a message: its head, its text in JSON, and the numbers of its arrays.

    A value may consist of None, numbers, texts, bytes, tuples, lists, dicts, arrays of numbers, dates or texts,
    variables of xarray, and the records of labels.

    Errors: TypeError, anything else.
    """
    arrays: list[bytes | memoryview] = []
    text = json.dumps(_to_json(value, arrays)).encode()
    return [HEAD.pack(len(text), sum(map(len, arrays))), text, *arrays]


def decode(text: bytes | bytearray, numbers: bytes | bytearray) -> Any:
    """Return the value from the text and the numbers of a message. Any exception means that the message is invalid."""
    return _from_json(json.loads(text), memoryview(numbers))


def _to_json(value: Any, arrays: list) -> Any:
    def inner(one: Any) -> Any:
        return _to_json(one, arrays)

    if isinstance(value, str):
        return str(value)  # also a text of numpy
    if isinstance(value, bytes):
        return {"bytes": inner(np.frombuffer(value, np.uint8))}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in _KINDS:
        plain = np.ascontiguousarray(value)
        offset = sum(map(len, arrays))
        arrays.append(plain.reshape(-1).view(np.uint8).data if plain.size else b"")
        return {"array" if isinstance(value, np.ndarray) else "scalar": [plain.dtype.str, list(value.shape), offset]}
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, np.ndarray):
        return {"texts": [inner(list(value.shape)), inner(value.ravel().tolist())]}
    if isinstance(value, xr.Variable):
        return {"variable": [inner(list(value.dims)), inner(value.values), inner(value.attrs)]}
    if type(value).__name__ in _RECORDS and type(value) is _RECORDS[type(value).__name__]:
        fields = getattr(value, "_fields", None) or value.__dataclass_fields__
        return {"record": [type(value).__name__, {name: inner(getattr(value, name)) for name in fields}]}
    if isinstance(value, tuple | list):
        return {"tuple" if isinstance(value, tuple) else "list": [inner(one) for one in value]}
    if isinstance(value, dict):
        return {"dict": [[inner(key), inner(one)] for key, one in value.items()]}
    raise TypeError(f"a label must be a number or a text, found {type(value).__name__}")


def _from_json(value: Any, numbers: memoryview) -> Any:
    def inner(one: Any) -> Any:
        return _from_json(one, numbers)

    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError("a list without its kind")
        return value
    ((kind, body),) = value.items()
    match kind:
        case "array" | "scalar":
            dtype, shape, offset = body
            found = _read_array(np.dtype(dtype), tuple(shape), offset, numbers)
            return found if kind == "array" else found[()]
        case "bytes":
            return inner(body).tobytes()
        case "texts":
            shape, texts = map(inner, body)
            found = np.empty(len(texts), object)
            found[:] = texts
            return found.reshape(shape)
        case "variable":
            return xr.Variable(*map(inner, body))
        case "record":
            name, fields = body
            return _RECORDS[name](**{field: inner(one) for field, one in fields.items()})
        case "tuple":
            return tuple(map(inner, body))
        case "list":
            return list(map(inner, body))
        case "dict":
            return {inner(key): inner(one) for key, one in body}
    raise ValueError(f"a value of no known kind, {kind}")


def _read_array(dtype: np.dtype, shape: tuple[int, ...], offset: int, numbers: memoryview) -> np.ndarray:
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise ValueError(f"an array of {dtype}")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or not 0 <= offset <= offset + size <= len(numbers):
        raise ValueError(f"an array of {shape} that is not there")
    return np.frombuffer(numbers[offset : offset + size], dtype).reshape(shape)
