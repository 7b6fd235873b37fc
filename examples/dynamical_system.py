# %% [markdown]
# # How long is a forecast of chaos valid?
#
# Three recurrent networks of about equal size learn the Lorenz system of 1963 and forecast it freely. The system is
# chaotic: errors grow e-fold in one Lyapunov time. So the fair question is not how small the error is at the end, but
# for how many Lyapunov times a forecast stays close to the truth.

# %%
import bisect
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import predjax
from predjax.synthetic.dynamics import Lorenz63Config
from predjax.synthetic.systems import SYSTEMS, make_series

ITERATIONS = 600  # 3000 and more for forecasts of several Lyapunov times
PARAMETERS = 5000  # of each network, at most
CASES = 50  # forecasts to score
STEPS = 400  # of a forecast, 7 Lyapunov times
LENGTH = 2000  # steps of a series to learn from
OUTPUT = tempfile.mkdtemp(prefix="predjax_")  # the folder for the picture

# %% [markdown]
# ## Series to learn from, and others to forecast
#
# `make_series` integrates the equations. A vector series is a movie of one pixel whose channels are the features, so
# its shape is `(B, T, 1, 1, F)`. Everything is in standard deviations of the training data, so that errors of the
# three features can be compared.

# %%
WINDOW, OBSERVED, LIMIT = 100, 100, 0.5


def make(count, length, seed):
    config = Lorenz63Config(length)
    return np.stack([make_series("lorenz63", config, seed, number).values for number in range(count)])


train, test = make(8, LENGTH, seed=0), make(CASES, OBSERVED + STEPS, seed=1)
mean, deviation = train.mean((0, 1)), train.std((0, 1))
train, test = ((data - mean) / deviation for data in (train, test))
lyapunov_times = Lorenz63Config.dt * SYSTEMS["lorenz63"].lyapunov  # of one step

# %% [markdown]
# ## Three networks, one budget
#
# A larger network has an advantage that has nothing to do with its equations. So each one gets the widest layers that
# the budget of parameters allows. `jax.eval_shape` counts them without computing anything.
#
# `gru` has gates, `s5` is linear in time between its layers, `co_rnn` is a set of damped oscillators.

# %%
OPTIONS = {
    "gru": {},
    "s5": {"step_min": 0.01, "step_max": 1.0},  # the system turns in about 40 steps
    "co_rnn": {"step_size": 0.3, "gamma": 1.0, "epsilon": 1.0},
}


def configure(name, width):
    return predjax.ModelConfig(
        name, (width, width), filter_size=1, patch_size=1, img_channel=3, input_length=1, total_length=WINDOW,
        cell_options=OPTIONS[name],
    )  # fmt: skip


def count_parameters(config):
    frames = jnp.zeros((1, 2, 1, 1, 3))
    shapes = jax.eval_shape(predjax.make_forecaster(config).init, jax.random.key(0), frames)
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def choose(name):
    """The widest layers within the budget, of an even number of features, as the oscillators need it."""
    widths = range(4, 132, 2)
    fits = bisect.bisect_right(widths, PARAMETERS, key=lambda width: count_parameters(configure(name, width)))
    return configure(name, widths[fits - 1])


configs = {name: choose(name) for name in OPTIONS}

# %% [markdown]
# ## Training
#
# All inputs are true ones (teacher forcing), and the loss is the error of the next step. A linear `s5` then computes
# all steps at once, which is what `use_truth=None` allows. The loop over the updates is a `scan`, so it is compiled
# once.

# %%


def fit(config):
    forecaster = predjax.make_forecaster(config)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(5e-3, ITERATIONS)))
    data = jnp.asarray(train, jnp.float32)[:, :, None, None]

    def draw(key):
        """One window of some series."""
        movie, start = (jax.random.randint(k, (), 0, n) for k, n in zip(jax.random.split(key), (8, LENGTH - WINDOW)))
        return jax.lax.dynamic_slice(data, (movie, start, 0, 0, 0), (1, WINDOW, 1, 1, 3))[0]

    def update(carry, key):
        params, state = carry
        frames = jax.vmap(draw)(jax.random.split(key, 32))
        gradient = jax.grad(lambda p: forecaster.loss(p, key, frames, None)[0])(params)
        changes, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, changes), state), None

    @jax.jit
    def run(params):
        keys = jax.random.split(jax.random.key(1), ITERATIONS)
        return jax.lax.scan(update, (params, optimizer.init(params)), keys)[0][0]

    return forecaster, run(forecaster.init(jax.random.key(0), data[:1]))


# %% [markdown]
# ## Free forecasts
#
# `predict` sees 100 steps, which bring the state of the network near that of the system. From then on its input is
# its own last forecast. The valid prediction time ends where the error is first above half a standard deviation.

# %%
forecasts, times = {}, {}
for name, config in configs.items():
    forecaster, params = fit(config)
    predict = jax.jit(forecaster.predict, static_argnums=3)
    observed = jnp.asarray(test[:, :OBSERVED, None, None], jnp.float32)
    forecasts[name] = np.asarray(predict(params, None, observed, STEPS))[:, :, 0, 0]
    errors = np.sqrt(np.square(forecasts[name] - test[:, OBSERVED:]).mean(-1))
    wrong = ~(errors <= LIMIT)  # also where it is not a number
    times[name] = np.where(wrong.any(1), wrong.argmax(1), STEPS) * lyapunov_times
    low, middle, high = np.quantile(times[name], (0.25, 0.5, 0.75))
    size = f"2 x {config.num_hidden[0]} features, {count_parameters(config)} parameters"
    print(f"{name:7} {size}: valid for {middle:.2f} Lyapunov times ({low:.2f} to {high:.2f})")

# %% [markdown]
# ## The picture
#
# On the left one test case, the truth in grey; the vertical line is where the forecast stops being valid. On the
# right the valid times of all cases: one case alone tells little, for some states are much harder to go on from than
# others.

# %%
figure, axes = plt.subplot_mosaic(
    [[name, "times"] for name in configs], figsize=(11, 5), width_ratios=(2.2, 1), layout="constrained"
)
leads = np.arange(1, STEPS + 1) * lyapunov_times
shown = int(np.argsort(times["gru"])[CASES // 2])  # a median case
for row, name in enumerate(configs):
    panel = axes[name]
    panel.plot(leads, test[shown, OBSERVED:, 0], color="0.6", linewidth=2.5, label="Lorenz system")
    panel.plot(leads, forecasts[name][shown, :, 0], color=f"C{row}", linewidth=1.3, label=name)
    panel.axvline(times[name][shown], color=f"C{row}", linestyle="--", linewidth=1)
    panel.set(ylabel="x (standard deviations)" if row == 1 else "", xlim=(0, 6), ylim=(-3, 4.5))
    panel.legend(loc="upper right", ncols=2, borderaxespad=0.2, fontsize=8, frameon=False)
    panel.tick_params(labelbottom=row == len(configs) - 1)
    axes["times"].plot(
        times[name], row + np.linspace(-0.25, 0.25, CASES), ".", color=f"C{row}", markersize=3, alpha=0.5
    )
    low, middle, high = np.quantile(times[name], (0.25, 0.5, 0.75))
    axes["times"].plot([low, high], [row, row], color=f"C{row}", linewidth=3)
    axes["times"].plot(middle, row, "o", color=f"C{row}", markersize=8)
axes["co_rnn"].set_xlabel("lead time in Lyapunov times")
axes["times"].set(xlabel="valid prediction time in Lyapunov times", xlim=(0, None), yticks=range(len(configs)))
axes["times"].set_yticklabels(list(configs))
axes["times"].invert_yaxis()
axes["times"].set_title("all cases, quartiles and median", fontsize=9)
figure.suptitle(f"Free forecasts of Lorenz-63 after {ITERATIONS} updates, networks of at most {PARAMETERS} parameters")
path = pathlib.Path(OUTPUT) / "dynamical_system.png"
figure.savefig(path, dpi=120)
print(f"picture {path}")
