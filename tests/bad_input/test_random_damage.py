"""Valid files of every format, damaged at random: they are read, or refused on one line; never anything else.

The HDF5 library is not made for damaged files and may crash: netCDF-4 files are read in a process of their own.
"""

import collections
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from bad_input import bad_netcdf_files, bad_npy, bad_npz, bad_torch
from bad_input.bad_npy import FRAMES
from bad_input.kinds import Kind
from bad_input.readings import DAMAGE, go_through
from bad_input.test_corpus import deadline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import ROOT

GOLDEN = ROOT / "tests" / "golden"


def npy(folder):
    return bad_npy.write(folder)


def npz(folder):
    return bad_npz.pack(folder, {"a.npy": bad_npz.npy(bad_npy.header("(5, 4, 6)"))}, zipfile.ZIP_DEFLATED)


def clips(folder):
    arrays = {"clips": np.array([[[0, 2]], [[2, 3]]]), "dims": np.array([[1, 4, 6]])}
    np.savez(folder / "a.npz", **arrays, input_raw_data=FRAMES[:, None].astype("u1"))
    return folder / "a.npz"


def table(folder):
    return bad_npy.write_bytes(folder, b"# strain stress\n" + b"1 2.5 -3e-2 4 5 6\n" * 4, "a.txt")


def classic(folder):
    return bad_netcdf_files.write(folder, FRAMES.astype("i2"), form="NETCDF3_CLASSIC", fill_value=7)


def classic_5(folder):
    return bad_netcdf_files.write(folder, form="NETCDF3_64BIT_DATA")


def netcdf(folder):
    return bad_netcdf_files.write(folder, FRAMES.astype("i2"), compression="zlib", fill_value=7)


def torch(folder):
    return bad_torch.zipped(folder, bad_torch.state_dict())


def legacy(folder):
    return bad_npy.write_bytes(folder, (GOLDEN / "legacy_predrnn.ckpt").read_bytes(), "a.ckpt")


def checkpoint(folder):
    return bad_npy.write_bytes(folder, (GOLDEN / "checkpoint_2.npz").read_bytes(), "a.npz")


# Door, options, examples, and how many of the first bytes are damaged most often: where the labels are.
FORMATS = {
    npy: ("movies", {}, 300, 128),
    npz: ("movies", {}, 300, 200),
    clips: ("movies", {}, 300, 1000),
    table: ("movies", {"path_length": 2}, 200, 50),
    classic: ("movies", {}, 300, 400),
    classic_5: ("movies", {}, 300, 400),
    torch: ("torch", {}, 200, 500),
    legacy: ("torch", {}, 200, 3000),
    checkpoint: ("model", {}, 100, 81000),
}
# The continuous integration damages five times as many: `share` is the part of the examples that is tried.
SHARES = pytest.mark.parametrize("share", [0.2, pytest.param(1, marks=pytest.mark.ci)])
PLACE = st.floats(0, 1, exclude_max=True)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.booleans(), PLACE, st.integers(0, 7)),
        st.tuples(st.just("cut"), st.booleans(), PLACE, st.just(0)),
        st.tuples(st.just("drop"), st.booleans(), PLACE, st.integers(1, 16)),
        st.tuples(st.just("insert"), st.booleans(), PLACE, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("write"), st.booleans(), PLACE, st.sampled_from([b"\xff" * 4, b"\0" * 8, b"\x7f\xff" * 4])),
    ),
    min_size=1,
    max_size=4,
)


def damage(content: bytes, changes, head: int) -> bytes:
    """Content with these changes, of which one can be meant for the first `head` bytes."""
    content = bytearray(content)
    for kind, in_head, share, what in changes:
        place = int(share * (min(head, len(content)) if in_head else len(content)))
        if kind == "flip" and content:
            content[place] ^= 1 << what
        elif kind == "cut":
            del content[place:]
        elif kind == "drop":
            del content[place : place + what]
        elif kind == "insert":
            content[place:place] = what
        elif kind == "write":
            content[place : place + len(what)] = what
    return bytes(content)


def outcome(kind: Kind, path) -> str:
    """ "read", or "refused" by an error that keeps the rules; other errors pass through."""
    try:
        go_through(kind, path)
    except DAMAGE as error:
        message = str(error)
        assert message.isprintable() and path.name in message and len(message) < 3000, repr(message[:500])
        return "refused"
    return "read"


@SHARES
@pytest.mark.parametrize("make", FORMATS, ids=lambda make: make.__name__)
def test_damaged_at_random_it_is_read_or_refused(make, share, tmp_path):
    door, options, count, head = FORMATS[make]
    count = int(share * count)
    path, found = make(tmp_path), collections.Counter()
    whole, kind = path.read_bytes(), Kind(make.__name__, door, make, None, options, False)
    if door != "torch" or make is legacy:
        assert outcome(kind, path) == "read"

    @settings(max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck])
    @given(CHANGES)
    def check(changes):
        path.write_bytes(damage(whole, changes, head))
        with deadline():
            found[outcome(kind, path)] += 1

    check()
    assert found["refused"] > count / 10, found


READ = """
import json, pathlib, sys, warnings
warnings.simplefilter("error")
sys.path[:0] = {path}
from bad_input.kinds import Kind
from bad_input.test_random_damage import outcome
kind = Kind("netcdf", "movies", None, None, {{}}, False)
for file in sorted(pathlib.Path({folder!r}).glob("*.nc"))[{first}:]:
    print(file.name, end=" ", flush=True)
    try:
        found = outcome(kind, file)
    except BaseException as error:
        found = f"{{type(error).__name__}}: {{error}}".replace("\\n", " ")
    print(found, flush=True)
"""
NETCDF_FILES, NETCDF_CRASHES = 400, 4


@SHARES
def test_damaged_netcdf_4_is_read_or_refused(share, tmp_path):
    content, draw, count = netcdf(tmp_path).read_bytes(), np.random.default_rng(0), int(share * NETCDF_FILES)
    (tmp_path / "a.nc").unlink()
    for number in range(count):
        (tmp_path / f"{number:04d}.nc").write_bytes(damage(content, draw_changes(draw), 4000))
    found, crashed, first = [], [], 0
    while first < count:
        code = READ.format(path=sys.path, folder=str(tmp_path), first=first)
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
        lines = done.stdout.splitlines()
        found += [line.split(" ", 1)[1] for line in lines if " " in line.strip()]
        first += len(lines)
        if done.returncode:
            crashed.append((lines[-1] if lines else "", done.returncode, done.stderr[-300:]))
            assert len(crashed) <= NETCDF_CRASHES, crashed
    assert set(found) <= {"read", "refused"}, set(found) - {"read", "refused"}
    assert found.count("refused") > count / 10


def draw_changes(draw):
    """Changes for `damage`."""
    kinds = [("flip", 3), ("write", b"\xff" * 4), ("write", b"\0" * 8), ("drop", 4), ("cut", 0), ("insert", b"abc")]
    for number in draw.integers(0, len(kinds), draw.integers(1, 4)):
        kind, what = kinds[number]
        yield kind, bool(draw.integers(2)), draw.random(), int(draw.integers(8)) if kind == "flip" else what
