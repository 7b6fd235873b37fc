"""Messages stand on one line, whatever the names in them hold."""

import errno
import io
import logging
import sys
import time

import pytest

from predjax import messages
from predjax.messages import one_line, one_line_messages, report_error, show_wait, suggest, warn_once

NO_MEMORY = "predjax: there is not enough memory"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rain of Düsseldorf.nc", "rain of Düsseldorf.nc"),
        ("a\nb\r\x1b[31m\x00", r"a\nb\r\x1b[31m\x00"),
        ("caf\udce9\u2028", r"caf\udce9\u2028"),
    ],
)
def test_what_cannot_be_printed_is_made_visible(text, shown):
    assert one_line(text) == shown


def test_of_a_long_text_the_middle_is_left_out():
    shown = one_line("a" * 3000 + "b" * 3000)
    assert shown == "a" * 1000 + " ... " + "b" * 1000


@pytest.mark.parametrize("error", [ValueError("a\nb", 3), OSError(2, "a\nb")])
def test_messages_of_errors_become_one_line(error):
    with pytest.raises(type(error)) as caught, one_line_messages():
        raise error
    assert r"a\nb" in caught.value.args and len(caught.value.args) == 2


def test_other_errors_stay_as_they_are():
    with pytest.raises(KeyError) as caught, one_line_messages():
        raise KeyError("a\nb")
    assert caught.value.args == ("a\nb",)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ValueError("size 0\nis wrong"), 2, "predjax: size 0\\nis wrong\n"),
        (OSError(errno.ENOSPC, "No space left on device", "a.nc"), 2, "predjax: a.nc: No space left on device\n"),
        (OSError(errno.EIO, "Input/output error"), 2, "predjax: Input/output error\n"),
        (MemoryError(), 2, f"{NO_MEMORY}\n"),
        (RuntimeError("RESOURCE_EXHAUSTED: 5 GB\nat"), 2, f"{NO_MEMORY} (RESOURCE_EXHAUSTED: 5 GB)\n"),
        (ImportError("a.so: failed to map segment"), 2, f"{NO_MEMORY} (a.so: failed to map segment)\n"),
        (KeyboardInterrupt(), 130, "predjax: interrupted\n"),
    ],
)
def test_an_error_of_the_input_is_a_line_and_an_exit_code(error, code, text, capsys, monkeypatch):
    monkeypatch.delenv("PREDJAX_TRACEBACK", raising=False)
    assert report_error(error) == code
    assert capsys.readouterr().err == text


def test_a_mistake_of_the_program_is_raised_again(monkeypatch):
    with pytest.raises(TypeError, match="mine"):
        report_error(TypeError("mine"))
    monkeypatch.setenv("PREDJAX_TRACEBACK", "1")
    with pytest.raises(ValueError, match="yours"):
        report_error(ValueError("yours"))


def test_a_near_name_is_suggested():
    assert suggest("PREDRN", ["predrnn", "mim"]) == "; did you mean predrnn?"
    assert suggest("zebra", ["predrnn", "mim"]) == ""


def test_a_warning_is_given_once(caplog):
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING, "predjax"):
        for text in ("100 % of a", "100 % of a", "b"):
            warn_once(text)
    assert caplog.messages == ["100 % of a", "b"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "seconds", "shown"), [(Terminal, 0.3, True), (Terminal, 0.0, False)])
def test_a_terminal_shows_what_a_command_waits_for(stream, seconds, shown, monkeypatch):
    terminal = stream()
    monkeypatch.setattr(sys, "stderr", terminal)
    with show_wait("reading", after=0.05):
        time.sleep(seconds)
    assert ("reading 00:00" in terminal.getvalue()) == shown
    assert terminal.getvalue().rpartition("\r")[2].strip() == ""  # the line is gone at the end


def test_a_file_shows_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not messages.is_terminal()
    with show_wait("reading", after=0.0):
        time.sleep(0.05)
    assert sys.stderr.getvalue() == ""
