"""The configuration of TiDHy: sizes, inference and training terms."""

import dataclasses

from predjax.cells.options import check_choice, check_count, check_number, check_switch

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

    Attributes:
      r_dim: R, size of the latent state r.
      r2_dim: Q, size of the slow latent r2, which chooses the dynamics.
      mix_dim: K, number of matrices.
      hyper_dim: hidden size of the hypernetwork and of a nonlinear decoder.
      loss: of x given x^, a sum over features: "mse" (x^ - x)^2, "poisson" x^ - x log x^, "bce" for x in [0, 1].
      weights: the function that makes w positive: "softplus", or the authors' "relu", with which dynamics may die.
      nonlinear_decoder: whether x^ is a perceptron of r, else linear.
      lr_r, lr_r2, momentum: the rates and momentum of the gradient descent in inference.
      temp_weight: weight of |r - V(r2) r_before|^2 in inference and training.
      l1_w, l1_r, l1_r2: weights of |w|_1, |r|_1 and |r2|_1 in inference.
      smoothness: weight of |r2 - r2_before|^2 in inference.
      threshold_r, threshold_r2: soft thresholds after every update, not multiplied by a learning rate.
      saturate_r, saturate_r2: one of `SATURATIONS`, after the threshold, with the scales scale_r and scale_r2.
      max_iter, tol: inference ends after `max_iter` updates, or when r and r2 both change by less than `tol` of their
        norm.
      backtracking: whether inference rejects steps that do not lower its objective (`cells.descent`). Then there are no
        thresholds, and no saturation but "clip": they would move even a minimum.
      first_clip: bound of the gradient's components in the first step of a sequence; infinite for none.
      normalise: whether every update of the parameters ends with `normalise`: decoder rows and V_k of norm 1.
      radius: the largest spectral radius of V in forecasts (`bound_radius`), infinite for none. With 1 no forecast
        grows without end. Inference and training do not use it.
      cos_eta, w_sparsity, decoder_orthogonality, w_continuity: weights of the `Regularisers` in training.
    """

    r_dim: int
    r2_dim: int = 4
    mix_dim: int = 4
    hyper_dim: int = 16
    loss: str = "mse"
    weights: str = "softplus"
    nonlinear_decoder: bool = False
    lr_r: float = 0.1
    lr_r2: float = 0.1
    momentum: float = 0.9
    temp_weight: float = 2.0
    l1_w: float = 0.0
    l1_r: float = 0.0
    l1_r2: float = 0.0
    smoothness: float = 0.1
    threshold_r: float = 0.0
    threshold_r2: float = 0.0
    saturate_r: str = "none"
    saturate_r2: str = "none"
    scale_r: float = 5.0
    scale_r2: float = 3.0
    max_iter: int = 60
    tol: float = 1e-4
    backtracking: bool = False
    first_clip: float = 1.0
    normalise: bool = False
    radius: float = float("inf")
    cos_eta: float = 0.001
    w_sparsity: float = 0.0
    decoder_orthogonality: float = 0.0
    w_continuity: float = 0.0

    def __post_init__(self) -> None:
        for name in ("r_dim", "r2_dim", "mix_dim", "hyper_dim", "max_iter"):
            check_count(name, getattr(self, name))
        check_choice("loss", self.loss, LOSSES)
        check_choice("weights", self.weights, WEIGHTS)
        for name in ("nonlinear_decoder", "normalise", "backtracking"):
            check_switch(name, getattr(self, name))
        for name in ("saturate_r", "saturate_r2"):
            check_choice(name, getattr(self, name), SATURATIONS)
        for name in ("lr_r", "lr_r2", "scale_r", "scale_r2", "first_clip", "radius"):
            check_number(name, getattr(self, name), above=0)
        if check_number("momentum", self.momentum, low=0) >= 1:
            raise ValueError(f"momentum must be less than 1, not {self.momentum!r}")
        weights = ("temp_weight", "l1_w", "l1_r", "l1_r2", "smoothness", "threshold_r", "threshold_r2", "tol")
        for name in (*weights, "cos_eta", "w_sparsity", "decoder_orthogonality", "w_continuity"):
            check_number(name, getattr(self, name), low=0)
        for part in ("r", "r2") if self.backtracking else ():
            saturation, threshold = getattr(self, f"saturate_{part}"), getattr(self, f"threshold_{part}")
            if threshold or saturation not in ("none", "clip"):
                found = f"{threshold!r} and {saturation!r}"
                raise ValueError(
                    f"with backtracking threshold_{part} must be 0 and saturate_{part} none or clip, not {found}"
                )
