"""The configuration of TiDHy: sizes, inference and training terms."""

import dataclasses

from predjax.cells.options import check_count, check_fields, option

LOSSES = ("mse", "poisson", "bce")
WEIGHTS = ("relu", "softplus")
SATURATIONS = ("none", "sigmoid", "shifted_sigmoid", "tanh", "scaled_tanh", "softsign", "scaled_softsign", "clip")


@dataclasses.dataclass(frozen=True)
class TiDHyConfig:
    """Sizes, inference and training terms of TiDHy; a weight of 0 leaves its term out.

    The defaults are for standardised features. (The authors have rates of 0.02, 200 updates, and no smoothness.)

    The authors' penalties in training on r or r2 alone (absolute values, the correlation of r, continuity and
    smoothness of r2) are not offered: training takes r and r2 as constants, so that these penalties never move a
    parameter. In inference `l1_r`, `l1_r2` and `smoothness` do act.
    """

    r_dim: int  # R, size of the latent state r
    r2_dim: int = option(4)  # Q, size of the slow latent r2, which chooses the dynamics
    mix_dim: int = option(4)  # K, number of matrices
    hyper_dim: int = option(16)  # hidden size of the hypernetwork and of a nonlinear decoder
    # The loss of x given x^, a sum over features: "mse" (x^ - x)^2, "poisson" x^ - x log x^, "bce" for x in [0, 1].
    loss: str = option("mse", choices=LOSSES)
    weights: str = option("softplus", choices=WEIGHTS)  # makes w positive; with the authors' "relu" dynamics may die
    nonlinear_decoder: bool = option(False)  # whether x^ is a perceptron of r, else linear
    lr_r: float = option(0.1, above=0)  # rates of the gradient descent in inference
    lr_r2: float = option(0.1, above=0)
    momentum: float = option(0.9, low=0)
    temp_weight: float = option(2.0, low=0)  # of |r - V(r2) r_before|^2 in inference and training
    l1_w: float = option(0.0, low=0)  # weights of |w|_1, |r|_1 and |r2|_1 in inference
    l1_r: float = option(0.0, low=0)
    l1_r2: float = option(0.0, low=0)
    smoothness: float = option(0.1, low=0)  # weight of |r2 - r2_before|^2 in inference
    threshold_r: float = option(0.0, low=0)  # soft thresholds after every update, not multiplied by a learning rate
    threshold_r2: float = option(0.0, low=0)
    saturate_r: str = option("none", choices=SATURATIONS)  # follows the threshold, with the scale below
    saturate_r2: str = option("none", choices=SATURATIONS)
    scale_r: float = option(5.0, above=0)
    scale_r2: float = option(3.0, above=0)
    max_iter: int = option(60)  # updates after which inference ends
    tol: float = option(1e-4, low=0)  # inference also ends when r and r2 both change by less than `tol` of their norm
    # Whether inference rejects steps that do not lower its objective (`cells.descent`). Then there are no thresholds,
    # and no saturation but "clip": they would move even a minimum.
    backtracking: bool = option(False)
    # The bound of the gradient's components in the first step of a sequence, infinite for none.
    first_clip: float = option(1.0, above=0)
    normalise: bool = option(False)  # whether every update of the parameters ends with `normalise`
    # The largest spectral radius of V in forecasts (`bound_radius`), infinite for none. With 1 no forecast grows
    # without end. Inference and training do not use it.
    radius: float = option(float("inf"), above=0)
    cos_eta: float = option(0.001, low=0)  # weights of the `Regularisers` in training
    w_sparsity: float = option(0.0, low=0)
    decoder_orthogonality: float = option(0.0, low=0)
    w_continuity: float = option(0.0, low=0)

    def __post_init__(self) -> None:
        check_count("r_dim", self.r_dim)
        check_fields(self)
        if self.momentum >= 1:
            raise ValueError(f"momentum must be less than 1, not {self.momentum!r}")
        for part in ("r", "r2") if self.backtracking else ():
            saturation, threshold = getattr(self, f"saturate_{part}"), getattr(self, f"threshold_{part}")
            if threshold or saturation not in ("none", "clip"):
                found = f"{threshold!r} and {saturation!r}"
                raise ValueError(
                    f"with backtracking threshold_{part} must be 0 and saturate_{part} none or clip, not {found}"
                )
