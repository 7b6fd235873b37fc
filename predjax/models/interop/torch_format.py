"""PyTorch checkpoint files without PyTorch: the zip format and the older one of several pickles in a row.

A pickle is a program. This module interprets it by a machine that knows only the instructions which build dictionaries,
lists, numbers and texts. Names in the file are words to this machine: none is ever looked up, so nothing in a file can
run. Instructions that no weights need are refused.
"""

import io
import math
import os
import pickletools
import warnings
import zipfile
from typing import Any, NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older format
_VERSION = 1001
_MAX_AXES = 8

# bfloat16 is read as its 16 bits, the upper half of a float32.
_STORAGES = {
    "torch.FloatStorage": "f4",
    "torch.DoubleStorage": "f8",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": "u2",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}
_DICTIONARY = "collections.OrderedDict"
_TENSOR = "torch._utils._rebuild_tensor_v2"
_ALLOWED = {_DICTIONARY, _TENSOR, *_STORAGES}

_VALUES = {
    *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
# Errors of reading bytes that are not what they should be.
_DAMAGE = (TypeError, IndexError, KeyError, EOFError, OverflowError, NotImplementedError, zipfile.BadZipFile)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, type] = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}


class _Name(NamedTuple):
    """The full name of a Python object that the file may use; the object itself is never imported."""

    text: str


class _Storage(NamedTuple):
    """A block of numbers of one type in the file."""

    key: str
    type_name: str
    size: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and stride count elements."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def read_state_dict(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read the tensors of `torch.save({'net_param': state_dict}, path)` or `torch.save(state_dict, path)`, by name.

    The arrays have the types of the file (bfloat16 as float32). Where every name begins with `module.`, as DataParallel
    leaves it, the names lose it. Errors: ValueError for anything that is not such a file; FileNotFoundError.
    """
    with open(path, "rb") as file:
        contents = file.read()
    read = _read_zip if contents.startswith(b"PK") else _read_pickles
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about texts with escapes that Python does not know
            saved, storages, order = read(contents)
        return {name: _to_array(tensor, storages, order) for name, tensor in _find_tensors(saved).items()}
    except (*_DAMAGE, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else f"damaged ({type(error).__name__}: {error})"
        raise ValueError(f"{os.fspath(path)} is not a readable PyTorch checkpoint: {reason}") from error


def _find_tensors(saved: Any) -> dict[str, _Tensor]:
    """Return the tensors of a saved state dict by name."""
    tensors = saved.get("net_param", saved) if isinstance(saved, dict) else None
    if not isinstance(tensors, dict) or not tensors:
        raise ValueError("it holds no state dict, neither as 'net_param' nor by itself")
    for name, value in tensors.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise ValueError(f"the entry {name!r} of its state dict is not a tensor")
    prefix = "module." if all(name.startswith("module.") for name in tensors) else ""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _read_zip(contents: bytes) -> tuple[Any, dict[str, Any], str]:
    """Return the saved object, the bytes of each storage, and the byte order."""
    archive = zipfile.ZipFile(io.BytesIO(contents))
    entries = {info.filename: info for info in archive.infolist()}
    if sum(info.file_size for info in entries.values()) > len(contents):
        raise ValueError("its entries are larger than the file")

    def read(name: str) -> bytes:
        # PyTorch never compresses; what is not compressed cannot grow when it is read.
        if entries[name].compress_type != zipfile.ZIP_STORED or entries[name].flag_bits & 1:
            raise ValueError(f"its entry {name} is compressed or encrypted")
        return archive.read(name)

    root = next((name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")), None)
    if root is None:
        raise ValueError("a zip file without data.pkl")
    order = read(f"{root}byteorder") if f"{root}byteorder" in entries else b"little"
    if order not in (b"little", b"big"):
        raise ValueError(f"byte order {order[:20]!r}")
    storages: dict[str, Any] = {}
    saved = _interpret(io.BytesIO(read(f"{root}data.pkl")), storages)
    for key in storages:
        if f"{root}data/{key}" not in entries:
            raise ValueError(f"storage {key!r} is missing")
        storages[key] = read(f"{root}data/{key}")
    return saved, storages, "<" if order == b"little" else ">"


def _read_pickles(contents: bytes) -> tuple[Any, dict[str, Any], str]:
    """Return the saved object, the bytes of each storage, and the byte order.

    The file has a magic number, the version, the machine, the object, the keys of the storages, and the storages.
    """
    file = io.BytesIO(contents)
    storages: dict[str, Any] = {}
    if _interpret(file, {}) != _MAGIC:
        raise ValueError("it is neither of the zip format nor of the older one")
    if _interpret(file, {}) != _VERSION:
        raise ValueError(f"its format version is not {_VERSION}")
    _interpret(file, {})  # the machine that wrote it; the numbers are little endian on every machine
    saved = _interpret(file, storages)
    keys = _interpret(file, {})
    position = file.tell()
    sizes = {key: np.dtype(_STORAGES[storage.type_name]).itemsize for key, storage in storages.items()}
    storages = dict.fromkeys(storages, b"")
    for key in _expect(list, keys):
        if _expect(str, key) not in sizes:
            raise ValueError(f"storage {key!r} belongs to no tensor")
        count = int.from_bytes(contents[position : position + 8], "little")
        stop = position + 8 + count * sizes[key]
        if stop > len(contents):
            raise ValueError(f"cut off: storage {key!r} ends at byte {stop} of {len(contents)}")
        storages[key] = memoryview(contents)[position + 8 : stop]
        position = stop
    return saved, storages, "<"


def _interpret(file: io.BytesIO, storages: dict[str, Any]) -> Any:
    """Return the object of the pickle at the file's position; add the storages that it names to `storages`, by key."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[Any, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for opcode, argument, _ in pickletools.genops(file):
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case name if name in _VALUES:
                stack.append(argument)
            case name if name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            case "MARK":
                marks.append(len(stack))
            case name if name in _EMPTY:
                stack.append(_EMPTY[name]())
            case "TUPLE":
                stack.append(tuple(since_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND":
                item = stack.pop()
                _expect(list, stack[-1]).append(item)
            case "APPENDS":
                items = since_mark()
                _expect(list, stack[-1]).extend(items)
            case "SETITEM":
                item = stack.pop()
                _set_items(stack[-2], [stack.pop(), item])
            case "SETITEMS":
                items = since_mark()
                _set_items(stack[-1], items)
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_allow(str(argument).replace(" ", ".", 1)))
            case "STACK_GLOBAL":
                name = stack.pop()
                stack.append(_allow(f"{_expect(str, stack.pop())}.{_expect(str, name)}"))
            case "BINPERSID":
                stack.append(_name_storage(stack.pop(), storages))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(_rebuild(stack.pop(), arguments))
            case "BUILD":
                stack.pop()  # attributes of the dictionary: the versions of its modules
            case "STOP":
                return stack.pop()
            case name:
                raise ValueError(f"it has the pickle instruction {name}, which no weights need")
    raise ValueError("cut off")


def _expect(kind: type, value: Any) -> Any:
    """Return the value if it is of a kind. Errors: ValueError for another kind."""
    if not isinstance(value, kind):
        raise ValueError(f"it has a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def _set_items(target: Any, items: list[Any]) -> None:
    # Only simple keys: to hash a deeply nested tuple can exhaust the stack of the process.
    for key, value in zip(items[::2], items[1::2], strict=True):
        _expect(dict, target)[key if isinstance(key, int) else _expect(str, key)] = value


def _allow(name: str) -> _Name:
    if name not in _ALLOWED:
        raise ValueError(f"it refers to {name[:80]!r}, which no weights need")
    return _Name(name)


def _name_storage(identity: Any, storages: dict[str, Any]) -> _Storage:
    """Return the storage that `('storage', type, key, device, size[, view])` names."""
    kind, type_name, key, _, size, *view = _expect(tuple, identity)
    if kind != "storage" or any(view):
        raise ValueError("it has a reference that is not a whole storage")
    storage = _Storage(_expect(str, key), _expect(_Name, type_name).text, _expect(int, size))
    if storage.type_name not in _STORAGES:
        raise ValueError(f"{storage.type_name} is not a storage")
    if storages.setdefault(key, storage) != storage:
        raise ValueError(f"it names storage {key!r} with two types or sizes")
    return storage


def _rebuild(name: Any, arguments: Any) -> Any:
    """Rebuild an object by one of the two calls that state dicts contain: an empty dictionary or a tensor."""
    name = _expect(_Name, name).text
    if name == _DICTIONARY and arguments == ():
        return {}
    if name != _TENSOR:
        raise ValueError(f"it calls {name}")
    storage, offset, size, stride, *_ = _expect(tuple, arguments)
    return _Tensor(_expect(_Storage, storage), offset, _expect(tuple, size), _expect(tuple, stride))


def _to_array(tensor: _Tensor, storages: dict[str, Any], order: str) -> np.ndarray:
    """Return the array of a tensor. All sizes are checked against the bytes in the file before any array is made."""
    storage, offset, size, stride = tensor
    numbers = (storage.size, offset, *size, *stride)
    if not all(isinstance(n, int) and n >= 0 for n in numbers) or len(size) != len(stride) or len(size) > _MAX_AXES:
        raise ValueError("it has a tensor of an impossible shape")
    dtype, data = np.dtype(order + _STORAGES[storage.type_name]), storages[storage.key]
    if storage.size * dtype.itemsize > len(data):
        raise ValueError(f"cut off: storage {storage.key!r} has {len(data)} bytes")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if math.prod(size) < 1 or max(last + 1, math.prod(size)) > storage.size:
        raise ValueError(f"it has a tensor that is empty or larger than its storage of {storage.size} numbers")
    flat = np.frombuffer(data, dtype, storage.size)[offset:]
    array = np.lib.stride_tricks.as_strided(flat, size, [n * dtype.itemsize for n in stride], writeable=False)
    if storage.type_name == "torch.BFloat16Storage":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array
