"""Packings: how far a code may be off, and what cannot be packed."""

import numpy as np
import pytest

from predjax.commands.prepare import main as prepare
from predjax.radar.readers import read_movies
from predjax.radar.store.packing import choose_packing, make_ladder


@pytest.mark.parametrize("units", ["dBZ", "mm/h"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_ladder_is_off_by_half_a_step_at_most(units, dtype):
    ladder = make_ladder(units, dtype)
    low, high = float(ladder.values[0]), float(ladder.values[-1])
    values = np.random.default_rng(0).uniform(low, high, (4, 5000)).astype(np.float32)
    values[1] = np.exp(np.random.default_rng(1).uniform(np.log(1e-3), np.log(high), 5000))
    values[2, :99] = np.nan
    codes, clipped = ladder.encode(values)
    decoded = ladder.table[codes]
    assert (codes.dtype, clipped) == (np.dtype(dtype), 0)
    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(values))
    assert (codes[2, :99] == ladder.description["missing_code"]).all()
    for start, stop, step in ladder.description["steps"]:
        inside = (values >= start) & (values <= stop)
        error = np.abs(decoded - values)[inside]
        half = values[inside] * (float(step.split()[1]) - 1) / 2 if isinstance(step, str) else step / 2
        assert (error <= half * 1.001 + 1e-5 * np.abs(values[inside])).all()
    if "scale" in ladder.description:
        linear = codes * ladder.description["scale"] + ladder.description["offset"]
        np.testing.assert_allclose(linear[0], decoded[0], rtol=1e-6, atol=1e-5)


def test_a_ladder_keeps_the_decimals_of_files_and_counts_what_is_beyond():
    ladder = make_ladder("dBZ", "uint16")
    values = (np.arange(-3200, 9500, dtype=np.float32)[None] * np.float32(1)).astype(np.float64) * 0.01
    decoded = ladder.table[ladder.encode(values.astype(np.float32))[0]]
    np.testing.assert_array_equal(decoded.view("u4"), values.astype(np.float32).view("u4"))
    codes, clipped = make_ladder("dBZ", "uint8").encode(np.float32([[-50, 0, 100, np.nan]]))
    assert clipped == 2
    np.testing.assert_array_equal(make_ladder("dBZ", "uint8").table[codes], np.float32([[-32, 0, 95, np.nan]]))


def test_a_dtype_that_does_not_fit_is_refused(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((4, 6, 6)))
    assert prepare(["--data_path", f"{tmp_path}/a.npy", "--output", f"{tmp_path}/s", "--dtype", "uint8"]) == 2
    assert "a.npy: uint8 codes are for dBZ, mm/h and integers that fit" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy"]
    with pytest.raises(ValueError, match="dtype must be one of"):
        choose_packing(read_movies(tmp_path)[0], "int8")


def test_values_without_a_ladder_stay_as_they_are(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((4, 6, 6)).astype(np.float32))
    (movies,) = read_movies(tmp_path)
    packing, frames = choose_packing(movies, "auto")
    assert (packing.dtype, packing.description, packing.table) == ("<f4", {"kind": "float32"}, None)
    numbers, clipped = packing.encode(frames.values[0])
    assert clipped == 0 and numbers.dtype == "<f4"
    np.testing.assert_array_equal(numbers, movies.frames.values[0])
