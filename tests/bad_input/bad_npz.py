"""Bad `.npz` files."""

import io
import struct
import zipfile
import zlib

import numpy as np
from bad_input.bad_npy import FRAMES, header, write_bytes
from bad_input.kinds import SENTINEL, Intruder, refused, repaired


def npy(text: str, data: bytes = FRAMES.tobytes()) -> bytes:
    """The bytes of a .npy file with whatever header."""
    text = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def pack(folder, entries: dict[str, bytes], compression=zipfile.ZIP_STORED):
    """A zip file of these entries."""
    with zipfile.ZipFile(folder / "a.npz", "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return folder / "a.npz"


def pack_zeros(folder, header: bytes, size: int):
    """A zip file of one entry: a header and `size` zeros, a multiple of 2^24, a thousandth as large; no checksum."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = squeeze.compress(header) + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(bytes(2**24)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    data = start + block * (size // 2**24) + squeeze.flush()
    sizes = struct.pack("<III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # the true ones are in the fields of zip64
    extra = struct.pack("<HHQQ", 1, 16, len(header) + size, len(data))
    common = struct.pack("<HHHHH", 45, 0, 8, 0, 33) + sizes + struct.pack("<HH", 5, len(extra))
    local = b"PK\x03\x04" + common + b"a.npy" + extra
    central = b"PK\x01\x02" + struct.pack("<H", 45) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"a.npy" + extra
    begin = len(local) + len(data)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), begin, 0)
    return write_bytes(folder, local + data + central + end, "a.npz")


@refused("movies", r"not a \.npz file")
def npz_empty_file(folder):
    return write_bytes(folder, b"", "a.npz")


@refused("movies", r"not a \.npz file")
def npz_of_html(folder):
    return write_bytes(folder, b"<!DOCTYPE html><html>404</html>", "a.npz")


@refused("movies", r"not a \.npz file")
def npz_that_is_a_npy(folder):
    np.save(folder / "a.npy", FRAMES)
    return (folder / "a.npy").rename(folder / "a.npz")


@refused("movies", "is truncated, or it is damaged")
def npz_truncated(folder):
    np.savez(folder / "a.npz", FRAMES)
    return write_bytes(folder, (folder / "a.npz").read_bytes()[:-40], "a.npz")


@refused("movies", "one array, found none")
def npz_without_entries(folder):
    return pack(folder, {})


@refused("movies", "one array, found a, b")
def npz_of_two_arrays(folder):
    np.savez(folder / "a.npz", a=FRAMES, b=FRAMES)
    return folder / "a.npz"


@refused("movies", "readme.txt: the header of the .npy file is damaged")
def npz_of_text(folder):
    return pack(folder, {"readme.txt": b"hello"})


@refused("movies", "found Python objects")
def npz_of_objects_that_run_code(folder):
    objects = np.empty((2, 3, 4), object)
    objects[...] = Intruder(folder)
    np.savez(folder / "a.npz", a=objects)
    return folder / "a.npz"


@refused("movies", "found Python objects")
def npz_clips_of_objects_that_run_code(folder):
    objects = np.empty((2, 3, 4), object)
    objects[...] = Intruder(folder)
    np.savez(folder / "a.npz", clips=objects, dims=np.array([[1, 4, 6]]), input_raw_data=FRAMES[:, None])
    return folder / "a.npz"


@refused("movies", "found true/false")
def npz_of_bool(folder):
    np.savez(folder / "a.npz", FRAMES > 3)
    return folder / "a.npz"


@refused("movies", "is damaged")
def npz_with_a_wrong_checksum(folder):
    content = bytearray(pack(folder, {"a.npy": npy(header("(5, 4, 6)"))}).read_bytes())
    content[300] ^= 1
    return write_bytes(folder, bytes(content), "a.npz")


@refused("movies", "is damaged")
def npz_with_a_damaged_stream(folder):
    content = bytearray(pack(folder, {"a.npy": npy(header("(5, 4, 6)"))}, zipfile.ZIP_DEFLATED).read_bytes())
    content[60:80] = b"\xff" * 20
    return write_bytes(folder, bytes(content), "a.npz")


@refused("movies", "encrypted")
def npz_encrypted(folder):
    content = bytearray(pack(folder, {"a.npy": npy(header("(5, 4, 6)"))}).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return write_bytes(folder, bytes(content), "a.npz")


@refused("movies", "compress")
def npz_of_an_unknown_compression(folder):
    content = bytearray(pack(folder, {"a.npy": npy(header("(5, 4, 6)"))}).read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 97
    return write_bytes(folder, bytes(content), "a.npz")


@refused("movies", "its header asks for 1000000000000128", huge=True)
def npz_header_claims_ten_to_the_15(folder):
    return pack(folder, {"a.npy": npy(header("(1000000, 1000, 1000000)", "'|u1'"))})


@refused("movies", "its header asks for 3221225600", huge=True)
def npz_header_claims_3_gigabytes(folder):
    return pack(folder, {"a.npy": npy(header("(3072, 1024, 1024)", "'|u1'"))}, zipfile.ZIP_DEFLATED)


@refused("movies", "memory", huge=True)
def npz_bomb(folder):
    frames = 3 * 2**11
    return pack_zeros(folder, npy(header(f"({frames}, 1024, 1024)", "'|u1'"), b""), frames * 2**20)


@refused("movies", "memory", huge=True)
def npz_bomb_of_a_petabyte(folder):
    path = pack_zeros(folder, npy(header(f"({2**30}, 1024, 1024)", "'|u1'"), b""), 2**24)
    content = path.read_bytes()
    small, large = (struct.pack("<Q", 128 + size) for size in (2**24, 2**50))
    return write_bytes(folder, content.replace(small, large), "a.npz")


@refused("movies", "is impossible")
def npz_negative_shape(folder):
    return pack(folder, {"a.npy": npy(header("(5, -4, 6)"))})


@refused("movies", "damaged")
def npz_header_that_is_a_call(folder):
    call = f"__import__('pathlib').Path({str(folder / SENTINEL)!r}).touch()"
    return pack(folder, {"a.npy": npy(call)})


@refused("movies", "damaged")
def npz_header_cut_off(folder):
    return pack(folder, {"a.npy": npy(header("(5, 4, 6)"))[:60]})


@refused("movies", r"input clips ask for frames 9223372036854775800 to")
def npz_clips_that_wrap_around(folder):
    clips = np.array([[[2**63 - 8, 9]], [[0, 1]]])
    np.savez(folder / "a.npz", clips=clips, dims=np.array([[1, 4, 6]]), input_raw_data=FRAMES[:, None])
    return folder / "a.npz"


@refused("movies", r"input clips ask for frames .* there are 5", huge=True)
def npz_clips_of_ten_to_the_12_frames(folder):
    clips = np.array([[[0, 10**12]], [[0, 1]]])
    np.savez(folder / "a.npz", clips=clips, dims=np.array([[1, 4, 6]]), input_raw_data=FRAMES[:, None])
    return folder / "a.npz"


@refused("movies", "no frames|empty")
def npz_clips_of_no_frames(folder):
    clips = np.zeros((2, 1, 2), int)
    np.savez(folder / "a.npz", clips=clips, dims=np.array([[1, 4, 6]]), input_raw_data=FRAMES[:, None])
    return folder / "a.npz"


@repaired()
def npz_entry_that_would_leave_the_folder(folder):
    stream = io.BytesIO()
    np.save(stream, FRAMES)
    return pack(folder, {"../../etc/a.npy": stream.getvalue()}), FRAMES


@refused("movies", r"found a\\nb, c")
def npz_names_with_line_breaks(folder):
    return pack(folder, {"a\nb.npy": npy(header("(5, 4, 6)")), "c.npy": npy(header("(5, 4, 6)"))})
