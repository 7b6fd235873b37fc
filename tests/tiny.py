"""The repository, and the flags of the smallest run that has everything, of a bare network."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
TINY = (
    "--num_hidden 4,4 --filter_size 3 --total_length 6 --input_length 3 --batch_size 4 --crop 16 --n_gpu 1 "
    "--coordinates fixed --residual 0"
).split()
