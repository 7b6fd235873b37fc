"""Makes parameter_names.json: the names and shapes of all parameters, which are a file format.

python tests/golden/make_parameter_names.py

A change of this file makes older checkpoints unreadable: it needs a reason and a line in the CHANGELOG.
"""

import json
import pathlib

import jax
import numpy as np

from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster

FILE = pathlib.Path(__file__).resolve().parent / "parameter_names.json"
SIZES = {"num_hidden": (4, 4), "filter_size": 3, "patch_size": 2, "layer_norm": True}
ACTION = SIZES | {"num_action_ch": 3}
CONFIGS = {
    "predrnn": ModelConfig("predrnn", **SIZES),
    "predrnn_v2": ModelConfig("predrnn_v2", **SIZES),
    "action_cond_predrnn": ModelConfig("action_cond_predrnn", **ACTION),
    "action_cond_predrnn_v2": ModelConfig("action_cond_predrnn_v2", **ACTION, conv_on_input=True),
}


def list_parameters(config, height=16, width=12):
    """{module/name: shape} for frames of this size."""
    frames = np.zeros((1, 2, height, width, config.img_channel), np.float32)
    forcings = np.zeros((1, 2, config.num_action_ch), np.float32) if config.spec.action else None
    params = jax.eval_shape(make_forecaster(config).init, jax.random.key(0), frames, forcings)
    return {f"{module}/{name}": list(x.shape) for module, group in sorted(params.items()) for name, x in group.items()}


if __name__ == "__main__":
    lines = (
        f' "{name}": {{\n'
        + ",\n".join(f"  {json.dumps(key)}: {json.dumps(shape)}" for key, shape in list_parameters(config).items())
        + "\n }"
        for name, config in CONFIGS.items()
    )
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
