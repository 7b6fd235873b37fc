"""Recurrent cells, one family a file, every one an `hk.RNNCore`."""

from predjax.cells.st_lstm import STLSTM

CELLS = {"st_lstm": STLSTM}

__all__ = ["CELLS", "STLSTM"]
