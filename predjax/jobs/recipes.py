"""Published settings as files of flags, which the package holds: `predjax train --recipe NAME`."""

import json
import pathlib
import textwrap
from typing import Any

from predjax.messages import suggest

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "recipes"
REMARKS = ("title", "source", "data", "differs")  # what every recipe says about itself, after a "#"
WIDTH = 110


def list_recipes() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def find_recipe(name: str) -> pathlib.Path:
    """Return the file of a recipe. Errors: ValueError for an unknown name."""
    names = list_recipes()
    if name not in names:
        raise ValueError(f"recipe {name!r} is not one of {', '.join(names)}{suggest(name, names)}")
    return FOLDER / f"{name}.json"


def read_recipe(name: str) -> dict[str, Any]:
    """Return the flags of a recipe and their values, without its remarks. Errors: see `find_recipe`."""
    return {key: value for key, value in _read(name).items() if not key.startswith("#")}


def describe_recipe(name: str) -> str:
    """Return the remarks of a recipe on itself, in lines: its title, its source, its needs, its differences."""
    recipe = _read(name)
    lines = [f"recipe {name}: {recipe['#title']}"]
    for remark in REMARKS[1:]:
        lines += textwrap.wrap(f"{remark:10}{recipe[f'#{remark}']}", WIDTH, initial_indent="  ",
                               subsequent_indent=" " * 12, break_on_hyphens=False)  # fmt: skip
    return "\n".join(lines)


def _read(name: str) -> dict[str, Any]:
    return json.loads(find_recipe(name).read_text("utf-8"))
