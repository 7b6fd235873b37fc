"""The `predjax` command: `predjax train ...` is `python train.py ...`."""

import importlib
import sys
from collections.abc import Mapping, Sequence

import predjax
from predjax.commands import COMMANDS, one_line_errors
from predjax.messages import one_line, suggest

_FLAGS = {
    "--version": "prints the version",
    "--print-completion bash|zsh|tcsh": "prints a script that completes commands and flags in a shell",
    "COMMAND --help": "prints the flags of a command, with their units and defaults",
}


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        return importlib.import_module(f"predjax.commands.{first.replace('-', '_')}").main(arguments[1:])
    if first.split("=")[0] == "--print-completion":
        from predjax.completion import print_completion

        return print_completion(arguments)
    if arguments in (["--help"], ["-h"]):
        lines = ["usage: predjax COMMAND ...", "", "commands:", *_table(COMMANDS), "", "flags:", *_table(_FLAGS)]
        print("\n".join(lines))
        return 0
    if arguments == ["--version"]:
        print(f"predjax {predjax.__version__}")
        return 0
    given = f"unknown command {one_line(repr(first))}" if arguments else "no command"
    hint = suggest(first, (*COMMANDS, "--help", "--version", "--print-completion"))
    print(f"predjax: {given}; commands are {', '.join(COMMANDS)}{hint}", file=sys.stderr)
    return 2


def _table(texts: Mapping[str, str]) -> list[str]:
    width = max(map(len, texts)) + 2
    return [f"  {name:{width}}{text}" for name, text in texts.items()]


if __name__ == "__main__":
    sys.exit(main())
