"""What speed is measured on: a train step and a forward pass of PredRNN-V2 in predjax and in plain PyTorch.

Both sides start from the same weights and see the same frames and masks.
"""

import os
import pathlib
import platform
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from predjax import parallel
from predjax.kernels.execution import Execution
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

PATCH, FILTER, BETA = 4, 5, 0.1


class Work(NamedTuple):
    """What is computed: square frames of `pixels`, `length` of them a window."""

    pixels: int
    length: int
    num_hidden: tuple[int, ...]
    batch: int


SIZES = {"S": Work(40, 5, (16,) * 5, 16), "M": Work(64, 20, (64,) * 4, 4), "L": Work(64, 20, (128,) * 4, 2)}
WORKS = SIZES | {"tiny": Work(16, 4, (4, 4), 2)}  # to try whether all runs


def describe_run(size: str, execution: Execution) -> dict:
    """What is computed, how, and on what machine."""
    return {
        "size": size,
        **WORKS[size]._asdict(),
        "precision": execution.precision,
        "remat": execution.remat,
        "device": parallel.describe(parallel.choose_devices(1)),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "jax": jax.__version__,
    }


def make_data(work: Work) -> tuple[np.ndarray, np.ndarray]:
    """Frames `(B, T, H, W, 1)` in [0, 1] and a mask `(B, T-1)`, true first, then half of the time."""
    rng = np.random.default_rng(0)
    frames = rng.uniform(size=(work.batch, work.length, work.pixels, work.pixels, 1)).astype(np.float32)
    use_truth = rng.uniform(size=(work.batch, work.length - 1)) < 0.5
    use_truth[:, 0] = True
    return frames, use_truth


def make_config(work: Work) -> ModelConfig:
    half = work.length // 2
    return ModelConfig(
        "predrnn_v2",
        work.num_hidden,
        filter_size=FILTER,
        patch_size=PATCH,
        input_length=half,
        total_length=work.length,
        decouple_beta=BETA,
    )


def count_flop(work: Work) -> float:
    """FLOP of a forward pass: the convolutions of all cells and steps, two a multiplication and addition."""
    features, cells = work.num_hidden[0], (work.pixels // PATCH) ** 2 * work.batch * (work.length - 1)
    products = 0
    for layer in range(len(work.num_hidden)):
        inputs = features if layer else PATCH**2
        products += FILTER**2 * features * (7 * inputs + 7 * features + 2 * features) + 2 * features**2
    return 2.0 * cells * products


def draw_params(work: Work):
    """The initial parameters of a network of `work`, as a training run draws them."""
    frames, _ = make_data(work)
    init = jax.jit(make_forecaster(make_config(work)).init).lower(jax.random.key(0), frames)
    quick = {"xla_backend_optimization_level": "0"} if jax.default_backend() == "cpu" else None
    return init.compile(quick)(jax.random.key(0), frames)


def prepare_step(work: Work, execution: Execution, params=None) -> tuple[Callable, Callable, jax.Array, dict]:
    """The compiled train step, what makes its first state, its frames, and what compiling cost: (CPU) seconds."""
    frames, _ = make_data(work)
    config = TrainConfig(lr_schedule="constant", warmup_iterations=0, clip_norm=0.0, lr=1e-3)
    optimizer, sampling = make_optimizer(config), SamplingConfig().resolve(10**6)
    devices = parallel.choose_devices(1)
    # The step takes over what it is given: it gets a copy, as the other side starts from the same parameters.
    params = jax.tree.map(np.asarray, draw_params(work) if params is None else params)

    def make_state():
        return parallel.replicate(init_state(jax.tree.map(jnp.array, params), optimizer, 0), devices)

    forecaster = make_forecaster(make_config(work), execution)
    update = parallel.parallelise(make_update(forecaster, optimizer, sampling), devices, execution.precision)
    shards = parallel.shard(frames, devices)
    start, cpu = time.perf_counter(), time.process_time()
    step = parallel.compile_update(update, make_state(), shards, None, None)
    cost = {"train_step": time.perf_counter() - start, "train_step_cpu": time.process_time() - cpu}
    return step, make_state, shards, cost


def compile_step(work: Work, execution: Execution, params=None) -> tuple[Callable, dict]:
    """The compiled train step, which gives the loss when called, and what compiling cost: seconds, and CPU seconds."""
    step, make_state, shards, cost = prepare_step(work, execution, params)
    states = [make_state()]
    del make_state, params  # the parameters that the step does not need any more

    def train_step():
        states[0], metrics = step(states[0], shards, None, None)
        return float(metrics["loss"])

    return train_step, cost


def compile_predjax(work: Work, execution: Execution, params=None) -> tuple[dict, dict]:
    """All compiled calls by name, and what compiling cost, as `compile_step` has it."""
    frames, use_truth = make_data(work)
    forecaster = make_forecaster(make_config(work), execution)
    params = jax.device_put(draw_params(work) if params is None else params)
    train_step, cost = compile_step(work, execution, params)
    start = time.perf_counter()
    rollout = jax.jit(forecaster.rollout).lower(params, None, frames, use_truth).compile()
    cost["forward"] = time.perf_counter() - start
    loss = jax.jit(forecaster.loss)
    return {
        "forward": lambda: jax.block_until_ready(rollout(params, None, frames, use_truth)),
        "train_step": train_step,
        "loss": lambda: float(loss(params, None, frames, use_truth)[0]),
    }, cost


def make_torch(work: Work, variant: str, precision: str = "float32") -> tuple[dict, dict]:
    """The same calls in PyTorch, and its weights as numpy arrays."""
    import torch

    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import torch_predrnn

    device = "cuda" if torch.cuda.is_available() else "cpu"
    # On a GPU; PyTorch by itself takes TF32 in convolutions, but not in products.
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    torch.manual_seed(0)
    model = torch_predrnn.PredRNN(PATCH**2, work.num_hidden, FILTER).to(device)
    weights = {name: array.detach().cpu().numpy().copy() for name, array in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    frames, use_truth = (torch.from_numpy(array).to(device) for array in make_data(work))
    patches = torch_predrnn.to_patches(frames, PATCH)
    if variant == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        patches = patches.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    if variant == "compile":
        # Pickle, by which the compiler names what it caches, asks every module for a name, and Haiku's stand-in for a
        # flax that is not installed answers with an ImportError.
        sys.modules.pop("haiku.experimental.flax", None)
    run = torch.compile(model) if variant == "compile" else model
    cast = torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")

    def finish(tensor):
        return float(tensor.sum()) if device == "cuda" else tensor

    def forward():
        with torch.no_grad(), cast:
            return finish(run(patches, use_truth)[0])

    def loss():
        with cast:
            return torch_predrnn.compute_loss(run, patches, use_truth, BETA)

    def train_step():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return finish(value)

    return {"forward": forward, "train_step": train_step, "loss": lambda: float(loss())}, weights
