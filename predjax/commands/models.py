"""What models there are."""

import json

import haiku as hk
import jax

from predjax.cells import CELLS
from predjax.models.catalogue import MODELS
from predjax.models.stacks import list_options

_STATES = {  # of stacks with a state of their own
    "predrnn": "H, C; one M for all layers",
    "predrnn_pp": "H, C; one M for all layers, z of the highway",
    "mim": "H, C; from the second layer on S, and h, c of MIM-N; one M for all layers",
    "tidhy": "r and r2, inferred; no layers",
    "physical": "plastic strains and equivalent plastic strain of every point",
}


def describe_models() -> str:
    """Every model: its name and paper, the state of a layer, the options of its cells with their defaults."""
    lines = []
    for name, paper in MODELS.items():
        options = ", ".join(f"{key} {json.dumps(value)}" for key, value in list_options(name).items())
        lines += [f"{name:23}{paper}", f"{'':23}state of a layer: {describe_state(name)}"]
        lines += [f"{'':23}cell_options: {options}"] if options else []
    return "\n".join(lines)


def describe_state(name: str) -> str:
    """The arrays in the state of a model's layer; all have the features of the layer at every patch."""
    own = next((key for key in ("predrnn_pp", "predrnn", "mim", "tidhy", "physical") if key in name), None)
    if own:
        return _STATES[own]
    start = hk.transform(lambda: CELLS[name](8, (1, 1)).initial_state(1))
    state = jax.eval_shape(lambda key: start.apply(start.init(key), None), jax.random.key(0))
    named = [(jax.tree_util.keystr(path, simple=True), leaf.dtype) for path, leaf in jax.tree.leaves_with_path(state)]
    kinds = {"complex64": " (complex)", "int32": " (a count)"}
    return ", ".join((field or "h") + kinds.get(str(dtype), "") for field, dtype in named)
