"""PredRNN-V2 in plain PyTorch, written from the equations of the papers: the rival of the benchmarks.

Parameters have the names and layouts of the published checkpoints, so a `.ckpt` loads as it is. Frames are patches
`(B, T, C, h, w)`; a mask `(B, T-1)` says where the true frame goes in.
"""

import torch
from torch import nn
from torch.nn import functional

FORGET_BIAS = 1.0


class STLSTM(nn.Module):
    """The spatiotemporal LSTM: (x, h, c, m) to (h', c', m', increment of c, increment of m)."""

    def __init__(self, inputs: int, features: int, kernel_size: int):
        super().__init__()
        self.features = features

        def conv(inputs, outputs):
            # A sequence of one: the published names have room for a norm behind each convolution.
            return nn.Sequential(nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2, bias=False))

        self.conv_x, self.conv_h = conv(inputs, 7 * features), conv(features, 4 * features)
        self.conv_m, self.conv_o = conv(features, 3 * features), conv(2 * features, features)
        self.conv_last = nn.Conv2d(2 * features, features, 1, bias=False)

    def forward(self, x, h, c, m):
        i_x, f_x, g_x, im_x, fm_x, gm_x, o_x = self.conv_x(x).chunk(7, 1)
        i_h, f_h, g_h, o_h = self.conv_h(h).chunk(4, 1)
        i_m, f_m, g_m = self.conv_m(m).chunk(3, 1)
        delta_c = torch.sigmoid(i_x + i_h) * torch.tanh(g_x + g_h)
        delta_m = torch.sigmoid(im_x + i_m) * torch.tanh(gm_x + g_m)
        c = torch.sigmoid(f_x + f_h + FORGET_BIAS) * c + delta_c
        m = torch.sigmoid(fm_x + f_m + FORGET_BIAS) * m + delta_m
        memories = torch.cat([c, m], 1)
        o = torch.sigmoid(o_x + o_h + self.conv_o(memories))
        return o * torch.tanh(self.conv_last(memories)), c, m, delta_c, delta_m


class PredRNN(nn.Module):
    """The stack of PredRNN-V2: `forward` gives all T - 1 predictions and the decoupling loss."""

    def __init__(self, patch_channels: int, num_hidden: tuple[int, ...], kernel_size: int):
        super().__init__()
        features = num_hidden[0]
        inputs = [patch_channels, *num_hidden[:-1]]
        self.cell_list = nn.ModuleList([STLSTM(n, features, kernel_size) for n in inputs])
        self.conv_last = nn.Conv2d(features, patch_channels, 1, bias=False)
        self.adapter = nn.Conv2d(features, features, 1, bias=False)

    def forward(self, frames, use_truth):
        batch, length, _, rows, columns = frames.shape
        zeros = frames.new_zeros(batch, self.cell_list[0].features, rows, columns)
        states, m = [(zeros, zeros)] * len(self.cell_list), zeros
        predictions, decoupling = [], []
        for t in range(length - 1):
            x = frames[:, t]
            if t:
                x = torch.where(use_truth[:, t, None, None, None], x, predictions[-1])
            for layer, cell in enumerate(self.cell_list):
                x, c, m, delta_c, delta_m = cell(x, *states[layer], m)
                states[layer] = (x, c)
                decoupling.append(self._similarity(delta_c, delta_m))
            predictions.append(self.conv_last(x))
        return torch.stack(predictions, 1), torch.stack(decoupling).mean()

    def _similarity(self, delta_c, delta_m):
        """The mean |cos| over space of the increments behind the adapter."""
        delta_c, delta_m = (functional.normalize(self.adapter(d).flatten(2), dim=2) for d in (delta_c, delta_m))
        return functional.cosine_similarity(delta_c, delta_m, dim=2).abs().mean()


def to_patches(frames: torch.Tensor, patch_size: int) -> torch.Tensor:
    """`(B, T, H, W, C)` to `(B, T, p p C, H/p, W/p)`; feature (row p + column) C + channel."""
    batch, length, height, width, channels = frames.shape
    p = patch_size
    split = frames.reshape(batch, length, height // p, p, width // p, p, channels)
    return split.permute(0, 1, 3, 5, 6, 2, 4).reshape(batch, length, p * p * channels, height // p, width // p)


def from_patches(patches: torch.Tensor, patch_size: int) -> torch.Tensor:
    """The inverse of `to_patches`."""
    batch, length, features, rows, columns = patches.shape
    p = patch_size
    split = patches.reshape(batch, length, p, p, features // (p * p), rows, columns)
    return split.permute(0, 1, 5, 2, 6, 3, 4).reshape(batch, length, rows * p, columns * p, -1)


def compute_loss(model: nn.Module, patches, use_truth, decouple_beta: float):
    """Mean squared error of all predictions plus decouple_beta times the decoupling loss."""
    predictions, decoupling = model(patches, use_truth)
    return functional.mse_loss(predictions, patches[:, 1:]) + decouple_beta * decoupling
