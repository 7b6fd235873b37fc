"""Scripts that complete commands, flags and their values in a shell, made by shtab from the parsers of the commands."""

import importlib
from typing import Any

from predjax.commands import COMMANDS, one_line_errors
from predjax.flags import Parser
from predjax.models.catalogue import MODELS

SHELLS = ("bash", "zsh", "tcsh")


def make_parser() -> Parser:
    """The parser of `predjax` with all its commands."""
    parser = Parser(prog="predjax")
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--print-completion", choices=SHELLS, metavar="SHELL", help="print a script that completes")
    parts = parser.add_subparsers(metavar="COMMAND")
    for name, text in COMMANDS.items():
        own = importlib.import_module(f"predjax.commands.{name.replace('-', '_')}").make_parser()
        parts.add_parser(name, parents=[own], add_help=False, help=text)
        for action in own._actions:
            if action.dest == "model_name" or (name, action.dest) == ("models", "name"):
                action.choices = list(MODELS)
    return parser


@one_line_errors
def print_completion(arguments) -> int:
    """Prints the script. Errors: ValueError where shtab is not installed."""
    parser = make_parser()
    shell = parser.parse_args(arguments).print_completion
    try:
        import shtab
    except ImportError:
        raise ValueError("print-completion needs shtab: pip install 'predjax[completion]'") from None
    commands: Any = parser._subparsers  # argparse has no public way to them
    for own in commands._group_actions[0].choices.values():
        for action in own._actions:
            kinds = {"PATH": shtab.FILE, "FILE": shtab.FILE, "DIR": shtab.DIRECTORY, "STOR": shtab.DIRECTORY}
            if kind := kinds.get((action.metavar or "")[:4]):
                action.complete = kind
    print(shtab.complete(parser, shell))
    return 0
