"""Figures outside the state of pyplot, and their PNG."""

import io
import os

from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from predjax.files import appearing


def new_figure(width: float, height: float, dpi: int) -> Figure:
    """Return a white figure of `width` by `height` pixels (rounded) with a canvas of its own."""
    # The canvas cuts off fractions of a pixel, so the size stays just above the whole number.
    figure = _Figure(figsize=((round(width) + 1e-3) / dpi, (round(height) + 1e-3) / dpi), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


class _Figure(Figure):
    """A figure that shows the $ of file names and units as a plain character; only the numbers of axes are formulas."""

    def draw(self, renderer: RendererBase) -> None:
        _show_plainly(self)
        super().draw(renderer)


def _show_plainly(artist: Artist) -> None:
    # The children of an axis are also its ticks, which would be made anew.
    for child in [artist.label, artist.get_offset_text()] if isinstance(artist, Axis) else artist.get_children():
        if isinstance(child, Text):
            child.set_parse_math(False)
        else:
            _show_plainly(child)


def save_png(figure: Figure, path: str | os.PathLike, *, overwrite: bool) -> None:
    """Write the figure at its own resolution, whole or not at all.

    Errors: FileExistsError, `path` exists and `overwrite` is False.
    """
    with appearing(path, overwrite=overwrite) as partial:
        figure.savefig(partial, format="png", dpi=figure.dpi)


def encode_png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG, at its own resolution; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None}, pil_kwargs={"optimize": True})
    return buffer.getvalue()
