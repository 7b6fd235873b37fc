"""A physically recurrent network in plain PyTorch, from the equations of the papers: the rival of the benchmark.

Eager, as one would write it: a loop over time, all material points of a batch at once, Newton's iteration until all of
them converge, and automatic differentiation through it.
"""

import torch
from torch import nn
from torch.nn import functional

YOUNG, POISSON, FIRST, LAST, SCALE = 3130.0, 0.37, 31.2, 64.8, 0.003407
SHEAR = YOUNG / (2 * (1 + POISSON))
STIFFNESS = YOUNG / (1 - POISSON**2) * torch.tensor([[1, POISSON, 0], [POISSON, 1, 0], [0, 0, (1 - POISSON) / 2]])
FLOW = torch.tensor([[2 / 3, -1 / 3, 0], [-1 / 3, 2 / 3, 0], [0, 0, 2.0]])
TOLERANCE, MOST_ITERATIONS = 1e-5, 100


def harden(kappa):
    return LAST - (LAST - FIRST) * torch.exp(-kappa / SCALE)


def relax(multiplier, a1, a2):
    """The von Mises stress after a plastic step."""
    f1, f2 = 1 + YOUNG * multiplier / (3 * (1 - POISSON)), 1 + 2 * SHEAR * multiplier
    return torch.sqrt(1.5 * (a1 / (6 * f1**2) + a2 / f2**2))


def update_stress(strain, plastic, kappa):
    """J2 in plane stress: strains `(N, 3)` and histories to stresses and histories."""
    trial = (strain - plastic) @ STIFFNESS
    xx, yy, xy = trial.unbind(-1)
    a1, a2 = (xx + yy) ** 2, (yy - xx) ** 2 / 2 + 2 * xy**2
    beyond = relax(torch.zeros_like(kappa), a1, a2) > harden(kappa)
    if not beyond.any():
        return trial, plastic, kappa
    a1, a2, old = a1[beyond], a2[beyond], kappa[beyond]
    multiplier = torch.zeros_like(old)
    for _ in range(MOST_ITERATIONS):
        f1, f2 = 1 + YOUNG * multiplier / (3 * (1 - POISSON)), 1 + 2 * SHEAR * multiplier
        q = relax(multiplier, a1, a2)
        new = old + multiplier * q * (2 / 3)
        sigma = harden(new)
        residual = sigma / q - 1
        if (residual.abs() < TOLERANCE).all():
            break
        xi_slope = -a1 * YOUNG / (9 * (1 - POISSON) * f1**3) - 4 * SHEAR * a2 / f2**3
        q_slope = 0.75 * xi_slope / q
        sigma_slope = (LAST - FIRST) / SCALE * torch.exp(-new / SCALE) * (2 / 3) * (q + multiplier * q_slope)
        multiplier = multiplier - residual / (sigma_slope / q - sigma * q_slope / q**2)
    u, v = 1 / (1 + YOUNG * multiplier / (3 * (1 - POISSON))), 1 / (1 + 2 * SHEAR * multiplier)
    xx, yy, xy = trial[beyond].unbind(-1)
    mean, half = u * (xx + yy) / 2, v * (xx - yy) / 2
    returned = torch.stack([mean + half, mean - half, v * xy], -1)
    stress, plastic, kappa = trial.clone(), plastic.clone(), kappa.clone()
    stress[beyond] = returned
    plastic[beyond] = plastic[beyond] + multiplier[:, None] * (returned @ FLOW)
    kappa[beyond] = old + multiplier * relax(multiplier, a1, a2) * (2 / 3)
    return stress, plastic, kappa


class Physical(nn.Module):
    """Strains `(B, T, 3)` to stresses, with given weights of the encoder `(3, 3m)` and the soft decoder `(3m, 3)`."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = nn.Parameter(encoder.clone()), nn.Parameter(decoder.clone())

    def forward(self, strain):
        points = self.encoder.shape[1] // 3
        plastic = torch.zeros(len(strain) * points, 3)
        kappa = torch.zeros(len(strain) * points)
        outputs = []
        for step in strain.unbind(1):
            stress, plastic, kappa = update_stress((step @ self.encoder).reshape(-1, 3), plastic, kappa)
            outputs.append(stress.reshape(len(strain), -1) @ functional.softplus(self.decoder))
        return torch.stack(outputs, 1)


def train(encoder, decoder, strain, stress, order, scale, rate):
    """Adam over the batches of `order` `(iterations, B)`; the mean squared errors, in units of `scale`."""
    model = Physical(encoder, decoder)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    losses = []
    for batch in order:
        loss = ((model(strain[batch]) - stress[batch]) / scale).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
