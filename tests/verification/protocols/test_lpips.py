"""LPIPS with small made-up weights, against its formula written down with loops."""

import numpy as np
import pytest

from predjax.verification.protocols.lpips import Lpips

SIDES, INDICES, STRIDES, PADS = (11, 5, 3, 3, 3), (0, 3, 6, 8, 10), (4, 1, 1, 1, 1), (2, 2, 1, 1, 1)


def make_weights():
    draw, channels, weights = np.random.default_rng(0), 3, {}
    for layer, features in enumerate((2, 3, 2, 2, 3)):
        name = f"net.slice{layer + 1}.{INDICES[layer]}"
        side = SIDES[layer]
        weights[f"{name}.weight"] = draw.normal(0, 0.3, (features, channels, side, side)).astype(np.float32)
        weights[f"{name}.bias"] = draw.normal(0.2, 0.1, features).astype(np.float32)
        weights[f"lin{layer}.model.1.weight"] = draw.random((1, features, 1, 1)).astype(np.float32)
        channels = features
    return weights


def convolve(image, kernel, bias, stride, pad):
    """The cross-correlation of (C, H, W) with (F, C, k, k), after its ReLU."""
    image, side = np.pad(image, ((0, 0), (pad, pad), (pad, pad))), kernel.shape[-1]
    height, width = ((size - side) // stride + 1 for size in image.shape[1:])
    out = np.zeros((len(kernel), height, width))
    for f, row, column in np.ndindex(out.shape):
        y, x = row * stride, column * stride
        out[f, row, column] = (image[:, y : y + side, x : x + side] * kernel[f]).sum() + bias[f]
    return np.maximum(out, 0)


def pool(image):
    height, width = ((size - 3) // 2 + 1 for size in image.shape[1:])
    out = np.zeros((len(image), height, width))
    for c, row, column in np.ndindex(out.shape):
        out[c, row, column] = image[c, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3].max()
    return out


def test_the_distance_is_that_of_its_formula():
    weights, pair = make_weights(), np.random.default_rng(1).random((2, 35, 33))
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    f, o = (np.stack([(image - shift[c]) / scale[c] for c in range(3)]) for image in pair)
    expected = 0.0
    for layer in range(5):
        name = f"net.slice{layer + 1}.{INDICES[layer]}"
        own = weights[f"{name}.weight"], weights[f"{name}.bias"], STRIDES[layer], PADS[layer]
        f, o = (convolve(pool(image) if layer in (1, 2) else image, *own) for image in (f, o))
        unit = [image / (np.sqrt((image**2).sum(0)) + 1e-10) for image in (f, o)]
        each = (weights[f"lin{layer}.model.1.weight"][0] * (unit[0] - unit[1]) ** 2).sum(0)
        expected += each.mean()
    found = Lpips(weights, "w.pth")(pair[:1, ..., None], pair[1:, ..., None])
    assert found == pytest.approx([expected], rel=1e-6)
    assert expected > 0.01
    same = np.random.default_rng(2).random((1, 31, 31, 3))
    assert Lpips(weights, "w.pth")(same, same) == [0]
    assert np.isnan(Lpips(weights, "w.pth")(same[:, :30], same[:, :30]))


def test_other_weights_are_refused():
    weights = make_weights()
    with pytest.raises(ValueError, match=r"w\.pth: net\.slice2\.3\.weight must take 2 channels"):
        Lpips(weights | {"net.slice2.3.weight": np.zeros((3, 5, 5, 5))}, "w.pth")
    with pytest.raises(ValueError, match=r"w\.pth: LPIPS needs .* there is no lin1\.model\.1\.weight"):
        Lpips({name: one for name, one in weights.items() if not name.startswith("lin1")}, "w.pth")
