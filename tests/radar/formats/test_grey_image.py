"""Images as numbers: greys however they are stored, and no colours."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from predjax.radar.formats.grey_image import IMAGE, read_grey, read_palette

GREYS = np.arange(0, 250, 10, dtype="u1").reshape(5, 5)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("L", "png"), ("RGB", "png"), ("RGBA", "png"), ("LA", "png"), ("P", "png"), ("L", "gif"), ("P", "gif")],
)
def test_greys_are_found_in_every_mode(tmp_path, mode, suffix):
    path, image = tmp_path / f"a.{suffix}", Image.fromarray(GREYS)
    if mode == "P":  # places count down where greys go up
        image = Image.fromarray(255 - GREYS)
        image.putpalette(np.repeat(np.arange(255, -1, -1).astype("u1"), 3).tobytes())
    (image if mode == "P" else image.convert(mode)).save(path)
    np.testing.assert_array_equal(read_grey(str(path)).variables[IMAGE], GREYS)


def test_sixteen_bits_are_kept(tmp_path):
    Image.fromarray(GREYS.astype("u2") * 200).save(path := tmp_path / "a.png")
    np.testing.assert_array_equal(read_grey(str(path)).variables[IMAGE], GREYS.astype(int) * 200)


def test_places_in_a_palette_are_not_its_colours(tmp_path):
    image = Image.fromarray(GREYS)
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype("u1").tobytes())
    image.save(path := tmp_path / "a.png")
    np.testing.assert_array_equal(read_palette(str(path)).variables[IMAGE], GREYS)
    with pytest.raises(ValueError, match=r"a\.png: an image must be grey: nothing tells the values of its colours"):
        read_grey(str(path))
    Image.fromarray(np.zeros((2, 2, 3), "u1")).save(path)
    with pytest.raises(ValueError, match=r"a\.png: an image must have a palette, found the mode RGB"):
        read_palette(str(path))


def test_what_is_no_frame_is_named(tmp_path):
    path = str(tmp_path / "a.png")
    Image.fromarray(np.stack([GREYS, GREYS], 2), "LA").save(path)
    with pytest.raises(ValueError, match=r"a\.png: an image must not have transparent pixels"):
        read_grey(path)
    Image.fromarray(GREYS).save(path)
    whole = (tmp_path / "a.png").read_bytes()
    for content in (whole[:45], b"hello, radar", b""):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.png: the image cannot be read \([^/\n]*\)$"):
            read_grey(path)
    images = [Image.fromarray(GREYS), Image.fromarray(GREYS.T.copy())]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:])
    with pytest.raises(ValueError, match=r"a\.gif: the image cannot be read \(it has 2 images, and a file must be one"):
        read_grey(str(tmp_path / "a.gif"))
    with pytest.raises(FileNotFoundError):
        read_grey(str(tmp_path / "none.png"))


def test_an_image_that_would_unpack_to_too_many_pixels_is_refused(tmp_path):
    Image.fromarray(GREYS).save(path := tmp_path / "a.png")
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 70_000, 70_000)  # the width and height of the header
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.png: the image cannot be read .*4900000000 pixels"):
        read_grey(str(path))
