"""Memory that was freed goes back to the system."""

import ctypes
import os
import pathlib
import platform

import pytest

from predjax.parallel import return_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries cannot be asked to")
def test_freed_memory_is_given_back():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    libc.free.argtypes = (ctypes.c_void_p,)
    blocks = [libc.malloc(8192) for _ in range(8192)]  # 64 MB
    for block in blocks:
        ctypes.memset(block, 1, 8192)
    for block in blocks[:-1]:  # the last one keeps the heap from shrinking by itself
        libc.free(block)
    before = resident()
    return_memory()
    after = resident()
    libc.free(blocks[-1])
    assert before - after > 48 * 2**20


def resident() -> int:
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
