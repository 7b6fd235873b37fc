"""Flags from a JSON file (`--config`), and those of a run into one (`run.json`)."""

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence

from predjax.flags import Parser, parse_bool
from predjax.messages import suggest

NAME = "run.json"
# What a repeated run chooses anew: where it writes, whether it replaces anything, and its place among processes.
_PLACES = ("config", "save_dir", "gen_frm_dir", "visual_path", "output", "export", "latents", "gallery")
_PLACES += ("resume", "overwrite", "dry_run", "list_models", "coordinator", "num_processes", "process_id")

# By the name of the function that reads a flag: what its values are, in words and in JSON.
_TYPES = {
    "str": ("text", (str,)),
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "parse_finite": ("a number", (int, float)),
    "parse_bool": ("true or false", (bool, int)),
}


def add_config(add: Callable) -> None:
    """Adds `--config` by the `add_argument` of a parser or a group."""
    text = f"JSON object with flags, such as the {NAME} that a run writes; flags that are typed win (default: none)"
    add("--config", metavar="FILE", help=text)


def parse(parser: Parser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of a command, first those of the file of `--config`, where there is one. Errors: see `read_flags`."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    first = Parser(prog=parser.prog, add_help=False)
    add_config(first.add_argument)
    path = first.parse_known_args(arguments)[0].config
    if path is not None and not {"-h", "--help"} & set(arguments):
        arguments = [*read_flags(path, parser), *arguments]
    return parser.parse_args(arguments)


def read_flags(path, parser: Parser) -> list[str]:
    """The flags of a file as they would be typed.

    The keys are the names of flags; numbers, text, true and false are their values, lists those with commas between
    them, and the object of --cell_options may be one.

    Raises:
      OSError: the file cannot be read.
      ValueError: it is not JSON, a key is no flag, or a value is of another type or none of the choices; names the
        file, the key, the rule and the value.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text("utf-8"), object_pairs_hook=_refuse_twice)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file of flags: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f'{path} must hold a JSON object such as {{"batch_size": 8}}, not {json.dumps(values)}')
    flags = {name: action for name, action in _name_flags(parser) if name not in ("config", "help")}
    found = []
    for key, value in values.items():
        if key not in flags:
            raise ValueError(f"{path}: {key!r} is no flag of {parser.prog}{suggest(key, flags)}")
        try:
            text = _read_value(flags[key], value)
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise ValueError(f"{path}: {key} {error}") from None
        if flags[key].nargs == 0:
            found += [f"--{key}"] if value else []
        else:
            found.append(f"--{key}={text}")
    return found


def describe(parser: Parser, options: argparse.Namespace) -> dict:
    """The flags that differ from their defaults, as JSON values, with paths that mean the same in every folder."""
    found = {}
    for action in dict.fromkeys(action for _, action in _name_flags(parser)):
        value = getattr(options, action.dest, None)
        if action.dest not in _PLACES and value is not None and value != action.default:
            found[action.dest] = make_absolute(value) if _is_path(action) else value
    return found


def make_absolute(paths: str) -> str:
    """Paths with commas between them, all in full; the name of the network in the package stays as it is."""
    from predjax.checkpoint import PRETRAINED_NAME

    if paths == PRETRAINED_NAME and not os.path.exists(paths):
        return paths
    parts = [paths] if os.path.exists(paths) else [part.strip() for part in paths.split(",") if part.strip()]
    return ",".join(os.path.abspath(os.path.expanduser(part)) for part in parts)


def find_own(folder) -> pathlib.Path | None:
    """Where another command than `train` writes its flags; None in the folder of a training, which has its own."""
    from predjax.checkpoint import holds_checkpoint

    return None if holds_checkpoint(folder) else pathlib.Path(folder) / NAME


def refuse_given(options, folder) -> None:
    """FileExistsError where a run would replace the very file that says what it is to do."""
    path = pathlib.Path(folder) / NAME
    if options.config and not options.overwrite and path.exists() and path.samefile(options.config):
        raise FileExistsError(f"{path} is both --config and what the run would write; --overwrite replaces it")


def write(path: pathlib.Path, flags: dict) -> None:
    """Writes flags as `read_flags` takes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(flags, indent=1) + "\n", "utf-8")


def update(path: pathlib.Path, flags: dict) -> None:
    """Writes them over those of the run that goes on; one that has no such file keeps none."""
    try:
        before = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return
    write(path, {**before, **flags})


def _name_flags(parser: Parser) -> list[tuple[str, argparse.Action]]:
    """(name without dashes, action) of every flag."""
    return [(name[2:], action) for action in parser._actions for name in action.option_strings if name[:2] == "--"]


def _is_path(action) -> bool:
    return (action.metavar or "").startswith(("PATH", "FILE", "DIR"))


def _read_value(action, value) -> str:
    """A JSON value as it would be typed. Errors: ValueError or ArgumentTypeError, the end of a message."""
    parse, metavar = parse_bool if action.nargs == 0 else action.type or str, action.metavar or ""
    element, several, _ = parse.__name__.partition(",...")
    several = several or "," in metavar or metavar in ("PATHS", "NAMES")
    rule, types = _TYPES[element]
    text = None
    if isinstance(value, list):
        parts = (*types, int, float) if element == "str" else types
        if several and all(type(part) in parts for part in value):
            text = ",".join(map(str, value))
    elif isinstance(value, dict) and metavar == "JSON":
        text = json.dumps(value)
    elif type(value) in types or (several and isinstance(value, str)):
        text = str(value)
    if text is None:
        raise ValueError(f"must be {rule}{', or a list' if several else ''}, got {json.dumps(value)}")
    parsed = parse(text)
    if action.choices and parsed not in action.choices:
        raise ValueError(f"must be one of {', '.join(action.choices)}, got {text!r}{suggest(text, action.choices)}")
    return text


def _refuse_twice(pairs) -> dict:
    found = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} is there twice")
        found[key] = value
    return found
