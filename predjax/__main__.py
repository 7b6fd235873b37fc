"""The `predjax` command: `predjax train ...` is `python train.py ...`."""

import importlib
import sys

COMMANDS = {
    "train": "trains a model on radar movies and verifies it on held-out ones",
    "evaluate": "scores a model or baselines, and writes the predicted frames",
    "forecast": "continues the newest frames of a folder, once or whenever new ones arrive",
    "launch": "starts several processes of a training, and again when one dies",
    "prepare": "turns an archive of files into one store that trains fast",
    "analyse": "finds the fixed points of a model of a series, and draws its dynamics",
}


def main(arguments=None) -> int:
    """Runs one command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in COMMANDS:
        return importlib.import_module(f"predjax.commands.{arguments[0]}").main(arguments[1:])
    lines = ["usage: predjax COMMAND --help", *(f"  {name:10} {text}" for name, text in COMMANDS.items())]
    if arguments in (["--help"], ["-h"]):
        print("\n".join(lines))
        return 0
    given = f"unknown command {arguments[0]!r}" if arguments else "no command"
    print(f"predjax: {given}; commands are {', '.join(COMMANDS)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
