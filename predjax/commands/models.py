"""`predjax models`: list the models."""

import dataclasses
import json
from collections.abc import Iterable, Sequence

from predjax.commands import one_line_errors
from predjax.flags import Command, Group, flag, parse
from predjax.messages import suggest
from predjax.models.catalogue import MODELS, load


@dataclasses.dataclass(frozen=True)
class Flags:
    """The models to print."""

    name: tuple[str, ...] = flag(
        (), "only the models of these names (default: all)", metavar="NAME", positional="*", completed=(*MODELS,)
    )


COMMAND = Command(
    "predjax models",
    "Prints every model: its name and paper, the arrays in the state of a layer, and the options that --cell_options "
    "of predjax train takes, with their defaults.",
    (Group("models", Flags),),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Errors: see `one_line_errors`."""
    names = parse(COMMAND, arguments).get("name", ())
    for name in names:
        if name not in MODELS:
            raise ValueError(f"model {name!r} is not one of {', '.join(MODELS)}{suggest(name, MODELS)}")
    print(describe_models(names or MODELS))
    return 0


def describe_models(names: Iterable[str] = tuple(MODELS)) -> str:
    """Describe models: name and paper, the state of a layer, the options of the cells with their defaults."""
    from predjax.models.stacks import list_options

    lines = []
    for name in names:
        options = ", ".join(f"{key} {json.dumps(value)}" for key, value in list_options(name).items())
        lines += [f"{name:23}{MODELS[name].title}", f"{'':23}state of a layer: {describe_state(name)}"]
        lines += [f"{'':23}cell_options: {options}"] if options else []
    return "\n".join(lines)


def describe_state(name: str) -> str:
    """Name the arrays in the state of a model's layer; all have the features of the layer at every patch."""
    import haiku as hk
    import jax

    spec = MODELS[name]
    if spec.state:
        return spec.state
    start = hk.transform(lambda: load(spec.cell)(8, (1, 1)).initial_state(1))
    state = jax.eval_shape(lambda key: start.apply(start.init(key), None), jax.random.key(0))
    named = [(jax.tree_util.keystr(path, simple=True), leaf.dtype) for path, leaf in jax.tree.leaves_with_path(state)]
    kinds = {"complex64": " (complex)", "int32": " (a count)"}
    return ", ".join((field or "h") + kinds.get(str(dtype), "") for field, dtype in named)
