"""What passes between processes comes out as it went in, and a message is never a program."""

import json

import numpy as np
import pytest
import xarray as xr

from predjax.radar.formats.catalogue import Reading, read_labels
from predjax.radar.formats.labels import Header
from predjax.radar.isolation.encoding import HEAD, decode, encode


def passed(value):
    head, text, *arrays = encode(value)
    numbers = b"".join(arrays)
    assert HEAD.unpack(head) == (len(text), len(numbers))
    return decode(text, numbers)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [True, 3, -1e-300, np.inf, "ä\n\x00", b"\x00\xff"],
        {"a": (1, (2.5, ())), 3: {}},
        np.float32(0.1),
        np.arange(6, dtype=">i2").reshape(2, 3)[:, ::-1],
        np.array(["2026-06-01", "NaT"], "datetime64[ns]"),
        np.array(["a", "längere"]),
        np.array(["a", "bc"], object),
        np.empty((0, 3)),
        np.array(7),
    ],
    ids=repr,
)
def test_values_come_out_as_they_went_in(value):
    found = passed(value)
    assert type(found) is type(value)
    np.testing.assert_equal(found, value)
    if isinstance(value, np.ndarray):
        assert (found.dtype, found.shape) == (value.dtype, value.shape)


def test_labels_come_out_as_they_went_in(tmp_path):
    rain = xr.Variable(("time", "y", "x"), np.ones((2, 3, 4), "i2"), {"units": "mm h-1", "scale_factor": 0.1})
    coords = {"time": np.datetime64("2026-06-01", "ns") + np.arange(2) * np.timedelta64(5, "m"), "y": [3.0, 2, 1]}
    xr.Dataset({"rain": rain}, coords).to_netcdf(tmp_path / "a.nc")
    header = read_labels(str(tmp_path / "a.nc"), Reading())
    header = header.__class__(**{**vars(header), "fields": (), "forcings": ()})  # their arrays are in the file
    found = passed(header)
    assert isinstance(found, Header)
    np.testing.assert_equal({**vars(found), "grid": None}, {**vars(header), "grid": None})
    assert found.grid.same(header.grid) and found.grid.y.attrs == header.grid.y.attrs


def test_what_is_no_label_does_not_pass():
    with pytest.raises(TypeError, match="a number or a text, found function"):
        encode({"a": passed})


@pytest.mark.parametrize(
    "text",
    [
        {"record": ["Popen", {"args": "true"}]},
        {"record": ["Header", {"file": "a.nc"}]},
        {"array": ["O", [1], 0]},
        {"array": ["<f8", [2], 0]},
        {"array": ["<f8", [-1], 0]},
        {"array": ["<f8", [1], -8]},
        {"array": ["<f8", [2**40, 2**40], 0]},
        {"array": ["V8", [1], 0]},
        [1, 2],
        {"tuple": [1], "list": [2]},
        {"program": "true"},
    ],
    ids=str,
)
def test_another_message_is_refused(text):
    with pytest.raises((ValueError, TypeError, KeyError)):
        decode(json.dumps(text).encode(), bytes(8))
