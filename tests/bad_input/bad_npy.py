"""Bad `.npy` files."""

import os
import pickle
import struct

import numpy as np
from bad_input.kinds import Intruder, refused, repaired

FRAMES = np.arange(5 * 4 * 6, dtype=np.float32).reshape(5, 4, 6)


def write(folder, array=FRAMES, name="a.npy", **options):
    """A .npy file of an array."""
    np.save(folder / name, array, **options)
    return folder / name


def write_header(folder, header: str, data: bytes = FRAMES.tobytes(), version=(1, 0)):
    """A .npy file with whatever header."""
    text = header.encode("latin1").ljust(117) + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    (folder / "a.npy").write_bytes(b"\x93NUMPY" + bytes(version) + size + text + data)
    return folder / "a.npy"


def header(shape: str, descr: str = "'<f4'", fortran: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def write_bytes(folder, content: bytes, name="a.npy"):
    (folder / name).write_bytes(content)
    return folder / name


@refused("movies", "the file is empty")
def npy_empty_file(folder):
    return write_bytes(folder, b"")


@refused("movies", r"not a \.npy file .*1 2 3")
def npy_of_text(folder):
    return write_bytes(folder, b"1 2 3\n4 5 6\n")


@refused("movies", r"not a \.npy file")
def npy_of_a_pickle(folder):
    return write_bytes(folder, pickle.dumps(Intruder(folder)))


@refused("movies", "values must be .* found Python objects")
def npy_of_objects_that_run_code(folder):
    objects = np.empty((2, 3, 4), object)
    objects[...] = Intruder(folder)
    return write(folder, objects, allow_pickle=True)


@refused("movies", "values must be .* found records")
def npy_of_records_with_objects(folder):
    return write(folder, np.zeros((2, 3, 4), [("a", "f4"), ("b", "O")]), allow_pickle=True)


@refused("movies", "true/false")
def npy_of_bool(folder):
    return write(folder, FRAMES > 3)


@refused("movies", "complex numbers")
def npy_of_complex(folder):
    return write(folder, FRAMES.astype("c8"))


@refused("movies", "found text")
def npy_of_words(folder):
    return write(folder, np.full((2, 3, 4), "rain"))


@refused("movies", "the file is truncated: it has 200 bytes")
def npy_truncated(folder):
    path = write(folder)
    os.truncate(path, 200)
    return path


@refused("movies", "header .* is damaged or cut off")
def npy_cut_in_its_header(folder):
    path = write(folder)
    os.truncate(path, 40)
    return path


@refused("movies", "header .* is damaged")
def npy_header_version_9(folder):
    return write_header(folder, header("(5, 4, 6)"), version=(9, 0))


@refused("movies", "the file is truncated: .* its header asks for 4000000000000128", huge=True)
def npy_header_claims_ten_to_the_15(folder):
    return write_header(folder, header("(1000000, 1000000, 1000)"))


@refused("movies", "the file is truncated: .* its header asks for 73786976294838206592", huge=True)
def npy_shape_that_wraps_around(folder):
    return write_header(folder, header(f"({2**62}, 4, 1)"), b"")


@refused("movies", r"the shape \(5, -4, 6\) is impossible")
def npy_negative_shape(folder):
    return write_header(folder, header("(5, -4, 6)"))


@refused("movies", r"the shape \(-5, -4, 6\) is impossible")
def npy_two_negative_sizes(folder):
    return write_header(folder, header("(-5, -4, 6)"))


@refused("movies", "header .* is damaged")
def npy_shape_of_reals(folder):
    return write_header(folder, header("(5.0, 4, 6)"))


@refused("movies", r"the shape \(True, 4, 6\) is impossible|header .* is damaged")
def npy_shape_of_truths(folder):
    return write_header(folder, header("(True, 4, 6)"))


@refused("movies", "header .* is damaged")
def npy_header_that_is_a_call(folder):
    call = f"__import__('pathlib').Path({str(folder / 'somebody-was-here')!r}).touch()"
    return write_header(folder, call)


@refused("movies", "header .* is damaged")
def npy_header_nested_deeply(folder):
    return write_header(folder, header("(" * 3000 + "1" + ")" * 3000))


@refused("movies", "header .* is damaged")
def npy_header_of_60000_digits(folder):
    return write_header(folder, header(f"({'9' * 60000},)"))


@refused("movies", "header .* is damaged")
def npy_unknown_type(folder):
    return write_header(folder, header("(5, 4, 6)", descr="'<q99'"))


@refused("movies", "records|is damaged")
def npy_type_of_no_bytes(folder):
    return write_header(folder, header("(5, 4, 6)", descr="'V0'"))


@refused("movies", "records|is damaged|axes")
def npy_subarray_type(folder):
    return write_header(folder, header("(5,)", descr="('<f4', (4, 6))"))


@refused("movies", r"the array is empty, its shape is \(0, 4, 6\)")
def npy_without_frames(folder):
    return write(folder, np.zeros((0, 4, 6)))


@refused("movies", "an array needs 2 to 5 axes")
def npy_of_one_number(folder):
    return write(folder, np.float32(3))


@refused("movies", "an array needs 2 to 5 axes")
def npy_of_six_axes(folder):
    return write(folder, np.ones((1, 2, 3, 1, 1, 1), "f4"))


@refused("movies", "does not tell the axes: give --layout")
def npy_of_ambiguous_axes(folder):
    return write(folder, np.ones((3, 4, 4, 4), "f4"))


@refused("movies", "no finite value in any")
def npy_all_nan(folder):
    return write(folder, np.full((5, 4, 6), np.nan, "f4"))


@refused("movies", r"holds an infinite value \(inf\)")
def npy_with_infinity(folder):
    frames = FRAMES.copy()
    frames[2, 1, 1] = np.inf
    return write(folder, frames)


@refused("movies", "holds -8888, which cannot be weather", units="mm/h")
def npy_with_undeclared_8888(folder):
    frames = FRAMES.copy()
    frames[3, 0, 0] = -8888
    return write(folder, frames)


@repaired()
def npy_unwritten_fill_is_missing(folder):
    frames = FRAMES.copy()
    frames[3, 0, 0] = 9.96921e36
    return write(folder, frames), np.where(frames > 1e36, np.nan, frames)


@repaired()
def npy_one_frame_of_nan_is_no_coverage(folder):
    frames = FRAMES.copy()
    frames[2] = np.nan
    return write(folder, frames), frames


@repaired()
def npy_big_endian(folder):
    return write(folder, FRAMES.astype(">f4")), FRAMES


@repaired()
def npy_fortran_order(folder):
    return write(folder, np.asfortranarray(FRAMES)), FRAMES


@repaired()
def npy_float16(folder):
    return write(folder, FRAMES.astype("f2")), FRAMES


@repaired()
def npy_int64_does_not_wrap(folder):
    frames = FRAMES.astype("i8") + 2**40
    return write(folder, frames), frames.astype("f4")


@repaired()
def npy_uint64_does_not_wrap(folder):
    frames = FRAMES.astype("u8") + np.uint64(2**63)
    return write(folder, frames), frames.astype("f4")


@repaired()
def npy_float64_beyond_float32(folder):
    frames = FRAMES.astype("f8")
    frames[1, 1, 1] = 1e300
    return write(folder, frames), np.where(frames > 1e36, np.nan, frames)


@repaired()
def npy_with_more_bytes_than_its_array(folder):
    path = write(folder)
    path.write_bytes(path.read_bytes() + b"more")
    return path, FRAMES
