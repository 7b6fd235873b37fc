"""The numbers of images in PNG, GIF and JPEG files: grey levels, or indices into a palette."""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

IMAGE = "image"
_TYPES = {"L": "u1", "I;16": "<u2", "I;16B": ">u2", "I": "<i4"}  # of Pillow's grey images


class ImageFile(NamedTuple):
    """An image that was read."""

    variables: dict[str, np.ndarray]  # the pixels (y, x)

    def close(self) -> None:
        """Do nothing: the file was read as a whole."""


def read_grey(path: str) -> ImageFile:
    """Read the grey levels of an image that is stored as greys, or as colours that are all grey.

    Errors: ValueError or OSError, one line: it is no image, or has colours or transparency.
    """
    image = _open(path)
    if image.mode in _TYPES:
        return ImageFile({IMAGE: np.asarray(image).astype(_TYPES[image.mode])})
    colours = np.asarray(image.convert("RGBA"))
    if (colours[..., 3] != 255).any():
        raise ValueError(f"{path}: an image must not have transparent pixels: what is their value?")
    if (colours[..., :3] != colours[..., :1]).any():
        raise ValueError(f"{path}: an image must be grey: nothing tells the values of its colours")
    return ImageFile({IMAGE: colours[..., 0]})


def read_palette(path: str) -> ImageFile:
    """Read the palette indices of an image. Errors: see `read_grey`; ValueError without a palette."""
    image = _open(path)
    if image.mode not in ("P", "L"):
        raise ValueError(f"{path}: an image must have a palette, found the mode {image.mode} of Pillow")
    return ImageFile({IMAGE: np.asarray(image)})


def _open(path: str) -> Any:
    try:
        with open(path, "rb") as stream:
            image: Any = Image.open(stream)
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError(f"it has {image.n_frames} images, and a file must be one frame")
            image.load()
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, EOFError) as error:
        reason = str(error).partition(" <_io")[0]  # not the name of the open file
        raise ValueError(f"{path}: the image cannot be read ({reason})") from None
    return image
