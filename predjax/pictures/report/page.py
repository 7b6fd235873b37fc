"""The page of the report: its sections, the pictures that it embeds, and the templates that make HTML of them."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
from PIL import Image

UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and what UTF-8 cannot encode


class Section(NamedTuple):
    """A part of the page under a heading: `templates/<template>.html.jinja` shows `content`."""

    id: str
    heading: str
    template: str
    content: Mapping[str, Any]


class Picture(NamedTuple):
    """A picture inside the page: its bytes as a data URL, its size on the page, its text for readers, its caption."""

    source: str
    width: int
    height: int
    alt: str
    title: str = ""
    note: str = ""


def embed_picture(data: bytes, alt: str, title: str = "", note: str = "", *, scale: int = 1) -> Picture:
    """Return a picture from the bytes of a PNG or GIF, shown at 1 / `scale` of its size in pixels.

    Errors: ValueError, the bytes are neither a PNG nor a GIF.
    """
    kind = {b"\x89PNG": "png", b"GIF8": "gif"}.get(data[:4])
    if kind is None:
        raise ValueError(f"the picture of the {alt} is neither GIF nor PNG: it starts with {data[:8]!r}")
    width, height = (round(size / scale) for size in Image.open(io.BytesIO(data)).size)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return Picture(source, width, height, alt, title, note)


def render_page(title: str, sections: Sequence[Section]) -> str:
    """Return the HTML of the whole page. All text is escaped; characters that no file can show become U+FFFD."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("predjax.pictures.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.jinja").render(title=title, sections=sections)
    return UNPRINTABLE.sub("\ufffd", page)
