"""The two sides of `moving_mnist.py`: PredRNN-V2 in predjax and in plain PyTorch, trained step by step.

A side has `start(weights, seed)`, `step(frames) -> loss`, `forecast(observed) -> frames`, `save(path)`, `load(path)`,
`release()` of its memory, the number of iterations that it has done and the most that it is to do. Nothing else decides
a step: what is resumed goes on as it would have.
"""

import dataclasses
import functools
import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np

from predjax import checkpoint, parallel
from predjax.files import appearing
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.interop.torch_weights import from_state_dict, to_state_dict
from predjax.models.sampling import truth_mask
from predjax.synthetic.moving_mnist import SIZE
from predjax.training.config import TrainConfig
from predjax.training.step import init_state, make_optimizer, make_update

INPUT, LENGTH = 10, 20  # observed frames, and all frames of a movie
FIRST = 50  # iterations over which losses are compared
PATCH, FILTER, BETA = 4, 5, 0.1


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides a run, apart from its seed and its digits; the same for both sides.

    Adam (beta 0.9 and 0.999, eps 1e-8) at a constant rate, no clipping, no layer norm; reverse scheduled sampling with
    its steps in proportion to `iterations`. With `reverse_input` an iteration is one more update, on the movies
    backwards in time. `tf32` rounds what goes into the convolutions of a GPU.
    """

    num_hidden: tuple[int, ...]
    batch_size: int
    lr: float
    iterations: int
    reverse_input: bool
    tf32: bool = False

    @property
    def model(self) -> ModelConfig:
        frames = {"patch_size": PATCH, "input_length": INPUT, "total_length": LENGTH}
        return ModelConfig("predrnn_v2", tuple(self.num_hidden), filter_size=FILTER, decouple_beta=BETA, **frames)

    @property
    def training(self) -> TrainConfig:
        constant = {"lr": self.lr, "lr_schedule": "constant", "warmup_iterations": 0, "clip_norm": 0.0}
        given = {"max_iterations": self.iterations, "batch_size": self.batch_size, "reverse_input": self.reverse_input}
        return TrainConfig(**given, **constant)

    @property
    def sampling(self) -> SamplingConfig:
        return SamplingConfig().resolve(self.iterations)


def draw_weights(settings: Settings, seed: int) -> dict[str, np.ndarray]:
    """The weights that both sides start from, by the names of the published checkpoints.

    Uniform within 1 / sqrt(fan-in), as both sides draw them by themselves; here by numpy, the same on every machine.
    """
    frames = np.zeros((1, LENGTH, SIZE, SIZE, 1), np.float32)
    shapes = jax.eval_shape(lambda: make_forecaster(settings.model).init(jax.random.key(0), frames))
    kernels = to_state_dict(jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes), settings.model)
    rng = np.random.default_rng(seed)
    bounds = {name: kernel[0].size ** -0.5 for name, kernel in kernels.items()}  # of (out, in, k, k)
    return {name: rng.uniform(-bounds[name], bounds[name], k.shape).astype(k.dtype) for name, k in kernels.items()}


def make_draw(settings: Settings):
    """`(seed, iteration) -> (B, 19)`: the mask that predjax's own update draws, the first iteration being 1."""

    @jax.jit
    def draw(seed, iteration):
        rng = jax.random.fold_in(jax.random.key(seed), iteration)
        return truth_mask(rng, iteration, settings.sampling, jnp.arange(settings.batch_size), INPUT, LENGTH)

    return draw


class PredjaxSide:
    """predjax, through the update and the forecast of its training command."""

    name, suffix, most = "predjax", ".npz", math.inf

    def __init__(self, settings: Settings):
        precision = "tf32" if settings.tf32 else "float32"  # on CPUs the same
        self.config = settings.model
        self.optimizer = make_optimizer(settings.training)
        self.devices = parallel.choose_devices(1)
        forecaster = make_forecaster(self.config)
        update = make_update(forecaster, self.optimizer, settings.sampling, settings.training)
        self.update = parallel.parallelise(update, self.devices, precision)
        predict = parallel.in_precision(forecaster.predict, self.devices[0].platform, precision)
        self.predict = jax.jit(predict, static_argnums=3)

    def start(self, weights: dict[str, np.ndarray], seed: int) -> None:
        params = jax.tree.map(jnp.array, from_state_dict(weights, self.config))
        self.state = parallel.replicate(init_state(params, self.optimizer, seed), self.devices)

    @property
    def iteration(self) -> int:
        return int(self.state.step)

    def step(self, frames: np.ndarray) -> float:
        self.state, metrics = self.update(self.state, parallel.shard(frames, self.devices), None, None)
        return float(metrics["loss"])

    def forecast(self, observed: np.ndarray) -> np.ndarray:
        return np.asarray(self.predict(self.state.params, None, observed, LENGTH - INPUT))

    def save(self, path) -> None:
        checkpoint.save(path, {"state": self.state._replace(rng=())}, {})  # the key follows from the seed

    def load(self, path) -> None:
        state = checkpoint.unflatten(checkpoint.load(path)[0], "state", self.state._replace(rng=()))
        self.state = parallel.replicate(state._replace(rng=self.state.rng), self.devices)

    def release(self) -> None:
        del self.state


class TorchSide:
    """Plain PyTorch, in eager mode, on a GPU where there is one."""

    name, suffix, most = "torch", ".pt", math.inf

    def __init__(self, settings: Settings):
        import torch
        import torch_predrnn

        torch.backends.fp32_precision = "tf32" if settings.tf32 else "ieee"
        self.torch, self.settings, self.rival = torch, settings, torch_predrnn
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.draw_mask = make_draw(settings)
        self.to_patches = functools.partial(torch_predrnn.to_patches, patch_size=PATCH)

    def start(self, weights: dict[str, np.ndarray], seed: int) -> None:
        self.seed, self.iteration = seed, 0
        self.model = self.rival.PredRNN(PATCH**2, self.settings.num_hidden, FILTER)
        self.model.load_state_dict({name: self.torch.tensor(array) for name, array in weights.items()})
        self.model.to(self.device)
        self.optimizer = self.torch.optim.Adam(self.model.parameters(), self.settings.lr, eps=1e-8)

    def step(self, frames: np.ndarray) -> float:
        use_truth = self._place(self.draw_mask(self.seed, self.iteration + 1))
        forwards = self.to_patches(self._place(frames))
        losses = []
        for patches in (forwards, forwards.flip(1)) if self.settings.reverse_input else (forwards,):
            self.optimizer.zero_grad()
            loss = self.rival.compute_loss(self.model, patches, use_truth, BETA)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        self.iteration += 1
        return sum(losses) / len(losses)

    def forecast(self, observed: np.ndarray) -> np.ndarray:
        unseen = np.zeros((len(observed), LENGTH - INPUT, *observed.shape[2:]), observed.dtype)
        use_truth = np.broadcast_to(np.arange(LENGTH - 1) < INPUT, (len(observed), LENGTH - 1))
        with self.torch.no_grad():
            patches = self.to_patches(self._place(np.concatenate([observed, unseen], 1)))
            predictions = self.model(patches, self._place(use_truth))[0]
        return self.rival.from_patches(predictions, PATCH)[:, INPUT - 1 :].cpu().numpy()

    def save(self, path) -> None:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        with appearing(path, overwrite=True) as temporary:
            self.torch.save(state | {"iteration": self.iteration}, temporary)

    def load(self, path) -> None:
        try:
            state = self.torch.load(path, map_location=self.device, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ValueError(f"{path} is not a readable checkpoint of PyTorch") from error
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration = state["iteration"]

    def release(self) -> None:
        del self.model, self.optimizer
        self.torch.cuda.empty_cache()

    def _place(self, array):
        return self.torch.tensor(np.asarray(array), device=self.device)


class MovedTorchSide(TorchSide):
    """The same from weights half of which are moved to the next float32: how far rounding alone takes PyTorch."""

    name, most = "torch_moved", FIRST

    def start(self, weights: dict[str, np.ndarray], seed: int) -> None:
        rng = np.random.default_rng(seed)
        above = {name: np.nextafter(array, np.float32(np.inf)) for name, array in weights.items()}
        super().start({n: np.where(rng.random(a.shape) < 0.5, above[n], a) for n, a in weights.items()}, seed)


SIDES = {side.name: side for side in (TorchSide, MovedTorchSide, PredjaxSide)}
