# %% [markdown]
# # A network that knows plasticity
#
# A composite is pulled, and the stress is to follow from the strain. Metals remember: after plastic strain they
# unload along another line than they were loaded along. The physically recurrent network has this memory built in,
# because between its two small layers there are material points that obey the laws of plasticity. GRU and LSTM have
# to learn it.
#
# The test is hard on purpose: all networks learn from paths that are only loaded, and are asked about paths that are
# unloaded.

# %%
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import predjax
from predjax.synthetic.strain_paths import list_canonical, make_strain_path
from predjax.synthetic.stress_strain import StressStrainConfig, find_stress

ITERATIONS = 400  # 1000 for the physical network and 3000 for the others, as in docs/materials.md
TESTED = 16  # paths with unloading
PIXELS = 15  # along a side of the cell of the composite; 25 for a finer one
LENGTH = 40  # steps of a path
OUTPUT = tempfile.mkdtemp(prefix="predjax_")  # the folder for the picture

# %% [markdown]
# ## Paths
#
# Strains have the components xx, yy and xy. The canonical paths load one or two of them evenly. A proportional path
# goes in a random direction, back for a part of the way, and on again. The stress comes from a small model of the
# composite: elastic fibres in an elastoplastic matrix.

# %%
PATHS = StressStrainConfig(length=LENGTH, pixels=PIXELS)


def make(path_type, count):
    strain = [make_strain_path(path_type, i, PATHS.length, PATHS.max_strain, seed=1) for i in range(count)]
    strain = np.stack(strain).astype(np.float32)
    return strain, find_stress(strain, PATHS)


strain, stress = make("canonical", len(list_canonical()))
test_strain, test_stress = make("proportional", TESTED)
print(f"{len(strain)} paths to learn from, {TESTED} with unloading; stresses of up to {np.abs(stress).max():.0f} MPa")

# %% [markdown]
# ## Three networks
#
# This is a sequence task: no frame is observed, and the stress of a step follows from all strains up to it. The
# strains are forcings `(B, T, 3)`, the stresses a movie of one pixel with three channels.
#
# GRU and LSTM get as many features as fit into the parameters of the physical network (16 material points). Stresses
# are scaled by the largest one. The physical network takes strains as they are, because its material points know what
# a strain is; the others get them standardised.

# %%
largest = float(np.abs(stress).max())
mean, deviation = strain.mean((0, 1)), strain.std((0, 1))
standardised = predjax.Scaling("linear", tuple(mean.tolist()), tuple((mean + deviation).tolist()))


def configure(name, width):
    return predjax.ModelConfig(
        name, (width,), filter_size=1, patch_size=1, img_channel=3, num_action_ch=3, task="sequence", input_length=0,
        total_length=PATHS.length, scaling=predjax.Scaling("linear", -largest, largest),
        forcing_scaling=predjax.Scaling() if name == "physical" else standardised,
    )  # fmt: skip


WIDTHS = {"physical": 16, "gru": 6, "lstm": 5}
LEARNING_RATES = {"physical": 0.1, "gru": 0.05, "lstm": 0.05}

# %% [markdown]
# ## Training
#
# 18 paths fit into one batch. The physical network learns with a large rate: its few weights begin far from where
# they end.

# %%


def fit(name):
    forecaster = predjax.make_forecaster(configure(name, WIDTHS[name]))
    rate = optax.cosine_decay_schedule(LEARNING_RATES[name], ITERATIONS)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    frames = jnp.asarray(stress)[:, :, None, None]

    def update(carry, _):
        params, state = carry
        gradient = jax.grad(lambda p: forecaster.loss(p, None, frames, None, strain)[0])(params)
        changes, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, changes), state), None

    @jax.jit
    def run(params):
        return jax.lax.scan(update, (params, optimizer.init(params)), length=ITERATIONS)[0][0]

    return forecaster, run(forecaster.init(jax.random.key(0), frames, strain))


def respond(forecaster, params, strain):
    """Stresses (P, T, 3) along strains (P, T, 3)."""
    nothing_observed = jnp.zeros((len(strain), 0, 1, 1, 3))
    return np.asarray(forecaster.predict(params, None, nothing_observed, strain.shape[1], strain))[:, :, 0, 0]


# %% [markdown]
# ## Loading and unloading
#
# All three learn the paths they have seen. Only one of them knows what happens on the way back.

# %%
trained, predicted = {}, {}
print("RMSE in MPa   parameters   seen paths   unloading paths")
for name in WIDTHS:
    forecaster, params = fit(name)
    trained[name] = params
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    predicted[name] = respond(forecaster, params, test_strain)
    seen = np.sqrt(np.square(respond(forecaster, params, strain) - stress).mean())
    unseen = np.sqrt(np.square(predicted[name] - test_stress).mean())
    print(f"{name:13} {size:10} {seen:12.2f} {unseen:17.2f}")

# %% [markdown]
# ## The picture: stress over strain
#
# Each panel is one path, by the component with the largest stress. The loop of the composite (grey) is what
# plasticity looks like: on the way back the line is steep, and it does not return to where it came from.

# %%
figure, panels = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for number, panel in enumerate(panels):
    component = int(np.abs(test_stress[number]).max(0).argmax())
    along = 100 * test_strain[number, :, component]
    panel.plot(along, test_stress[number, :, component], color="0.6", linewidth=4, label="composite")
    for name in WIDTHS:
        panel.plot(along, predicted[name][number, :, component], linewidth=1.4, label=name)
    panel.set(xlabel=f"strain {('xx', 'yy', 'xy')[component]} (%)", title=f"unloading path {number + 1}")
    panel.grid(alpha=0.3)
panels[0].set_ylabel("stress (MPa)")
panels[0].legend(frameon=False)
figure.suptitle(f"Learned from {len(strain)} paths without unloading, {ITERATIONS} updates")
path = pathlib.Path(OUTPUT) / "physical_network.png"
figure.savefig(path, dpi=120)
print(f"picture {path}")
