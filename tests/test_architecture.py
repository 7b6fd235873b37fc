"""The import table of the package, held by reading its sources."""

import ast
import functools
import pathlib
import subprocess
import sys

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "predjax"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

TOOLS = {"units", "unit_names", "flags", "files", "locks", "messages", "paths"}
ROOMS = {  # what each room may import, besides itself
    "units": set(),
    "unit_names": set(),
    "flag_values": set(),
    "flags": {"flag_values", "messages", "paths"},
    "run_file": {"flags", "files", "messages", "paths", "checkpoint_names"},
    "files": set(),
    "locks": set(),
    "paths": set(),
    "messages": set(),
    "parallel": set(),
    "kept": {"files"},
    "checkpoint": {"files", "checkpoint_names"},
    "checkpoint_names": set(),
    "kernels": {"parallel"},
    "cells": {"kernels", "units"},
    "models": {"cells", "kernels", "units", "flags", "messages", "kept"},
    "models/interop": {"models", "messages"},
    "motion": {"units", "unit_names"},
    "radar": TOOLS,
    "radar/areas": {"radar", "radar/formats"} | TOOLS,
    "radar/formats": {"radar"} | TOOLS,
    "radar/windows": {"radar", "radar/formats"} | TOOLS,
    "radar/isolation": {"radar", "radar/formats"} | TOOLS,
    "radar/store": {"radar", "radar/formats", "radar/windows"} | TOOLS,
    "radar/doors": {"radar", "radar/formats", "radar/windows", "radar/store"} | TOOLS,
    "synthetic": {"radar", "radar/formats", "radar/doors", "cells"} | TOOLS,
    "analysis": {"models", "cells", "units"},
    "pictures": {"analysis", "radar", "units", "files"},
    "pictures/report": {"pictures", "units", "files"},
    "verification": {"radar", "radar/areas", "radar/formats", "radar/windows"} | TOOLS,
    "training": {"models", "kernels", "motion", "radar", "radar/windows", "checkpoint", "checkpoint_names", "parallel"}
    | TOOLS,
    "nowcasts": {
        "models",
        "motion",
        "radar",
        "radar/areas",
        "radar/windows",
        "radar/doors",
        "checkpoint",
        "parallel",
        "kept",
        "__init__",
    }
    | TOOLS,
    "__init__": set(),
}
ROOMS["jobs"] = set(ROOMS) | {"run_file"}
ROOMS["commands"] = set(ROOMS)
ROOMS["completion"] = {"commands", "flags", "models"}
ROOMS["__main__"] = {"commands", "completion", "messages", "__init__"}
RADAR_BASE = ("movies", "grid", "step", "config", "projection")  # what formats, windows and the store rest on
NO_JAX = ("radar", "synthetic", "verification", "pictures", "motion", "flags.py", "flag_values.py", "units.py")
NO_JAX += ("unit_names.py", "files.py", "locks.py", "paths.py", "messages.py")
BY_JAX = "synthetic/micromodel.py"  # follows its own equations by those of the cells
NO_XARRAY = ("kernels", "cells", "models", "motion", "radar/windows/codes.py")
DEVICE_WORDS = ("pmap", "jax.devices", "local_devices", "process_index", "jax.distributed", "device_count")


def room_of(name):
    """The room of a module or of a name in it, such as `predjax.radar.formats.npy.read_npy`."""
    parts = name.split(".")[1:] or [""]
    if "/".join(parts[:2]) in ROOMS:
        return "/".join(parts[:2])
    if parts[0] == "radar" and parts[1] not in RADAR_BASE:
        return "radar/doors"
    return parts[0] if parts[0] in ROOMS else "__init__"


def name_of(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


@functools.cache
def parse(path):
    return ast.parse(path.read_text())


@functools.cache
def imports_of(path):
    """Dotted names of all imports of a module, also those inside functions."""
    found = []
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_imports_go_one_way():
    for path in MODULES:
        room = room_of(name_of(path))
        for name in imports_of(path):
            if name.startswith("predjax"):
                target = room_of(name)
                assert target == room or target in ROOMS[room], f"{path}: {room} imports {name}"


def test_no_rooms_import_each_other():
    for room, allowed in ROOMS.items():
        for other in allowed:
            assert room not in ROOMS[other] or room == other, f"{room} and {other}"


def test_worlds_stay_apart():
    for path in MODULES:
        relative = str(path.relative_to(PACKAGE))
        roots = {name.split(".")[0] for name in imports_of(path)}
        if relative.startswith(NO_JAX) and relative != BY_JAX:
            assert not roots & {"jax", "haiku", "optax"}, path
        if relative.startswith(NO_XARRAY):
            assert not roots & {"xarray", "netCDF4"}, path
        if path.name == "config.py":
            assert not roots & {"jax", "haiku", "xarray"}, path


def test_only_parallel_knows_devices():
    for path in MODULES:
        if path.name != "parallel.py":
            called = {ast.unparse(node.func) for node in nodes_of(path, ast.Call)}
            assert not [name for name in called if name.endswith(DEVICE_WORDS)], path


def test_importing_starts_nothing():
    code = "import predjax, predjax.commands.train; from predjax.models.config import ModelConfig"
    check = f"{code}; import sys; print([m for m in ('jax', 'xarray', 'matplotlib') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-W", "error", "-c", check], capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_the_jitted_update_brings_no_xarray():
    check = "import predjax.training.step, sys; print([m for m in ('xarray', 'netCDF4') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


PRIVATE = ("_actions", "_option_string_actions", "_subparsers", "_group_actions", "_action_groups", "_data", "_src")
INDEXING = "radar/formats/lazy.py"  # the names that xarray documents for lazy backends, in one place
DOCUMENTED = ("BackendArray", "BackendEntrypoint", "CachingFileManager")
MOST_PARAMETERS = 6


def nodes_of(path, kind):
    return [node for node in ast.walk(parse(path)) if isinstance(node, kind)]


def short(path):
    return str(path.relative_to(PACKAGE))


def test_nothing_private_of_other_packages_is_used():
    found = []
    for path in MODULES:
        found += [(short(path), node.attr) for node in nodes_of(path, ast.Attribute) if node.attr in PRIVATE]
        for name in imports_of(path):
            root, *parts = name.split(".")
            if root in ("jax", "haiku", "xarray", "optax", "netCDF4", "argparse"):
                found += [(short(path), name) for part in parts if part.startswith("_")]
            if name.startswith(("xarray.core", "xarray.backends")) and short(path) != INDEXING:
                found += [(short(path), name)] if parts[-1] not in DOCUMENTED else []
    assert found == []


def test_nothing_depends_on_what_is_around_it():
    assert [short(path) for path in MODULES if "contextvars" in {name.split(".")[0] for name in imports_of(path)}] == []


def test_a_namespace_ends_in_its_command():
    found = []
    for path in MODULES:
        if room_of(name_of(path)) not in ("commands", "flags", "synthetic"):  # synthetic has a command of its own
            names = {node.attr for node in nodes_of(path, ast.Attribute)} | {n.id for n in nodes_of(path, ast.Name)}
            found += [(short(path), name) for name in names & {"Namespace", "parse_args", "parse_known_args"}]
    assert found == []


def test_functions_have_few_parameters():
    more = {}
    for path in MODULES:
        for node in nodes_of(path, ast.FunctionDef):
            given = node.args
            count = len(given.posonlyargs + given.args + given.kwonlyargs)
            count -= bool(given.args) and given.args[0].arg in ("self", "cls")
            if count > MOST_PARAMETERS:
                more[f"{short(path)}:{node.name}"] = count
    assert more == {}
