"""Markup of the report, apart from what it says: elements that escape their text, the style sheet, the page."""

import base64
import html
import io
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

# Nothing but what is inside the file: the browser itself refuses every request and every script.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
VOID = ("meta", "link", "img", "br")

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f6f8; --card: #ffffff; --ink: #1c2733; --faint: #5a6877; --line: #d5dce3; --accent: #12507f;
  --group: #e9eff5; --better: #cfe3f5; --better-sure: #7fb6e2; --worse: #fbe0cc; --worse-sure: #f0a066;
  --mark: #10202f; --warn-page: #fff3d6; --warn-line: #c77700; --warn-ink: #4d2e00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12181e; --card: #1b232b; --ink: #e4eaf0; --faint: #a3b1bf; --line: #36424e; --accent: #84bdec;
    --group: #25303a; --better: #1d3b55; --better-sure: #2f6fa6; --worse: #4d3120; --worse-sure: #9a5622;
    --mark: #f2f6fa; --warn-page: #3a2c0e; --warn-line: #e09a2b; --warn-ink: #ffe6b8;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 3.5rem; }
body { margin: 0; background: var(--page); color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
main, header > div, nav > div, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { background: var(--card); border-top: 6px solid var(--accent); padding: 1.4rem 0 1.1rem; }
header p { margin: 0; color: var(--faint); font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; }
h1 { margin: .1rem 0 0; font-size: 1.7rem; line-height: 1.25; }
h2 { margin: 0 0 .5rem; font-size: 1.25rem; color: var(--accent); }
h3 { margin: 1.4rem 0 .5rem; font-size: 1.02rem; }
p, ul { margin: .4rem 0 .7rem; }
ul { padding-left: 1.2rem; }
a { color: var(--accent); }
nav { background: var(--card); border-block: 1px solid var(--line); font-size: .9rem; }
nav > div { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding-block: .45rem; }
nav a { text-decoration: none; }
section { margin: 1.25rem 0; padding: 1.1rem 1.25rem 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; }
.warning { background: var(--warn-page); color: var(--warn-ink); border: 1px solid var(--warn-line);
  border-left-width: 8px; }
.warning h2 { color: inherit; }
.warning ul { margin-bottom: 0; }
.lead { font-size: 1.08rem; }
.note, figcaption span { color: var(--faint); font-size: .86rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.2rem; margin: .8rem 0 0; }
dt { color: var(--faint); max-width: 16rem; }
dd { margin: 0; white-space: pre-line; }
.legend { position: sticky; top: 0; z-index: 3; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem;
  margin: .3rem 0 .9rem; padding: .35rem .7rem; background: #fff; color: #222; border: 1px solid var(--line);
  border-radius: 4px; font-size: .88rem; }
.legend img { height: 16px; width: 48px; margin-right: .4rem; vertical-align: -3px; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1.1rem; }
.cards { display: grid; gap: 0 1.4rem; } .cards > div { min-width: 0; }
.beside { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; }
.beside > figure { flex: 1 1 20rem; max-width: 24rem; } .beside > div { flex: 1 1 20rem; }
.beside .legend { position: static; }
.panels.four { grid-template-columns: repeat(auto-fill, minmax(min(100%, 15.5rem), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; column-gap: .8rem;
  margin-bottom: .25rem; font-size: .92rem; }
figure img { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
.case { width: fit-content; max-width: 100%; margin-bottom: 1.4rem; }
.movie { overflow-x: auto; }
.movie img { width: auto; max-width: 44rem; }
@media (min-width: 60rem) {
  .movie img { max-width: 100%; }
  .cards.two { grid-template-columns: 1fr 1fr; }
}
.scroll { overflow-x: auto; max-width: 100%; border: 1px solid var(--line); border-radius: 4px; }
.scroll.high { max-height: 36rem; overflow-y: auto; }
table { border-collapse: separate; border-spacing: 0; font-size: .8rem; line-height: 1.3;
  font-variant-numeric: tabular-nums; overflow-wrap: normal; white-space: nowrap; min-width: 100%; }
th, td { padding: .26rem .5rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
thead { position: sticky; top: 0; z-index: 2; }
thead th { background: var(--group); font-weight: 600; vertical-align: bottom; }
thead tr.top th { text-align: center; border-left: 1px solid var(--line); }
tbody th { position: sticky; left: 0; background: var(--card); text-align: left; font-weight: 600; z-index: 1;
  white-space: normal; min-width: 8rem; max-width: 13rem; overflow-wrap: anywhere; }
tr.group th { background: var(--group); font-weight: 400; max-width: none; position: static; }
tr.group span { position: sticky; left: .6rem; }
td small, th small { display: block; color: var(--faint); font-size: .92em; font-weight: 400; }
td.first, th.first { border-left: 1px solid var(--line); }
.card th, .card td { vertical-align: middle; }
.card td, .card thead th { text-align: center; padding: .2rem .25rem; min-width: 1.9rem; font-size: .95rem; }
.card thead th { font-size: .8rem; } .card thead th:first-child { text-align: left; padding-left: .5rem; }
.card td { color: var(--mark); border: 1px solid var(--card); }
.card .better { background: var(--better); } .card .better.sure { background: var(--better-sure); }
.card .worse { background: var(--worse); } .card .worse.sure { background: var(--worse-sure); }
.card .none { color: var(--faint); }
details { margin: .9rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
footer { padding-block: .5rem 2rem; color: var(--faint); font-size: .85rem; }
@media (max-width: 40rem) {
  main, header > div, nav > div, footer { padding-inline: .8rem; }
  section { padding: .9rem .8rem 1rem; margin: .8rem 0; }
  h1 { font-size: 1.35rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .55rem; } dt { font-size: .86rem; }
}
@page { size: A4; margin: 14mm; }
@page wide { size: A4 landscape; margin: 12mm; }
@media print {
  :root { color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --faint: #444; --line: #bbb; --accent: #12507f;
    --group: #eef2f6; --better: #cfe3f5; --better-sure: #7fb6e2; --worse: #fbe0cc; --worse-sure: #f0a066;
    --mark: #000; --warn-page: #fff3d6; --warn-line: #c77700; --warn-ink: #4d2e00; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10pt; }
  main, header > div, footer { max-width: none; padding: 0; }
  nav { display: none; }
  section { border: 0; padding: 0; }
  .warning { border: 1px solid var(--warn-line); border-left-width: 8px; padding: 3mm; }
  .legend { position: static; }
  .panels { grid-template-columns: repeat(2, 1fr); } .cards { display: grid; gap: 0 1.4rem; }
.beside { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; }
.beside > figure { flex: 1 1 20rem; max-width: 24rem; } .beside > div { flex: 1 1 20rem; }
.beside .legend { position: static; }
.panels.four { grid-template-columns: repeat(3, 1fr); }
  figure, tbody, .card, dd { break-inside: avoid; } h2, h3, summary, .legend { break-after: avoid; }
  .movie img { max-width: 100%; height: auto; }
  .scroll, .scroll.high { overflow: visible; max-height: none; border: 0; }
  thead, tbody th { position: static; }
  table { font-size: 7pt; }
  .tables { page: wide; }
}
"""


class Markup(str):
    """Text that is markup already. Any other text is escaped where it enters an element."""

    __slots__ = ()


class Section(NamedTuple):
    """A part of the page under a heading; the id "warning" gives it the look of one."""

    id: str
    heading: str
    content: Markup


def element(tag: str, *content: str, **attributes: str | int) -> Markup:
    """`<tag attributes>content</tag>`; an attribute `class_` is `class`, and a `Markup` enters as it is."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for name, value in attributes.items()
    )
    if tag in VOID:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{join(*content)}</{tag}>")


def join(*content: str) -> Markup:
    """Elements and texts one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in content))


def escape(text: str) -> str:
    """Text for HTML; control characters and what UTF-8 cannot say become a replacement mark."""
    clean = (c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else "\ufffd" for c in text)
    return html.escape("".join(clean))


def embed_picture(data: bytes, alt: str, *, scale: int = 1) -> Markup:
    """An image inside the page, 1 / `scale` as large as its pixels.

    Raises:
      ValueError: the bytes are neither a PNG nor a GIF.
    """
    kind = {b"\x89PNG": "png", b"GIF8": "gif"}.get(data[:4])
    if kind is None:
        raise ValueError(f"neither a PNG nor a GIF: {data[:8]!r}")
    width, height = (round(size / scale) for size in Image.open(io.BytesIO(data)).size)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return element("img", src=source, alt=alt, width=width, height=height)


def lay_out_page(title: str, kicker: str, sections: Sequence[Section], footer: str) -> str:
    """The whole document: `kicker` above the title, links to the sections, the sections, the footer."""
    parts, links = [], []
    for name, heading, content in sections:
        look = {"class_": name} if name in ("warning", "tables") else {}
        parts.append(element("section", element("h2", heading, id=name), content, **look))
        links.append(element("a", heading, href=f"#{name}"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("link", rel="icon", href="data:,"),  # or a server would be asked for one
        element("style", Markup(STYLE)),
    )
    body = element(
        "body",
        element("header", element("div", element("p", kicker), element("h1", title))),
        element("nav", element("div", *links), aria_label="contents"),
        element("main", *parts),
        element("footer", footer),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"
