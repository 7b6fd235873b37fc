"""A check that a classic netCDF file (netCDF-3) is complete.

The netCDF library returns garbage for frames that lie behind the end of a truncated file, so the size that the
header asks for is compared with the size of the file. The format: "NetCDF Classic Format Specification" of Unidata
(CDF-1, CDF-2, CDF-5).
"""

import math
import os
import struct
from typing import BinaryIO

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}


def check_classic_size(path: str) -> None:
    """Refuse a truncated classic netCDF file.

    Errors: ValueError, which names the size found and the size the header asks for.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        try:
            needed = _size_needed(file)
        except (struct.error, KeyError, IndexError, MemoryError, OverflowError):
            raise ValueError(f"{path}: the netCDF header is damaged or cut off ({size} bytes)") from None
    if size < needed:
        raise ValueError(f"{path}: the file is truncated: it has {size} bytes, its header asks for {needed}")


def _size_needed(file: BinaryIO) -> int:
    """Return the size in bytes that the header asks for."""
    version, size = file.read(4)[3], os.fstat(file.fileno()).st_size
    count = ">Q" if version == 5 else ">I"
    offset = ">I" if version == 1 else ">Q"

    def read(form: str) -> int:
        return struct.unpack(form, file.read(struct.calcsize(form)))[0]

    def skip(num_bytes: int) -> None:
        if num_bytes > size:
            raise OverflowError("the header is longer than the file")
        file.seek(math.ceil(num_bytes / 4) * 4, os.SEEK_CUR)

    def skip_attributes() -> None:
        read(">I")
        for _ in range(read(count)):
            skip(read(count))
            size = _TYPE_SIZES[read(">I")]
            skip(read(count) * size)

    records = read(count)
    read(">I")
    lengths = []
    for _ in range(read(count)):
        skip(read(count))
        lengths.append(read(count))
    skip_attributes()
    read(">I")
    fixed_end, record_variables = 0, []
    for _ in range(read(count)):
        skip(read(count))
        shape = [lengths[read(count)] for _ in range(read(count))]
        skip_attributes()
        type_size = _TYPE_SIZES[read(">I")]
        read(count)  # The size field overflows for large variables; the shape does not.
        begin = read(offset)
        if shape and shape[0] == 0:
            record_variables.append((begin, type_size * math.prod(shape[1:])))
        else:
            fixed_end = max(fixed_end, begin + type_size * math.prod(shape))
    streaming = 2 ** (8 * struct.calcsize(count)) - 1
    if not record_variables or records in (0, streaming):
        return fixed_end
    # One record holds a slab of every record variable, each padded to 4 bytes unless it is the only one.
    sizes = [size for _, size in record_variables]
    record = sizes[0] if len(sizes) == 1 else sum(math.ceil(size / 4) * 4 for size in sizes)
    return max(fixed_end, *(begin + (records - 1) * record + size for begin, size in record_variables))
