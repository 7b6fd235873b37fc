"""Recurrent cells, one family in each file. Every cell is an `hk.RNNCore`."""

from predjax.cells.antisymmetric import Antisymmetric, GatedAntisymmetric
from predjax.cells.base import unroll
from predjax.cells.causal_lstm import GHU, CausalLSTM
from predjax.cells.clockwork import Clockwork
from predjax.cells.continuous_time import CTRNN, SimpleCTRNN
from predjax.cells.conv_lstm import ConvLSTM
from predjax.cells.elman import Elman, IndRNN, LeakyElman, WilsonCowan
from predjax.cells.gated import GRU, LSTM
from predjax.cells.lipschitz import Lipschitz
from predjax.cells.mim import MIM
from predjax.cells.oscillatory import CoRNN, HeteroCoRNN
from predjax.cells.physical import Physical
from predjax.cells.st_lstm import STLSTM
from predjax.cells.state_space import LRU, S5, ConvS5
from predjax.cells.unitary import ExpRNN, NnRNN, Unitary

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
    "unitary": Unitary,
    "exp_rnn": ExpRNN,
    "nn_rnn": NnRNN,
    "co_rnn": CoRNN,
    "hetero_co_rnn": HeteroCoRNN,
    "ct_rnn": CTRNN,
    "simple_ct_rnn": SimpleCTRNN,
    "lru": LRU,
    "s5": S5,
    "conv_s5": ConvS5,
    "conv_lstm": ConvLSTM,
    "causal_lstm": CausalLSTM,
    "ghu": GHU,
    "mim": MIM,
    "st_lstm": STLSTM,
}

__all__ = ["CELLS", "Physical", "unroll", *sorted(cell.__name__ for cell in CELLS.values())]
