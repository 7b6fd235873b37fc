"""Recurrent cells, one family a file, every one an `hk.RNNCore`."""

from predjax.cells.antisymmetric import Antisymmetric, GatedAntisymmetric
from predjax.cells.base import unroll
from predjax.cells.clockwork import Clockwork
from predjax.cells.elman import Elman, IndRNN, LeakyElman, WilsonCowan
from predjax.cells.gated import GRU, LSTM
from predjax.cells.lipschitz import Lipschitz
from predjax.cells.st_lstm import STLSTM

CELLS = {
    "elman": Elman,
    "leaky_elman": LeakyElman,
    "wilson_cowan": WilsonCowan,
    "ind_rnn": IndRNN,
    "lstm": LSTM,
    "gru": GRU,
    "antisymmetric": Antisymmetric,
    "gated_antisymmetric": GatedAntisymmetric,
    "clockwork": Clockwork,
    "lipschitz": Lipschitz,
    "st_lstm": STLSTM,
}

__all__ = ["CELLS", "unroll", *sorted(cell.__name__ for cell in CELLS.values())]
