"""Recurrent cells, one family a file, every one an `hk.RNNCore`."""

from predjax.cells.base import unroll
from predjax.cells.elman import Elman, IndRNN, LeakyElman, WilsonCowan
from predjax.cells.gated import GRU, LSTM
from predjax.cells.st_lstm import STLSTM

CELLS = {
    "elman": Elman,
    "leaky_elman": LeakyElman,
    "wilson_cowan": WilsonCowan,
    "ind_rnn": IndRNN,
    "lstm": LSTM,
    "gru": GRU,
    "st_lstm": STLSTM,
}

__all__ = ["CELLS", "GRU", "LSTM", "STLSTM", "Elman", "IndRNN", "LeakyElman", "WilsonCowan", "unroll"]
