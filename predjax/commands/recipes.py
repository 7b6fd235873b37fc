"""`predjax recipes`: list the published settings that `predjax train --recipe` takes."""

import dataclasses
from collections.abc import Sequence

from predjax.commands import one_line_errors
from predjax.flags import Command, Group, flag, parse
from predjax.jobs.recipes import describe_recipe, list_recipes, read_recipe


@dataclasses.dataclass(frozen=True)
class Flags:
    """The recipes to print."""

    name: tuple[str, ...] = flag(
        (), "these recipes with all of their flags (default: what each recipe is)", metavar="NAME", positional="*"
    )


COMMAND = Command(
    "predjax recipes",
    "Prints the published settings that predjax train --recipe NAME takes: the source, the data that each needs, and "
    "how it differs from what was published.",
    (Group("recipes", Flags),),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    names = parse(COMMAND, arguments).get("name", ())
    for name in names or list_recipes():
        print(describe_recipe(name))
        if names:
            print("\n".join(f"  --{flag} {_show(value)}" for flag, value in read_recipe(name).items()))
    return 0


def _show(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
