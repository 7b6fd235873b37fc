"""The documentation says what is there."""

import doctest
import importlib
import re

import pytest
from commands.test_command_line import make_parser_of
from tiny import ROOT

from predjax.__main__ import COMMANDS
from predjax.models.catalogue import MODELS
from predjax.synthetic.__main__ import make_parser as make_synthetic_parser

README = (ROOT / "README.md").read_text()
DOCTESTS = sorted(path for path in (ROOT / "predjax").rglob("*.py") if ">>>" in path.read_text())


@pytest.mark.parametrize("path", DOCTESTS, ids=lambda p: p.name)
def test_doctests(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed


def test_readme_names_files_that_exist():
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name


def test_readme_maps_every_part_of_the_package():
    parts = {p.name for p in (ROOT / "predjax").iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert not [part for part in parts if f"{part}/" not in README]


def test_readme_names_every_model():
    table = re.search(r"^## Models\n(.*?)^## ", README, re.M | re.S)[1]
    named = [name for cell in re.findall(r"^\|([^|]*)\|", table, re.M) for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(MODELS)


def test_the_citation_has_the_version_of_the_package():
    version = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)[1]
    assert f"version = {version}" in (ROOT / "setup.cfg").read_text()


def test_every_flag_in_the_readme_exists():
    parsers = [*map(make_parser_of, COMMANDS), make_synthetic_parser()]
    known = {name for parser in parsers for flag, _ in parser.flags for name in flag.names}
    used = {flag for block in re.findall(r"```sh\n(.*?)```", README, re.S) for flag in re.findall(r"--\w+", block)}
    assert used - known == set()


def test_the_python_example_runs(tiny_run, tmp_path, monkeypatch):
    """The README's Python block, with the tiny run in place of a trained one."""
    code = re.search(r"```python\n(.*?)```", README, re.S)[1]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").symlink_to(tiny_run)
    exec(compile(code, "README.md", "exec"), {})


def test_the_cells_example_runs():
    code = re.search(r"<!-- cells -->\n```python\n(.*?)```", README, re.S)[1]
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["outputs"].shape == (2, 5, 16, 16, 8)
