"""Read flags from a JSON file (`--config`), and write the flags of a run to a JSON file (`run.json`)."""

import argparse
import json
import logging
import os
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from predjax import flags
from predjax.checkpoint_names import PRETRAINED_NAME, holds_checkpoint
from predjax.files import write_text
from predjax.flags import Command, Flag
from predjax.messages import suggest
from predjax.paths import expand_home, split_paths

NAME = "run.json"
_LOG = logging.getLogger("predjax")
HELP = f"JSON object with flags, such as the {NAME} that a run writes; flags that are typed win (default: none)"
# The types in JSON of the values of a type.
_JSON_TYPES: dict[type, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float), bool: (bool, int)}


def config_flag() -> Any:
    """Return the field of `--config`, for the dataclass of a command's flags."""
    return flags.flag(None, HELP, metavar="FILE", kind="file", place=True)


def collect(
    command: Command, arguments: Sequence[str] | None, find_recipe: Callable[[str], os.PathLike] | None = None
) -> dict[str, Any]:
    """Return the values of the typed flags; other flags get their values from the file of `--config`.

    `find_recipe` returns the file of a `--recipe`, which gives the values of the flags that are still missing.

    Errors: see `read_flags`; a wrong flag ends the process with exit code 2.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for flag in (flag for flag in command.flags if flag.metadata.get("once")):
        if sum(argument.split("=")[0] in flag.names for argument in arguments) > 1:
            raise ValueError(f"--{flag.name} is given twice: give several values once, commas between them")
    path = flags.find_value(command.name, "config", arguments)
    if {"-h", "--help"} & set(arguments):
        return flags.parse(command, arguments)
    if path is not None:
        arguments = [*read_flags(path, command), *arguments]
    if find_recipe and (name := flags.find_value(command.name, "recipe", arguments)):
        arguments = [*read_flags(find_recipe(name), command), *arguments]
    return flags.parse(command, arguments)


def list_changed(command: Command, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that repeat a run, as JSON values, with absolute paths."""
    kept = {flag.name: flag for flag in command.flags if not flag.metadata.get("place")}
    found = {name: values[name] for name in kept if values.get(name) is not None}
    paths = {name: kept[name].metadata.get("completed", ()) for name in found if kept[name].is_path}
    return found | {name: make_absolute(found[name], names) for name, names in paths.items()}


def read_flags(path: str | os.PathLike, command: Command) -> list[str]:
    """Return the flags of a file as a user would type them.

    The keys are the names of flags; a key that starts with # is a remark, and a flag that must be typed is left out
    with a warning. Numbers, text, true and false are their values, a list stands for values with commas between them,
    and the value of --cell_options may be an object.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is not JSON, a key is no flag, or a value is of another type or none of the choices; names the
        file, the key, the rule and the value.
    """
    path = expand_home(path)
    try:
        values = json.loads(pathlib.Path(path).read_text("utf-8"), object_pairs_hook=_refuse_twice)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file of flags: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f'{path} must hold a JSON object such as {{"batch_size": 8}}, not {json.dumps(values)}')
    by_name = {
        name[2:]: flag for flag in command.flags for name in flag.names if name[:2] == "--" and name != "--config"
    }
    found = []
    for key, value in values.items():
        if key.startswith("#"):
            continue
        if key not in by_name:
            raise ValueError(f"{path}: {key!r} is no flag of {command.name}{suggest(key, by_name)}")
        if by_name[key].metadata.get("typed"):
            _LOG.warning("%s: %s is not taken from a file: type --%s, if you trust that address", path, key, key)
            continue
        try:
            text = _read_value(by_name[key], value)
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise ValueError(f"{path}: {key} {error}") from None
        if by_name[key].metadata.get("switch"):
            found += [f"--{key}"] if value else []
        else:
            found.append(f"--{key}={text}")
    return found


def make_absolute(paths: str, names: Sequence[str] = ()) -> str:
    """Return comma-separated paths as absolute paths.

    The name of the network in the package and any of `names` are unchanged, unless there is a file of this name.
    """
    known = (PRETRAINED_NAME, *names)
    return ",".join(
        path if path in known and not os.path.exists(path) else os.path.abspath(path) for path in split_paths(paths)
    )


def find_own(folder: str | os.PathLike) -> pathlib.Path | None:
    """Return the file to which a command other than `train` writes its flags; None in the folder of a training."""
    return None if holds_checkpoint(folder) else pathlib.Path(folder) / NAME


def refuse_given(config: str | None, folder: str | os.PathLike, overwrite: bool) -> None:
    """Raise a FileExistsError if a run would replace `config`, the file that its own flags were read from."""
    path = pathlib.Path(folder) / NAME
    if config and not overwrite and path.exists() and path.samefile(config):
        raise FileExistsError(f"{path} is both --config and what the run would write; --overwrite replaces it")


def write(path: pathlib.Path, values: Mapping[str, Any]) -> None:
    """Write flags to a file in the form that `read_flags` reads."""
    write_text(path, json.dumps(values, indent=1) + "\n")


def update(path: pathlib.Path, values: Mapping[str, Any]) -> None:
    """Update the flags in the file of a resumed run, if it has such a file."""
    try:
        before = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return
    write(path, {**before, **values})


def _read_value(flag: Flag, value: Any) -> str:
    """Return a JSON value as a user would type it. Errors: ValueError or ArgumentTypeError, the end of a message."""
    _, rule = flags.KINDS[flag.element]
    kinds = _JSON_TYPES[flag.element]
    text, choices = None, flag.metadata.get("choices")
    if isinstance(value, list):
        parts = (*kinds, int, float) if flag.element is str else kinds
        if flag.several and all(type(part) in parts for part in value):
            text = ",".join(map(str, value))
    elif isinstance(value, dict) and flag.metadata.get("kind") == "json":
        text = json.dumps(value)
    elif type(value) in kinds or (flag.several and isinstance(value, str)):
        text = str(value)
    if text is None:
        raise ValueError(f"must be {rule}{', or a list' if flag.several else ''}, got {json.dumps(value)}")
    parsed = flag.parse(text)
    if choices and parsed not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}, got {text!r}{suggest(text, choices)}")
    return text


def _refuse_twice(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} is there twice")
        found[key] = value
    return found
