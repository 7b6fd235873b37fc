"""An end of the process in time after a signal, whatever the process is doing then."""

import atexit
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

from predjax.files import remove_unfinished
from predjax.messages import SIGNAL_CODES


@contextlib.contextmanager
def end_within(seconds: float) -> Iterator[None]:
    """End the process `seconds` after a SIGINT or SIGTERM in this block, unless the block has ended by then.

    The usual handlers of Python wait until a call of a library ends, such as one that compiles a network or opens a
    damaged file; this thread does not wait. Unfinished files are removed, whole files stay. After a signal, the process
    also ends at once where the interpreter would begin its slow end.
    """
    waiting, signalled = socket.socketpair()
    signalled.setblocking(False)
    ended = threading.Event()

    def wait() -> None:
        with waiting:
            while number := waiting.recv(1):
                code = SIGNAL_CODES.get(number[0])
                if code:  # on a busy machine the end of the interpreter alone takes seconds: nothing is left to do then
                    atexit.register(os._exit, code)
                if code and not ended.wait(seconds):
                    print(f"predjax: ended {seconds:g} s after the signal, in the middle of its work", file=sys.stderr)
                    sys.stdout.flush()
                    remove_unfinished()
                    os._exit(code)

    before = signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        signalled.close()
        thread.join()
