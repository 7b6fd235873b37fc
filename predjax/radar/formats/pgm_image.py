"""Grey images in PGM files (P5), plain or gzipped, as a whole."""

import gzip
import re
import zlib
from typing import NamedTuple

import numpy as np

IMAGE = "image"
GZIP = b"\x1f\x8b"
MOST_PIXELS = 178_956_970  # as Pillow has it for images: a small file may unpack to any size
_MOST_LABELS = 2**16  # bytes of the header
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
    with open(path, "rb") as file:
        zipped = file.read(2) == GZIP
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if zipped else file
        try:
            start = stream.read(_MOST_LABELS)
            header = _HEADER.match(start)
            if header is None:
                rule = "a PGM file must start with P5, width, height and largest grey"
                raise ValueError(f"{path}: {rule}, found {start[:8]!r}")
            width, height, largest = (int(number) for number in header.groups())
            if not (width and height and 0 < largest < 65536):
                found = f"{width} x {height} of {largest}"
                raise ValueError(f"{path}: an image must have pixels of 1 to 65535, found {found}")
            if width * height > MOST_PIXELS:
                raise ValueError(f"{path}: an image must have at most {MOST_PIXELS} pixels, found {width} x {height}")
            dtype = np.dtype("u1" if largest < 256 else ">u2")
            needed = header.end() + width * height * dtype.itemsize
            # One more than there should be, so that the checksum at the end of a gzip file is read.
            data = start + stream.read(max(0, needed + 1 - len(start)))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: the gzip file is truncated or damaged ({error})") from None
    if len(data) < needed:
        raise ValueError(f"{path}: the file is truncated: it has {len(data)} bytes, its header asks for {needed}")
    image = np.frombuffer(data, dtype, width * height, header.end()).reshape(height, width)
    comments = re.findall(rb"#([^\n]*)", header[0])
    return PgmFile({IMAGE: image}, [line.decode(errors="replace").strip() for line in comments], largest)
