"""Scripts that complete commands, flags and their values in a shell, made by shtab from the flags of the commands."""

import importlib
from collections.abc import Sequence
from typing import Any

from predjax.commands import COMMANDS, one_line_errors
from predjax.flags import Parser

SHELLS = ("bash", "zsh", "tcsh")


def make_parser() -> Parser:
    """Return the parser of `predjax` with all its commands."""
    parser = Parser(prog="predjax")
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--print-completion", choices=SHELLS, metavar="SHELL", help="print a script that completes")
    parts = parser.add_subparsers(metavar="COMMAND")
    for name, text in COMMANDS.items():
        module = importlib.import_module(f"predjax.commands.{name.replace('-', '_')}")
        parts.add_parser(name, help=text, flags=parser.flags).add_groups(module.COMMAND.groups)
    return parser


@one_line_errors
def print_completion(arguments: Sequence[str]) -> int:
    """Print the script. Errors: ValueError where shtab is not installed."""
    parser = make_parser()
    shell = parser.parse_args(arguments).print_completion
    try:
        import shtab
    except ImportError:
        raise ValueError("print-completion needs shtab: pip install 'predjax[completion]'") from None
    kinds = {"file": shtab.FILE, "paths": shtab.FILE, "folder": shtab.DIRECTORY}
    for flag, action in parser.flags:
        action.choices = action.choices or flag.metadata.get("completed")
        if kind := kinds.get(flag.metadata.get("kind", "")):
            described: Any = action
            described.complete = kind  # as shtab documents it
    print(shtab.complete(parser, shell))
    return 0
