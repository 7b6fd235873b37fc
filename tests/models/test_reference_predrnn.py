"""The PredRNN family against numbers computed by the original PyTorch code (thuml/predrnn-pytorch), in float32.

On GPUs as well: products are not rounded to TF32 there.
"""

import functools
import json

import haiku as hk
import jax
import numpy as np
import optax
import pytest

from predjax import parallel
from predjax.cells.st_lstm import STLSTM, STLSTMState
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.interop.torch_weights import from_state_dict, to_state_dict
from predjax.models.patches import from_patches, to_patches
from predjax.models.sampling import draw_truth, forecast_mask, truth_probabilities
from predjax.training.config import TrainConfig
from predjax.training.step import make_optimizer

CELLS = [f"A_cell_{kind}_ln{ln}" for kind in ("v1", "v2", "action", "v2_action") for ln in (0, 1)]
MODELS = [
    "A_predrnn_ln0_p2",
    "A_predrnn_ln0_p4",
    "A_predrnn_ln1_p4",
    "A_predrnn_v2_ln0_p4",
    "A_predrnn_v2_ln1_p2",
    "A_predrnn_v2_ln1_p4",
    "A_action_cond_predrnn_ln0_res0",
    "A_action_cond_predrnn_ln0_res1",
    "A_action_cond_predrnn_ln1_res1",
    "A_action_cond_predrnn_v2_ln0_res0",
    "A_action_cond_predrnn_v2_ln0_res1",
    "A_action_cond_predrnn_v2_ln1_res1",
]
# Without these there are still cases with and without layer norms, with both patch sizes, with and without skips.
REPEATED = {
    "A_predrnn_ln0_p2",
    "A_predrnn_ln0_p4",
    "A_predrnn_v2_ln1_p4",
    "A_action_cond_predrnn_ln0_res1",
    "A_action_cond_predrnn_ln1_res1",
    "A_action_cond_predrnn_v2_ln0_res0",
    "A_action_cond_predrnn_v2_ln0_res1",
}
# Of the models with actions one has norms and skips, the other neither; their cells are compared by default. PredRNN
# is PredRNN-V2, which is compared by default, without the decoupling.
LONGER = {"A_action_cond_predrnn_ln0_res0", "A_action_cond_predrnn_v2_ln1_res1", "A_predrnn_ln1_p4"}
MARKS = {name: [pytest.mark.slow] for name in REPEATED} | {name: [pytest.mark.ci] for name in LONGER}
TRAJECTORY, PATCHES, SCHEDULES = "A_train_trajectory_predrnn_v2", "A_reshape_patch", "A_schedules"
RNG = jax.random.PRNGKey  # nothing in these models is random; the functions want a key
compile_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="module")
def read(shared):
    """Arrays of a fixture by its name."""
    return lambda name: dict(np.load(shared / "fixtures" / f"{name}.npz"))


@pytest.fixture(scope="module")
def describe(shared):
    """The configuration of a fixture by its name."""
    index = json.loads((shared / "fixtures" / "index.json").read_text())
    return lambda name: index[name]["config"]


def read_group(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def make_config(described, model_name=""):
    action = "action" in described.get("model_name", model_name)
    return ModelConfig(
        model_name=described.get("model_name", model_name),
        num_hidden=tuple(int(n) for n in described["num_hidden"].split(",")),
        filter_size=described["filter_size"],
        patch_size=described["patch_size"],
        layer_norm=bool(described["layer_norm"]),
        input_length=described["input_length"],
        total_length=described["total_length"],
        img_width=described["img_width"],
        img_channel=described.get("img_channel", 1),
        decouple_beta=described["decouple_beta"],
        conv_on_input=bool(described.get("conv_on_input", 0)),
        res_on_conv=bool(described.get("res_on_conv", 0)),
        num_action_ch=described["num_action_ch"] if action else 0,
    )


@functools.cache
def compile_model(config):
    forecaster = make_forecaster(config)
    functions = forecaster.rollout, jax.value_and_grad(forecaster.loss, has_aux=True)
    return [compile_quickly(parallel.in_precision(f, parallel.find_platform(), "float32")) for f in functions]


def make_use_truth(mask, total_length):
    """The reference's masks leave out the first steps, which are always true: T-2 or T-input_length-1 are given."""
    mask = mask.reshape(len(mask), -1) > 0.5
    return np.concatenate([np.ones((len(mask), total_length - 1 - mask.shape[1]), bool), mask], 1)


def assert_gradient(ours, reference, name):
    np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-6 + 1e-3 * np.abs(reference).max(), err_msg=name)


def test_every_fixture_of_the_family_is_tested(shared):
    found = {path.stem for path in (shared / "fixtures").glob("A_*.npz")}
    assert found == {*CELLS, *MODELS, TRAJECTORY, PATCHES, SCHEDULES}


@functools.cache
def compile_cell(layer_norm, with_action):
    def advance(x, state, action):
        return STLSTM(8, (6, 6), (5, 5), layer_norm, with_action, name="cell").advance(x, state, action)

    return compile_quickly(hk.without_apply_rng(hk.transform(advance)).apply)


def convert_cell(params):
    """The state dict of one PyTorch cell as the parameters of ours, written out a second time."""
    converted = {}
    for name, array in params.items():
        part, *_, kind = name.split(".")
        if array.ndim == 3:
            part, ours = part.replace("conv", "norm"), {"weight": "scale", "bias": "offset"}[kind]
            array = np.einsum("chw->hwc", array)
        elif array.ndim == 4:
            ours, array = "w", np.einsum("oihw->hwio", array)
        else:
            ours = "b"
        converted.setdefault(f"cell/~/{part}", {})[ours] = array
    return converted


@pytest.mark.parametrize("name", CELLS)
def test_a_step_of_a_cell(read, name):
    arrays = read(name)
    channels_last = {key: np.moveaxis(value, 1, -1) for key, value in arrays.items() if not key.startswith("param/")}
    params = convert_cell(read_group(arrays, "param/"))
    state = STLSTMState(*(channels_last[key] for key in "hcm"))
    step = compile_cell(name.endswith("ln1"), "action" in name)
    new, increments = step(params, channels_last["x"], state, channels_last.get("a"))
    given = {"h_new": new.hidden, "c_new": new.cell, "m_new": new.memory} | increments._asdict()
    for key, reference in read_group(channels_last, "out/").items():
        np.testing.assert_allclose(given[key], reference, rtol=0, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, [])) for name in MODELS])
def test_frames_losses_and_gradients_of_a_model(read, describe, name):
    arrays, config = read(name), make_config(describe(name))
    params = from_state_dict(read_group(arrays, "param/"), config)
    rollout, loss_and_gradient = compile_model(config)
    modes = [mode for mode in ("ss", "rss") if f"{mode}/mask" in arrays]
    assert modes == (["rss"] if config.spec.action else ["ss", "rss"])
    for mode in modes:
        reference = read_group(arrays, f"{mode}/")
        use_truth = make_use_truth(reference["mask"], config.total_length)
        inputs = (params, RNG(0), arrays["images"], use_truth, arrays.get("actions"))
        frames = to_patches(rollout(*inputs), config.patch_size)
        np.testing.assert_allclose(frames, reference["next_frames"], rtol=1e-4, atol=2e-5)
        (loss, metrics), gradient = loss_and_gradient(*inputs)
        np.testing.assert_allclose(loss, reference["loss"], rtol=1e-5)
        gradient = to_state_dict(gradient, config)
        for key, expected in read_group(reference, "grad/").items():
            assert_gradient(gradient[key], expected, key)
        np.testing.assert_allclose(optax.tree.norm(gradient), reference["grad_global_norm"], rtol=1e-3)
        if config.spec.decoupled:
            beta = config.decouple_beta
            np.testing.assert_allclose(metrics["penalty"] / beta, reference["decouple_loss"], rtol=1e-5)
            # Only the decoupling depends on the adapter.
            expected = reference["decouple_grad/adapter.weight"]
            assert_gradient(gradient["adapter.weight"] / beta, expected, "decouple_grad")


def test_reshape_patch(read, describe):
    arrays = read(PATCHES)
    for i, (*_, patch_size) in enumerate(describe(PATCHES)["cases"]):
        image, patched = (arrays[f"case{i}_p{patch_size}/{key}"] for key in ("image", "patched"))
        np.testing.assert_array_equal(to_patches(image, patch_size), patched)
        np.testing.assert_array_equal(from_patches(patched, patch_size), image)


@pytest.mark.parametrize("run", ["mnist_v2", "kth_v2", "bair", "default"])
def test_reverse_schedule(read, describe, run):
    arrays, config = read(SCHEDULES), SamplingConfig(**describe(SCHEDULES)["rss"][run])
    with jax.enable_x64(True):
        probabilities = jax.vmap(lambda step: truth_probabilities(step, config, 3, 6))(arrays[f"{run}/itr"])
    np.testing.assert_array_equal(probabilities[:, 0], 1)
    for t, key in enumerate(("r_eta", "r_eta", "eta", "eta"), start=1):
        np.testing.assert_allclose(probabilities[:, t], arrays[f"{run}/{key}"], rtol=0, atol=1e-9)


def test_forward_schedule(read, describe):
    arrays = read(SCHEDULES)
    config = SamplingConfig(reverse_scheduled_sampling=False, **describe(SCHEDULES)["ss"])
    with jax.enable_x64(True):
        probabilities = jax.vmap(lambda step: truth_probabilities(step, config, 3, 6))(arrays["ss/itr"])
    np.testing.assert_array_equal(probabilities[:, :3], 1)
    for t in (3, 4):
        np.testing.assert_allclose(probabilities[:, t], arrays["ss/eta"], rtol=0, atol=1e-9)


def test_masks_from_given_draws(read, describe):
    arrays, described = read(SCHEDULES), describe(SCHEDULES)
    lengths = (described["seeded"]["input_length"], described["seeded"]["total_length"])
    config = SamplingConfig(**described["rss"]["mnist_v2"])
    probabilities = truth_probabilities(int(arrays["rss_mask_seeded/itr"]), config, *lengths)
    uniforms = np.concatenate([np.zeros((3, 1)), arrays["rss_mask_seeded/u_r"], arrays["rss_mask_seeded/u"]], 1)
    use_truth = make_use_truth(arrays["rss_mask_seeded/mask"], lengths[1])
    np.testing.assert_array_equal(draw_truth(probabilities, uniforms), use_truth)

    config = SamplingConfig(reverse_scheduled_sampling=False, **described["ss"])
    step = round((1 - arrays["ss_mask_seeded/eta_out"]) / config.sampling_changing_rate)
    probabilities = truth_probabilities(step, config, *lengths)
    uniforms = np.concatenate([np.full((3, lengths[0]), 0.999), arrays["ss_mask_seeded/u"]], 1)
    use_truth = make_use_truth(arrays["ss_mask_seeded/mask"], lengths[1])
    np.testing.assert_array_equal(draw_truth(probabilities, uniforms), use_truth)


def test_ten_updates_with_reversed_inputs(read, describe):
    """An iteration is an update on the clip and one on the clip reversed in time, both with the same mask."""
    arrays, described = read(TRAJECTORY), describe(TRAJECTORY)
    config = make_config(described, "predrnn_v2")
    params = from_state_dict(read_group(arrays, "init/"), config)
    rollout, loss_and_gradient = compile_model(config)
    optimizer = make_optimizer(
        TrainConfig(lr=described["lr"], lr_schedule="constant", warmup_iterations=0, clip_norm=0)
    )
    state, losses = optimizer.init(params), []

    @compile_quickly
    def update(params, state, gradient):
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    for images, mask in zip(arrays["images"], arrays["masks"]):
        use_truth = make_use_truth(mask, config.total_length)
        for clip in (images, images[:, ::-1]):
            (loss, _), gradient = loss_and_gradient(params, RNG(0), clip, use_truth)
            params, state = update(params, state, gradient)
            losses.append(float(loss))

    np.testing.assert_allclose(losses[:4], arrays["opt_step_losses"][:4], rtol=1e-4)
    np.testing.assert_allclose(losses, arrays["opt_step_losses"], rtol=1e-3)
    np.testing.assert_allclose(np.reshape(losses, (-1, 2)).mean(1), arrays["iteration_costs"], rtol=1e-3)
    weights = to_state_dict(params, config)
    for name, final in read_group(arrays, "final/").items():
        np.testing.assert_allclose(weights[name], final, rtol=0, atol=5e-4, err_msg=name)
    use_truth = forecast_mask(2, config.input_length, config.total_length)
    frames = to_patches(rollout(params, RNG(0), arrays["test/images"], use_truth), config.patch_size)
    # Adam's first updates are as large for the smallest gradients: after twenty, processors differ by up to 0.003.
    np.testing.assert_allclose(frames, arrays["test/next_frames"], rtol=0, atol=5e-3)
