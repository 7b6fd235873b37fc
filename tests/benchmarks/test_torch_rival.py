"""The PyTorch PredRNN-V2 of the benchmarks against numbers computed by the original code (thuml/predrnn-pytorch)."""

import importlib
import json
import sys

import numpy as np
import pytest
from tiny import ROOT

torch = pytest.importorskip("torch", reason="PyTorch is not installed; the benchmarks alone need it")
sys.path.append(str(ROOT / "benchmarks"))
rival, sides = (importlib.import_module(name) for name in ("torch_predrnn", "moving_mnist_sides"))
torch.set_num_threads(1)  # the models are tiny; on a busy machine threads would wait for each other
MODEL = "A_predrnn_v2_ln0_p4"


@pytest.fixture(scope="module")
def read(shared):
    """Arrays and configuration of a fixture by its name."""
    index = json.loads((shared / "fixtures" / "index.json").read_text())
    return lambda name: (dict(np.load(shared / "fixtures" / f"{name}.npz")), index[name]["config"])


def read_group(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def make_use_truth(mask, total_length):
    """The reference's masks leave out the first steps, which are always true."""
    mask = mask.reshape(len(mask), -1) > 0.5
    return torch.tensor(np.concatenate([np.ones((len(mask), total_length - 1 - mask.shape[1]), bool), mask], 1))


def make_model(config, weights):
    features = tuple(int(n) for n in config["num_hidden"].split(","))
    model = rival.PredRNN(config["patch_size"] ** 2 * config["img_channel"], features, config["filter_size"])
    model.load_state_dict({name: torch.as_tensor(array) for name, array in weights.items()})
    return model


def assert_close(ours, reference, name=""):
    """To 1e-5 of the largest number."""
    ours = ours.detach().numpy()
    np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-5 * np.abs(reference).max(), err_msg=name)


def channels_last(patches):
    return patches.permute(0, 1, 3, 4, 2)


@pytest.mark.parametrize("mode", ["ss", "rss"])
def test_frames_losses_and_gradients(read, mode):
    arrays, config = read(MODEL)
    reference = read_group(arrays, f"{mode}/")
    model = make_model(config, read_group(arrays, "param/"))
    patches = rival.to_patches(torch.tensor(arrays["images"]), config["patch_size"])
    use_truth = make_use_truth(reference["mask"], config["total_length"])
    assert not use_truth.all() and use_truth[:, 1:].any()
    predictions, decoupling = model(patches, use_truth)
    assert_close(channels_last(predictions), reference["next_frames"])
    np.testing.assert_allclose(decoupling.item(), reference["decouple_loss"], rtol=1e-5)
    loss = rival.compute_loss(model, patches, use_truth, config["decouple_beta"])
    np.testing.assert_allclose(loss.item(), reference["loss"], rtol=1e-5)
    loss.backward()
    gradients = read_group(reference, "grad/")
    assert gradients
    parameters = dict(model.named_parameters())
    for name, gradient in gradients.items():
        assert_close(parameters[name].grad, gradient, name)
    norm = sum(parameter.grad.square().sum() for parameter in parameters.values()).sqrt()
    np.testing.assert_allclose(norm.item(), reference["grad_global_norm"], rtol=1e-5)


def test_a_published_checkpoint_loads_as_it_is(read, shared):
    arrays, config = read("thuml_predrnn_v2_io")
    stored = torch.load(shared / "fixtures" / "thuml_predrnn_v2.ckpt", weights_only=True)
    model = make_model(config, stored["net_param"])
    patches = rival.to_patches(torch.tensor(arrays["images"]), config["patch_size"])
    with torch.no_grad():
        predictions, _ = model(patches, make_use_truth(arrays["mask"], config["total_length"]))
    assert_close(channels_last(predictions), arrays["next_frames"])


def test_patches_there_and_back(read):
    arrays, described = read("A_reshape_patch")
    for i, (*_, patch_size) in enumerate(described["cases"]):
        image, patched = (torch.tensor(arrays[f"case{i}_p{patch_size}/{key}"]) for key in ("image", "patched"))
        patches = rival.to_patches(image, patch_size)
        assert torch.equal(channels_last(patches), patched)
        assert torch.equal(rival.from_patches(patches, patch_size), image)


def test_five_iterations_of_training(read, tmp_path):
    """The side of the Moving-MNIST benchmark, two updates an iteration, with the masks of the recorded run."""
    arrays, config = read("A_train_trajectory_predrnn_v2")
    masks = [make_use_truth(mask, config["total_length"]).numpy() for mask in arrays["masks"]]
    settings = sides.Settings((8, 8, 8), config["batch_size"], config["lr"], config["iterations"], reverse_input=True)
    side = sides.TorchSide(settings)
    side.draw_mask = lambda seed, iteration: masks[iteration - 1]
    side.start(read_group(arrays, "init/"), 0)
    losses = []
    for images in arrays["images"]:
        losses.append(side.step(images))
        side.save(tmp_path / "state.pt")  # going on from a file must make no difference
        side.start(read_group(arrays, "init/"), 0)
        side.load(tmp_path / "state.pt")
    assert side.iteration == len(losses) == config["iterations"]
    np.testing.assert_allclose(losses, arrays["iteration_costs"], rtol=1e-5)
    weights = side.model.state_dict()
    for name, final in read_group(arrays, "final/").items():
        np.testing.assert_allclose(weights[name], final, rtol=0, atol=5e-4, err_msg=name)
