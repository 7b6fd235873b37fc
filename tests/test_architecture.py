"""The import table of the package, held by reading its sources."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "predjax"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

BASE = {"units", "flags", "parallel", "checkpoint", "files", "messages", "cells"}
ALLOWED = {
    "units": set(),
    "flags": {"messages"},
    "files": set(),
    "messages": set(),
    "parallel": set(),
    "checkpoint": {"files"},
    "cells": {"units"},
    "models": {"cells", "units", "flags", "messages"},
    "radar": {"units", "flags", "files", "messages"},
    "synthetic": {"units", "radar", "flags", "files", "messages", "cells"},
    "verification": {"units", "radar", "files"},
    "analysis": {"units", "models", "cells"},
    "pictures": {"units", "analysis", "files"},
    "training": {"models", "radar", "checkpoint", "parallel", "flags", "units"},
    "nowcasts": {"models", "radar", "checkpoint", "parallel", "flags", "units", "__init__", "messages"},
    "commands": {"training", "nowcasts", "verification", "analysis", "pictures", "synthetic", "radar", "models"}
    | BASE
    | {"__init__"},
    "__main__": {"commands", "messages"},
    "__init__": set(),
}
NO_JAX = ("radar", "synthetic", "verification", "pictures", "flags.py", "units.py", "files.py", "messages.py")
BY_JAX = "synthetic/micromodel.py"  # follows its own equations by those of the cells
NO_XARRAY = ("cells", "models")
DEVICE_WORDS = ("pmap", "jax.devices", "local_devices", "process_index", "jax.distributed", "device_count")


def part_of(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path):
    """Dotted names of all imports of a module, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    part = part_of(path)
    parts = {p.stem if p.suffix else p.name for p in PACKAGE.iterdir()}
    for name in imports_of(path):
        if name.startswith("predjax."):
            target = name.split(".")[1]
            target = target if target in parts else "__init__"
            assert target == part or target in ALLOWED[part], f"{part} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_worlds_stay_apart(path):
    relative = str(path.relative_to(PACKAGE))
    roots = {name.split(".")[0] for name in imports_of(path)}
    if relative.startswith(NO_JAX) and relative != BY_JAX:
        assert not roots & {"jax", "haiku", "optax"}
    if relative.startswith(NO_XARRAY):
        assert not roots & {"xarray", "netCDF4"}
    if path.name == "config.py":
        assert not roots & {"jax", "haiku", "xarray"}


def test_only_parallel_knows_devices():
    for path in MODULES:
        if path.name != "parallel.py":
            code = "\n".join(ast.unparse(node) for node in ast.parse(path.read_text()).body[1:])
            assert not [word for word in DEVICE_WORDS if f"{word}(" in code], path


@pytest.mark.parametrize(
    "code",
    ["import predjax", "import predjax.commands.train", "from predjax.models.config import ModelConfig"],
)
def test_importing_starts_nothing(code):
    check = f"{code}; import sys; print([m for m in ('jax', 'xarray', 'matplotlib') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-W", "error", "-c", check], capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
