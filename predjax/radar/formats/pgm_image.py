"""Grey images in PGM files (P5), plain or gzipped, as a whole."""

import gzip
import re
import zlib
from typing import NamedTuple

import numpy as np

IMAGE = "image"
GZIP = b"\x1f\x8b"
_HEADER = re.compile(rb"P5(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")


class PgmFile(NamedTuple):
    """An image that was read."""

    variables: dict[str, np.ndarray]  # the pixels (y, x), uint8 or uint16
    comments: list[str]  # the comment lines of the header without their "#"
    largest: int  # the largest grey value by the header

    def close(self) -> None:
        """Do nothing: the file was read as a whole."""


def read_image(path: str) -> PgmFile:
    """Read a file.

    Raises:
      ValueError: it is not a PGM file, or a truncated or damaged one.
      OSError: from the operating system.
    """
    with open(path, "rb") as stream:
        data = stream.read()
    if data[:2] == GZIP:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: the gzip file is truncated or damaged ({error})") from None
    header = _HEADER.match(data)
    if header is None:
        raise ValueError(f"{path}: a PGM file must start with P5, width, height and largest grey, found {data[:8]!r}")
    width, height, largest = (int(number) for number in header.groups())
    if not (width and height and 0 < largest < 65536):
        raise ValueError(f"{path}: an image must have pixels of 1 to 65535, found {width} x {height} of {largest}")
    dtype = np.dtype("u1" if largest < 256 else ">u2")
    needed = header.end() + width * height * dtype.itemsize
    if len(data) < needed:
        raise ValueError(f"{path}: the file is truncated: it has {len(data)} bytes, its header asks for {needed}")
    image = np.frombuffer(data, dtype, width * height, header.end()).reshape(height, width)
    comments = re.findall(rb"#([^\n]*)", header[0])
    return PgmFile({IMAGE: image}, [line.decode(errors="replace").strip() for line in comments], largest)
