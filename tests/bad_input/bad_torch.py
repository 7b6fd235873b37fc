"""Bad PyTorch checkpoints, of the zip format and of the older one of several pickles."""

import pathlib
import pickle
import struct
import zipfile

import numpy as np
from bad_input.bad_npy import write_bytes
from bad_input.kinds import Intruder, refused

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
SIX = np.arange(6, dtype="<f4").tobytes()
LEGACY = pathlib.Path(__file__).resolve().parents[1] / "golden" / "legacy_predrnn.ckpt"


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def integer(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def state_dict(name="w", count=6, size=(2, 3), stride=(3, 1)) -> bytes:
    """The program of `{name: tensor}` as PyTorch writes it."""
    identity = [text("storage"), b"ctorch\nFloatStorage\n", text("0"), text("cpu"), integer(count)]
    numbers = [integer(0), *(b"(" + b"".join(map(integer, n)) + b"t" for n in (size, stride))]
    ordered = b"ccollections\nOrderedDict\n)R"
    tensor = b"(" + b"(" + b"".join(identity) + b"tQ" + b"".join(numbers) + b"\x89" + ordered + b"t"
    return b"\x80\x02" + ordered + text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n" + tensor + b"R" + b"s."


def zipped(folder, program: bytes, storage: bytes = SIX, compression=zipfile.ZIP_STORED, **more: str):
    with zipfile.ZipFile(folder / "a.ckpt", "w", compression) as archive:
        for name, content in {"data.pkl": program, **more, "data/0": storage}.items():
            archive.writestr(f"model/{name}", content)
    return folder / "a.ckpt"


def legacy(folder, program: bytes, keys=b"", storage: bytes = SIX, count: int = 6):
    head = b"".join(pickle.dumps(value, 2) for value in (MAGIC, VERSION, {"little_endian": True}))
    keys = keys or pickle.dumps(["0"], 2)
    return write_bytes(folder, head + program + keys + struct.pack("<q", count) + storage, "a.ckpt")


@refused("torch", "neither of the zip format|cut off|not a readable")
def torch_empty_file(folder):
    return write_bytes(folder, b"", "a.ckpt")


@refused("torch", "not a readable PyTorch checkpoint")
def torch_of_html(folder):
    return write_bytes(folder, b"<!DOCTYPE html><html>404</html>", "a.ckpt")


@refused("torch", "damaged|cut off")
def torch_truncated(folder):
    content = LEGACY.read_bytes()
    return write_bytes(folder, content[: len(content) // 2], "a.ckpt")


@refused("torch", "damaged")
def torch_zip_truncated(folder):
    content = zipped(folder, state_dict()).read_bytes()
    return write_bytes(folder, content[:-30], "a.ckpt")


@refused("torch", "refers to '(posix|nt)[. ]system'")
def torch_that_runs_code(folder):
    return zipped(folder, pickle.dumps({"net_param": {"w": Intruder(folder)}}, 2))


@refused("torch", "refers to '(posix|nt)[. ]system'")
def torch_legacy_that_runs_code(folder):
    return legacy(folder, pickle.dumps(Intruder(folder), 2))


@refused("torch", "refers to '(posix|nt)[. ]system'")
def torch_legacy_that_runs_code_at_its_end(folder):
    return legacy(folder, state_dict(), pickle.dumps([Intruder(folder)], 2))


@refused("torch", "refers to '(posix|nt)[. ]system'|instruction")
def torch_that_is_a_renamed_pickle(folder):
    return write_bytes(folder, pickle.dumps(Intruder(folder), 4), "a.ckpt")


@refused("torch", "refers to|which no weights need")
def torch_that_names_a_function_with_line_breaks(folder):
    return zipped(folder, b"\x80\x04" + text("os\nx") + text("system\x1b[31m") + b"\x93.")


@refused("torch", "cut off: storage '0' has 24 bytes", huge=True)
def torch_storage_larger_than_the_file(folder):
    return zipped(folder, state_dict(count=10**15, size=(10**15,), stride=(1,)))


@refused("torch", "cut off: storage '0' ends at byte", huge=True)
def torch_legacy_storage_larger_than_the_file(folder):
    return legacy(folder, state_dict(), count=2**61)


@refused("torch", "larger than its storage", huge=True)
def torch_tensor_repeated_without_end(folder):
    return zipped(folder, state_dict(size=(2**30, 2**30), stride=(0, 0)))


@refused("torch", "impossible shape|damaged")
def torch_stride_of_100_bits(folder):
    return zipped(folder, state_dict(size=(1, 1), stride=(2**100, 2**100)))


@refused("torch", "impossible shape")
def torch_negative_size(folder):
    return zipped(folder, state_dict(size=(-2, -3)))


@refused("torch", "expected 4294967280 bytes|damaged|not a readable", huge=True)
def torch_text_of_4_gigabytes(folder):
    return zipped(folder, b"\x80\x02X" + struct.pack("<I", 2**32 - 16) + b"abc")


@refused("torch", "entries are larger than the file", huge=True)
def torch_zip_bomb(folder):
    return zipped(folder, state_dict(), bytes(10**8), zipfile.ZIP_DEFLATED)


@refused("torch", "holds no state dict|which no weights need|belongs")
def torch_nested_ten_thousand_deep(folder):
    return zipped(folder, b"\x80\x02" + b")" + b"\x85" * 10**5 + b".")


@refused("torch", "belongs")
def torch_key_nested_ten_thousand_deep(folder):
    return zipped(folder, b"\x80\x02}" + b")" + b"\x85" * 10**5 + b"K\x01s.")


@refused("torch", "holds no state dict|not a tensor")
def torch_list_that_holds_itself(folder):
    return zipped(folder, b"\x80\x02]q\x00h\x00a.")


@refused("torch", "not a tensor")
def torch_entry_that_is_a_number(folder):
    return zipped(folder, pickle.dumps({"w": 3}, 2))


@refused("torch", "byte order")
def torch_of_another_byte_order(folder):
    return zipped(folder, state_dict(), byteorder="middle")


@refused("torch", "holds no state dict")
def torch_without_entries(folder):
    return zipped(folder, pickle.dumps({}, 2))


@refused("torch", "not the weights of a PredRNN")
def torch_of_another_network(folder):
    return zipped(folder, state_dict())


@refused("torch", r"cell_list|unknown|not the weights")
def torch_names_with_line_breaks(folder):
    return zipped(folder, state_dict("cell_list.0.\nx\x1b[31m"))
