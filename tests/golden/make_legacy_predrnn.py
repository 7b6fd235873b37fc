"""Makes legacy_predrnn.ckpt and legacy_predrnn.npz; needs PyTorch: python tests/golden/make_legacy_predrnn.py

A PredRNN-V2 with random weights under the names of thuml/predrnn-pytorch, saved in PyTorch's older file format from
behind a DataParallel, and the frames that it forecasts, in float64 from the published equations.
"""

import collections
import pathlib

import numpy as np
import torch
from torch.nn.functional import conv2d

FOLDER = pathlib.Path(__file__).resolve().parent
LAYERS, HIDDEN, KERNEL, PATCH, GRID = 2, 2, 3, 2, (3, 2)
INPUT_LENGTH, TOTAL_LENGTH, BATCH = 2, 5, 2


def make_state_dict():
    """Random weights with layer norm and, for version 2, the adapter."""
    generator = torch.Generator().manual_seed(2017)
    state_dict = collections.OrderedDict()

    def add(name, *shape, scale=0.5):
        state_dict[name] = scale * torch.randn(shape, generator=generator)

    for layer in range(LAYERS):
        inputs = HIDDEN if layer else PATCH**2
        for gate, count, channels in (("x", 7, inputs), ("h", 4, HIDDEN), ("m", 3, HIDDEN), ("o", 1, 2 * HIDDEN)):
            name = f"cell_list.{layer}.conv_{gate}"
            add(f"{name}.0.weight", count * HIDDEN, channels, KERNEL, KERNEL)
            add(f"{name}.1.weight", count * HIDDEN, *GRID)
            add(f"{name}.1.bias", count * HIDDEN, *GRID)
        add(f"cell_list.{layer}.conv_last.weight", HIDDEN, 2 * HIDDEN, 1, 1)
    add("conv_last.weight", PATCH**2, HIDDEN, 1, 1)
    add("adapter.weight", HIDDEN, HIDDEN, 1, 1)
    return state_dict


def forecast(state_dict, frames):
    """Patched frames (B, T, p p, h, w) to the forecasts of frames 1 .. T-1; input_length of them are shown."""
    w = {name: tensor.double() for name, tensor in state_dict.items()}

    def gates(name, x):
        x = conv2d(x, w[f"{name}.0.weight"], padding=KERNEL // 2)
        x = torch.nn.functional.layer_norm(x, x.shape[1:], w[f"{name}.1.weight"], w[f"{name}.1.bias"], 1e-5)
        return x.split(HIDDEN, 1)

    zeros = torch.zeros(len(frames), HIDDEN, *GRID, dtype=torch.float64)
    h, c, m = [zeros] * LAYERS, [zeros] * LAYERS, zeros
    predictions = []
    for t in range(TOTAL_LENGTH - 1):
        x = frames[:, t] if t < INPUT_LENGTH else predictions[-1]
        for layer in range(LAYERS):
            name = f"cell_list.{layer}.conv"
            i_x, f_x, g_x, i2_x, f2_x, g2_x, o_x = gates(f"{name}_x", x)
            i_h, f_h, g_h, o_h = gates(f"{name}_h", h[layer])
            i_m, f_m, g_m = gates(f"{name}_m", m)
            kept, new = torch.sigmoid(f_x + f_h + 1), torch.sigmoid(i_x + i_h) * torch.tanh(g_x + g_h)
            c[layer] = kept * c[layer] + new
            kept, new = torch.sigmoid(f2_x + f_m + 1), torch.sigmoid(i2_x + i_m) * torch.tanh(g2_x + g_m)
            m = kept * m + new
            both = torch.cat([c[layer], m], 1)
            o = torch.sigmoid(o_x + o_h + gates(f"{name}_o", both)[0])
            x = h[layer] = o * torch.tanh(conv2d(both, w[f"{name}_last.weight"]))
        predictions.append(conv2d(x, w["conv_last.weight"]))
    return torch.stack(predictions, 1)


def main():
    state_dict = make_state_dict()
    generator = torch.Generator().manual_seed(2022)
    height, width = GRID[0] * PATCH, GRID[1] * PATCH
    images = torch.rand(BATCH, TOTAL_LENGTH, height, width, generator=generator)
    folded = torch.nn.functional.pixel_unshuffle(images, PATCH)  # channel (row of the patch, column of the patch)
    folded = folded.reshape(BATCH, TOTAL_LENGTH, PATCH**2, *GRID)
    frames = torch.nn.functional.pixel_shuffle(forecast(state_dict, folded.double()), PATCH)
    wrapped = collections.OrderedDict((f"module.{name}", tensor) for name, tensor in state_dict.items())
    torch.save({"net_param": wrapped}, FOLDER / "legacy_predrnn.ckpt", _use_new_zipfile_serialization=False)
    np.savez(
        FOLDER / "legacy_predrnn.npz",
        images=images.numpy()[..., None],
        next_frames=frames.numpy().astype(np.float32).reshape(BATCH, TOTAL_LENGTH - 1, height, width, 1),
    )


if __name__ == "__main__":
    main()
