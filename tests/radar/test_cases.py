"""Small inputs with a feature that people's files have: read right, or refused with a line that names the cause."""

import runpy
import sys

import numpy as np
import pytest

from predjax.radar.readers import read_movies

CASES = {
    # the script: its file, the sizes of the frames, a frame with its greatest value, remarks
    "openstl_ntchw/one.npy": ((6, 24, 40, 40, 1), 1.0, "axes (6, 24, 1, 40, 40) taken as movie,time,channel,y,x"),
    "openstl_ntchw/three.npy": ((6, 24, 40, 40, 3), 1.0, "axes (6, 24, 3, 40, 40) taken as movie,time,channel,y,x"),
    "mnist_test_seq/mnist_test_seq.npy": (
        (200, 20, 32, 32, 1),
        255.0,
        "axes (20, 200, 32, 32) taken as time,movie,y,x",
    ),
    "bare_latlon/a.nc": (
        (1, 30, 24, 20, 1),
        6.0,
        "lat and lon of each pixel are left out: rows and columns are numbered",
    ),
    "both_fill/a.nc": ((1, 20, 24, 20, 1), 5.5, ""),
    "unsigned_false/a.nc": ((1, 30, 24, 20, 1), 5.0, ""),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_script_makes_is_read_and_what_was_taken_for_what_is_said(case, shared, tmp_path, monkeypatch):
    script, _, name = case.partition("/")
    shape, greatest, remark = CASES[case]
    monkeypatch.setattr(sys, "argv", [script, str(tmp_path)])
    runpy.run_path(str(shared / "cases" / f"{script}.py"))
    (movies,) = read_movies(tmp_path / name)
    assert movies.frames.shape == shape
    np.testing.assert_allclose(np.nanmax(movies.frames.values), greatest, rtol=1e-3)
    assert bool(remark) == bool(movies.attrs["remarks"]) and remark in "".join(movies.attrs["remarks"])


def test_objects_that_are_no_dataset(shared, capsys):
    runpy.run_path(str(shared / "cases" / "datatree.py"))
    tree, array, several, named, table = capsys.readouterr().out.splitlines()
    for line in (tree, array, several, named):
        assert "'time': 8, 'y': 24, 'x': 20" in line
    assert "DataFrame ValueError" in table and "give frame.to_xarray()" in table
