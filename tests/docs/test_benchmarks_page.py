"""docs/benchmarks.md says of the recipes and protocols what they are."""

import re

from tiny import ROOT

from predjax.jobs.recipes import list_recipes, read_recipe
from predjax.verification.protocols.config import NAMES

PAGE = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
ROWS = {row[1]: [cell.strip() for cell in row[0].split("|")] for row in re.finditer(r"^\| `(\w+)` \|.*$", PAGE, re.M)}


def test_the_table_of_recipes_is_that_of_the_files():
    assert sorted(ROWS) == list_recipes()
    for name, row in ROWS.items():
        flags = read_recipe(name)
        hidden, observed = flags["num_hidden"], flags["input_length"]
        assert row[2] == f"{observed} → {flags['total_length'] - observed}", name
        assert row[3] == f"{hidden[0]} × {len(hidden)}, patch {flags['patch_size']}", name
        assert row[4] == f"{flags['optimizer']} {flags['lr']:g}, {flags['lr_schedule']}", name
        assert row[5:8] == [str(flags["batch_size"]), f"{flags['max_iterations']:,}", f"`{flags['protocol']}`"], name


def test_published_rows_name_a_protocol_and_what_was_measured():
    tables = PAGE.split("## Published tables")[1].splitlines()
    rows = [line for line in tables if line.startswith("| ") and not line.startswith("| model")]
    assert len(rows) > 30
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1].split(",")[0].strip("`") in NAMES, row
        assert cells[-1], row
