"""The first signal is remembered, the second acts, and the handlers before come back."""

import os
import signal
import threading

import pytest

from predjax.training.signals import SignalCatcher


def test_the_first_signal_is_remembered_and_the_second_acts():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with SignalCatcher() as caught:
        assert caught.signal == 0
        os.kill(os.getpid(), signal.SIGINT)
        assert caught.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_outside_the_main_thread_nothing_is_caught():
    before, found = signal.getsignal(signal.SIGTERM), []

    def enter():
        with SignalCatcher() as caught:
            found.append((caught.signal, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [(0, before)]
