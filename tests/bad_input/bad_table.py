"""Bad tables of stress-strain paths."""

from bad_input.bad_npy import write_bytes
from bad_input.kinds import refused

ROW = b"1 2 3 4 5 6\n"


@refused("movies", "the table is empty", path_length=2)
def table_empty(folder):
    return write_bytes(folder, b"", "a.txt")


@refused("movies", "the table is empty", path_length=2)
def table_of_comments(folder):
    return write_bytes(folder, b"# e_xx e_yy e_xy\n", "a.txt")


@refused("movies", "not a table of numbers", path_length=2)
def table_of_words(folder):
    return write_bytes(folder, ROW + b"a b c d e f\n", "a.dat")


@refused("movies", "not a table of numbers", path_length=2)
def table_of_unequal_rows(folder):
    return write_bytes(folder, ROW + b"1 2 3\n", "a.dat")


@refused("movies", "not a table of numbers", path_length=2)
def table_of_bytes(folder):
    return write_bytes(folder, bytes(range(256)), "a.dat")


@refused("movies", "not a table of numbers", path_length=2)
def table_in_utf16(folder):
    return write_bytes(folder, ROW.decode().encode("utf-16"), "a.dat")


@refused("movies", "found 5 numbers", path_length=2)
def table_of_five_columns(folder):
    return write_bytes(folder, b"1 2 3 4 5\n" * 2, "a.txt")


@refused("movies", "number 2 of row 1 is nan", path_length=1)
def table_with_nan(folder):
    return write_bytes(folder, b"1 nan 3 4 5 6\n", "a.txt")


@refused("movies", "number 2 of row 1 is", path_length=1)
def table_beyond_float32(folder):
    return write_bytes(folder, b"1 1e300 3 4 5 6\n", "a.txt")


@refused("movies", "no whole number of paths", path_length=3)
def table_cut_off(folder):
    return write_bytes(folder, ROW * 4, "a.txt")


@refused("movies", "found 1 numbers", path_length=1)
def table_of_one_endless_line(folder):
    return write_bytes(folder, b"1" * 10**6, "a.txt")
