"""Makes parameter_names.json: the names and shapes of all parameters, which are a file format.

python tests/golden/make_parameter_names.py

A change of this file makes older checkpoints unreadable: it needs a reason and a line in the CHANGELOG.
"""

import json
import pathlib

import jax
import numpy as np

from predjax.models.catalogue import MODELS
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster

FILE = pathlib.Path(__file__).resolve().parent / "parameter_names.json"
SIZES = {"num_hidden": (4, 4), "filter_size": 3, "patch_size": 2}


def make_config(name):
    """A small network of a model, with all that it can have."""
    spec = MODELS[name]
    values = SIZES | dict(spec.usual) | {field: value for field, (value, _) in spec.only.items()}
    values |= {"num_action_ch": 3} if spec.action else {}
    values |= {"input_length": 0} if values.get("task") == "sequence" else {}
    return ModelConfig(name, layer_norm=spec.layer_norm, conv_on_input=name == "action_cond_predrnn_v2", **values)


def list_parameters(config):
    """{module/name: shape} for frames of 16 x 12 pixels, or series where the model takes no others."""
    height, width = (16, 12) if config.patch_size > 1 else (1, 1)
    frames = np.zeros((1, 2, height, width, config.img_channel), np.float32)
    forcings = np.zeros((1, 2, config.num_action_ch), np.float32) if config.num_action_ch else None
    params = jax.eval_shape(make_forecaster(config).init, jax.random.key(0), frames, forcings)
    return {f"{module}/{name}": list(x.shape) for module, group in sorted(params.items()) for name, x in group.items()}


if __name__ == "__main__":
    lines = (
        f' "{name}": {{\n'
        + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in list_parameters(make_config(name)).items())
        + "\n }"
        for name in MODELS
    )
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
