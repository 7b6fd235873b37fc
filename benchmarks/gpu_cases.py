"""The programs that are compiled for a GPU without one: the train step and the forecast of every model."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding
from speed_sides import SIZES, make_config

from predjax import parallel
from predjax.kernels.execution import Execution
from predjax.models.catalogue import MODELS
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.scaling import Scaling
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

TARGET = pathlib.Path(__file__).with_name("h200.txtpb")
RAIN = Scaling("dBZ", 0.0, 60.0, "dBZ")
TRAINING = TrainConfig(lr_schedule="constant", warmup_iterations=0, clip_norm=0.0)
SAMPLING = SamplingConfig()


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, its frames, and how it is trained."""

    model: ModelConfig
    pixels: int = 16
    batch: int = 4
    training: TrainConfig = TRAINING
    sampling: SamplingConfig = SAMPLING


def make_cases() -> dict[str, Case]:
    """Return the cases by name: the sizes of the benchmark of speed, the recipe of the packaged network, all models."""
    cases = {size: Case(make_config(work), work.pixels, work.batch) for size, work in SIZES.items()}
    recipe = {"filter_size": 3, "patch_size": 4, "input_length": 4, "total_length": 16, "residual": True, "scales": 6}
    cases["packaged"] = Case(
        ModelConfig("conv_lstm", (32, 32), scaling=RAIN, **recipe),
        128,
        training=TrainConfig(optimizer="adamw", augment=True),
        sampling=SamplingConfig(scheduled_sampling=False, reverse_scheduled_sampling=False),
    )
    cases |= {name: Case(make_small(name), 1 if MODELS[name].one_layer else 16) for name in MODELS}
    flagship = cases["predrnn_v2"]

    def vary(**values: Any) -> Case:
        return dataclasses.replace(flagship, model=dataclasses.replace(flagship.model, **values))

    cases["predrnn_v2 layer_norm"] = vary(layer_norm=True)
    cases["predrnn_v2 scales"] = vary(residual=True, scales=3, coverage_channel=True, loss="balanced", scaling=RAIN)
    cases["predrnn_v2 noise crps"] = vary(residual=True, noise=1.0, loss="crps", scaling=RAIN)
    cases["lru parallel"] = dataclasses.replace(cases["lru"], sampling=SamplingConfig(teacher_forcing="parallel"))
    cases["tidhy grad_norm"] = dataclasses.replace(
        cases["tidhy"], training=dataclasses.replace(TRAINING, grad_norm=0.1)
    )
    return cases


def make_small(name: str) -> ModelConfig:
    """Make a small network of a model."""
    values: dict[str, Any] = {"num_hidden": (4, 4), "filter_size": 3, "patch_size": 2, "img_channel": 1}
    lengths = {"input_length": 3, "total_length": 6}
    spec = MODELS[name]
    if spec.one_layer:
        values = {**spec.usual, "num_hidden": (6,), "img_channel": 2}
    if spec.action:
        values |= {"num_action_ch": 2, "conv_on_input": True, "res_on_conv": True}
    if name == "physical":
        values |= {"img_channel": 3, "num_action_ch": 3}
        lengths["input_length"] = 0
    return ModelConfig(name, **values, **lengths)


@functools.cache
def make_device() -> Any:
    """Return the device of the target, which only the compiler knows. Errors: RuntimeError without the plugin."""
    text = "\n".join(line for line in TARGET.read_text().splitlines() if not line.startswith("#"))
    return topologies.get_topology_desc(platform="cuda", target_config=text, topology="1x1x1").devices[0]


def lower_step(case: Case, execution: Execution) -> Any:
    """Lower the train step, mapped over one device as a training run has it."""
    forecaster, optimizer = make_forecaster(case.model, execution), make_optimizer(case.training)
    frames, forcings = make_inputs(case)
    params = jax.eval_shape(forecaster.init, jax.random.key(0), frames, forcings)
    state = jax.eval_shape(lambda params: init_state(params, optimizer, 0), params)
    sampling = case.sampling.resolve(10**6)
    update = make_update(forecaster, optimizer, sampling, case.training)
    mesh = Mesh(np.array([make_device()]), (parallel.AXIS,))

    def place(tree: Any, spec: PartitionSpec, lead: tuple[int, ...] = ()) -> Any:
        sharding = NamedSharding(mesh, spec)
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct((*lead, *a.shape), a.dtype, sharding=sharding), tree)

    shards = (place(tree, PartitionSpec(parallel.AXIS), (1,)) for tree in (frames, forcings))
    return parallel.parallelise(update, [make_device()], execution.precision).lower(
        place(state, PartitionSpec()), *shards, None
    )


def lower_forecast(case: Case, execution: Execution) -> Any:
    """Lower the forecast of all frames that follow the observed ones."""
    forecaster, (frames, forcings) = make_forecaster(case.model, execution), make_inputs(case)
    params = jax.eval_shape(forecaster.init, jax.random.key(0), frames, forcings)
    length, total = case.model.input_length, case.model.total_length
    observed = jax.ShapeDtypeStruct((frames.shape[0], length, *frames.shape[2:]), frames.dtype)

    def predict(params: Any, observed: jax.Array, forcings: jax.Array | None) -> jax.Array:
        return forecaster.predict(params, None, observed, total - length, forcings)

    sharding = SingleDeviceSharding(make_device())
    arguments = (params, observed, forcings)
    return jax.jit(parallel.in_precision(predict, "gpu", execution.precision)).lower(
        *jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=sharding), arguments)
    )


PROGRAMS: dict[str, Callable[[Case, Execution], Any]] = {"step": lower_step, "forecast": lower_forecast}


def make_inputs(case: Case) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct | None]:
    """Return the shapes of a batch: frames `(B, T, H, W, C)`, and forcings `(B, T, A)` where the model takes them."""
    model, shape = case.model, (case.batch, case.model.total_length)
    frames = jax.ShapeDtypeStruct((*shape, case.pixels, case.pixels, model.img_channel), jnp.float32)
    forcings = jax.ShapeDtypeStruct((*shape, model.num_action_ch), jnp.float32) if model.num_action_ch else None
    return frames, forcings
