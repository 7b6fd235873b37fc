"""The page: it loads nothing, runs nothing, shows every picture, and trusts no text."""

import base64
import io
import re

import pytest
from PIL import Image
from reports import gif, write

from predjax.pictures.report.page import embed_picture
from predjax.pictures.report.write import ReportCase


def test_the_page_loads_nothing_and_runs_nothing(full):
    text, page = full
    assert {link.split(",")[0] for link in page.links()} <= {f"#{name}" for name in page.sections} | {
        "data:",
        "data:image/png;base64",
        "data:image/gif;base64",
    }
    assert not {"script", "iframe", "object", "embed", "form", "base", "svg"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    assert text.count("http-equiv") == 1
    policy = text.split('<meta http-equiv="Content-Security-Policy" content="')[1].split('"')[0].split("; ")
    assert {"default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"} < set(policy)


def test_every_picture_is_whole_and_described(full):
    _, page = full
    pictures = re.findall(
        r'<img src="data:image/(png|gif);base64,([^"]+)" alt="([^"]*)" width="(.*?)" height="(.*?)">', full[0]
    )
    assert len(pictures) == page.tags.count("img") > 10 and [kind for kind, *_ in pictures].count("gif") == 2
    for kind, data, alt, width, height in pictures:
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            picture.load()
            scale = 2 if kind == "png" else 1
            assert picture.size == (scale * int(width), scale * int(height))
            assert alt or picture.size == (96, 32)  # beside a swatch of a legend stands its name


def test_a_picture_of_another_kind_is_named():
    with pytest.raises(
        ValueError, match=r"picture of the best case is neither GIF nor PNG: it starts with b'\\xff\\xd8'"
    ):
        embed_picture(b"\xff\xd8", "best case")


def test_text_of_others_stays_text(tmp_path, small, real_pictures):
    nasty = "<script>alert('1')</script> & \"><img src=x onerror=alert(1)> $\\frac{"
    two = [of.isel(method=[0, 1]) for of in small]
    renamed = [of.assign_coords(method=[nasty, "persistence"]).assign_attrs(units="$\\x{<i>") for of in two]
    text, page = write(
        tmp_path / "a.html",
        *renamed,
        title=nasty,
        facts={nasty: nasty},
        warnings=[nasty],
        cases=[ReportCase(nasty, nasty, nasty, gif())],
    )
    assert "script" not in page.tags and "i" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.texts.count(nasty) >= 6  # the title twice, the fact's two, the warning, the case's note
    assert page.tags.count("img") == len(re.findall("<img ", text))
    assert all(value.startswith("data:image/") for _, name, value in page.attributes if name == "src")


def test_what_utf_8_cannot_say_is_replaced(tmp_path, small):
    text, page = write(tmp_path / "a.html", *small, title="caf\u00e9 \udce9.nc\x00\x1b[2J")
    assert "café \ufffd.nc\ufffd\ufffd[2J" in page.texts
    assert "\x00" not in text


def test_the_same_data_give_the_same_page(tmp_path, small, real_pictures):
    pages = [write(tmp_path / name, *small)[0] for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]
