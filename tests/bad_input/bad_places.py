"""Bad places: paths that are no file, cannot be read, or have names that could break an error line."""

import os

import numpy as np
from bad_input.bad_npy import FRAMES, write, write_bytes
from bad_input.kinds import refused, repaired

ESCAPES = "\x1b[31mred\x1b[0m"


@refused("movies", "has no file of a known format")
def folder_named_nc(folder):
    (folder / "x.nc").mkdir()
    return folder / "x.nc"


@refused("movies", "No such file or directory: .*/a.npy")
def link_to_nothing(folder):
    (folder / "a.npy").symlink_to(folder / "gone.npy")
    return folder / "a.npy"


@refused("movies", "Too many levels of symbolic links: .*/a.npy")
def link_to_itself(folder):
    (folder / "a.npy").symlink_to(folder / "a.npy")
    return folder / "a.npy"


@refused("movies", "No such file or directory: .*/a.npy")
def folder_with_a_dangling_link(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "a.npy").symlink_to(folder / "gone.npy")
    return folder / "deep"


@refused("movies", "no file of a known format")
def folder_with_folders_named_like_files(folder):
    (folder / "deep" / "a.npy").mkdir(parents=True)
    return folder / "deep"


@refused("movies", "Permission denied")
def file_that_may_not_be_read(folder):
    path = write(folder)
    path.chmod(0)
    return path


@refused("movies", "no file matches")
def device_instead_of_a_file(folder):
    os.mkfifo(folder / "a.npy")  # to open it would wait for ever
    return folder / "a.npy"


@refused("movies", "format '.docx' is unknown")
def unknown_suffix(folder):
    return write_bytes(folder, b"PK", "a.docx")


@refused("movies", r"no file matches .*a\\x00b")
def name_with_a_zero_byte(folder):
    return str(folder / "a\0b.npy")


@refused("movies", r"a\\nb\.npy: not a \.npy file")
def name_with_a_line_break(folder):
    return write_bytes(folder, b"text", "a\nb.npy")


@refused("movies", r"\\x1b\[31mred\\x1b\[0m\.npy: not a \.npy file")
def name_with_terminal_escapes(folder):
    return write_bytes(folder, b"text", f"{ESCAPES}.npy")


@refused("movies", r"\\udcff\.nc: not a netCDF file")
def name_that_is_not_unicode(folder):
    return write_bytes(folder, b"text", os.fsdecode(b"\xff.nc"))


@refused("movies", r"\\u202e.*not a netCDF file")
def name_written_backwards(folder):
    return write_bytes(folder, b"text", "\u202eypn.nc")


def _shows_its_name(shown):
    def check(movies):
        assert movies[0].attrs["source"] == shown
        np.testing.assert_array_equal(movies[0].frames.values[0, ..., 0], FRAMES)

    return check


@repaired()
def good_file_with_a_line_break(folder):
    return write(folder, name="a\nb.npy"), _shows_its_name(r"a\nb.npy")


@repaired()
def good_file_with_markup_for_a_name(folder):
    name = "<script>alert(1)<\u2215script>.npy"
    return write(folder, name=name), _shows_its_name(name)
