"""Every ```sh and ```python block of README.md and docs/*.md is executed as it stands, in the order of its page.

A page is a folder of its own with data/ in it. Its commands are the true ones, called in this process, with settings
that make them short (`SHORT`) and small files where a page names an archive of the reader's (`placeholders`). A block
that is not run has a line `<!-- not run: REASON -->` before it. Nothing else is left out.
"""

import contextlib
import importlib
import itertools
import os
import pathlib
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import placeholders
import pytest
from tiny import ROOT

from predjax.__main__ import COMMANDS

LANGUAGES = {"sh", "python"}  # executed; blocks of any other that is listed here hold no command
OTHER_LANGUAGES = {"", "text", "json"}
TESTED_ELSEWHERE = {
    "main job": ".ci/run",
    "tests": ".ci/run",
    "cells": "tests/test_docs.py",
    "slurm": "tests/test_slurm_script.py",
}
SETUP = ("pip install ", "python -m venv ", ". ", "source ")  # of the reader's machine: this one is ready
EXTRA = re.compile(r"\[([\w,-]+)\]")
# Of train: flags that a documented command may have, with the largest value that is used; and flags that are added.
LARGEST = {
    "--max_iterations": 2, "--batch_size": 2, "--num_hidden": 6, "--filter_size": 3, "--crop": 16, "--num_seeds": 2,
    "--test_interval": 2, "--snapshot_interval": 2, "--display_interval": 1, "--warmup_iterations": 1,
    "--max_cases": 2, "--num_save_samples": 1, "--num_movies": 8,
}  # fmt: skip
SHORT = {
    "train": {"--max_iterations": "2", "--batch_size": "2", "--num_hidden": "4,4", "--max_valid_cases": "2",
              "--num_save_samples": "1", "--n_gpu": "1"},
    "evaluate": {"--max_cases": "2", "--num_save_samples": "1"},
    "synthetic": {"--num_movies": "8"},
}  # fmt: skip
READ = ("--data_path", "--train_data_paths", "--valid_data_paths", "--forecasts", "--digits")
RUNS = ("--checkpoint", "--pretrained_model")


class Block(NamedTuple):
    """A fenced block: the page, the line of its first line, its language, what the comment before it says, its text."""

    page: str
    line: int
    language: str
    comment: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def reason(self) -> str:
        """Why it is not executed here; empty where it is."""
        if self.comment in TESTED_ELSEWHERE:
            return f"executed by {TESTED_ELSEWHERE[self.comment]}"
        return self.comment.removeprefix("not run:").strip() if self.comment.startswith("not run:") else ""


def read_blocks(path: pathlib.Path) -> list[Block]:
    """All fenced blocks of a page."""
    blocks, lines, comment = [], iter(enumerate(path.read_text().splitlines(), 1)), ""
    for number, line in lines:
        fence = re.fullmatch(r"\s*(```+)(.*)", line)
        if fence:
            text = []
            for _, inner in lines:
                if inner.strip() == fence[1]:
                    break
                text.append(inner)
            name = path.relative_to(ROOT).as_posix()
            blocks.append(Block(name, number + 1, fence[2].strip(), comment, "\n".join(text) + "\n"))
        if line.strip() or fence:
            said = re.fullmatch(r"<!--\s*(.*?)\s*-->", line.strip())
            comment = said[1] if said else ""
    return blocks


def split_commands(text: str) -> list[list[str]]:
    """The commands of a block of shell, as words: lines joined at backslashes, comments left out, parted at &&."""
    commands = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "&&" in words:
            commands.append(words[: words.index("&&")])
            words = words[words.index("&&") + 1 :]
        commands.append(words)
    return [words for words in commands if words]


def find_command(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """The name of a command of predjax and its arguments; None where it is another program."""
    script = words[1] if words[0] in ("python", "python3") and len(words) > 1 else ""
    if script in ("train.py", "evaluate.py"):
        return script.removesuffix(".py"), list(words[2:])
    if list(words[1:3]) == ["-m", "predjax.synthetic"]:
        return "synthetic", list(words[3:])
    words = words[2:] if list(words[1:3]) == ["-m", "predjax"] else words
    return (words[1], list(words[2:])) if words[0] == "predjax" and words[1:2] and words[1] in COMMANDS else None


def shorten(name: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of a command with smaller numbers, and paths below this folder."""
    arguments = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    short = []
    for flag, value in zip([None, *arguments], arguments):
        if flag in LARGEST:
            value = ",".join(str(min(int(number), LARGEST[flag])) for number in value.split(","))
        short.append(value.lstrip("/") if not value.startswith("--") else value)
    # What a checkpoint fixes stays as it is there.
    fixed = {"--num_hidden"} if {"--resume", "--pretrained_model"} & set(arguments) else set()
    added = {flag: value for flag, value in SHORT.get(name, {}).items() if flag not in {*short, *fixed}}
    return [*short, *(part for item in added.items() for part in item)]


PAGES = {path: read_blocks(path) for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
BLOCKS = [block for blocks in PAGES.values() for block in blocks]


def trains(path: pathlib.Path) -> bool:
    """Whether a page trains networks: that takes its time."""
    commands = [words for block in PAGES[path] if runs(block, "sh") for words in split_commands(block.text)]
    return any((find_command(words) or [""])[0] == "train" and "--list_models" not in words for words in commands)


def runs(block: Block, language: str) -> bool:
    return block.language == language and not block.reason


class Page:
    """A folder in which the blocks of one page are executed one after another."""

    def __init__(self, tiny_run: pathlib.Path, capsys):
        pathlib.Path("data").symlink_to(ROOT / "data")
        self._tiny_run, self._capsys, self._names = tiny_run, capsys, {}

    def run(self, block: Block) -> None:
        if block.language == "python":
            for path in re.findall(r'"(runs/\w+)"', block.text):
                self._want(path, make_run=True)
            for path in re.findall(r'read_movies\(\s*"([^"]+)"', block.text):
                self._want(path)
            exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), self._names)
            return
        for words in split_commands(block.text):
            self._command(words, block.where)

    def _command(self, words: list[str], where: str) -> None:
        text = shlex.join(words)
        if text.startswith(SETUP):
            known = {extra for extra in re.findall(r"^(\w+) =", (ROOT / "setup.cfg").read_text(), re.M)}
            assert {name for part in EXTRA.findall(text) for name in part.split(",")} <= known, f"{where}: {text}"
            return
        found = find_command(words)
        assert found, f"{where}: what is {text}? Say <!-- not run: REASON --> before a block that cannot be executed"
        name, arguments = found[0], shorten(*found)
        options = dict(itertools.pairwise(arguments))
        for flag in RUNS:
            if flag in options:
                self._want(options[flag], make_run=True)
        for flag in READ:
            for path in options.get(flag, "").split(",") if flag in options else ():
                forcings = tuple(options.get("--forcings", "").split(",")) if "--forcings" in options else ()
                kind = {"forecasts": flag == "--forecasts", "model": options.get("--model_name", "")}
                self._want(path, forcings=forcings, **kind)
        if name == "train" and any(pathlib.Path(options.get("--save_dir", "-")).glob("*.npz")):
            # A page shows several ways to train what it goes on with: the reader takes one of them.
            arguments += [] if {"--resume", "--overwrite"} & set(arguments) else ["--overwrite"]
        module = "predjax.synthetic.__main__" if name == "synthetic" else f"predjax.commands.{name}"
        main = importlib.import_module(module).main
        with stop_watching(options["--output"]) if "--watch" in arguments else contextlib.nullcontext(0) as expected:
            code = main(arguments)
        said = self._capsys.readouterr()
        assert code == expected, f"{where}: {shlex.join([name, *arguments])}: exit code {code}\n{said.err}{said.out}"

    def _want(self, path: str, *, make_run: bool = False, **how) -> None:
        """Makes what a page takes for granted; what it made itself is there."""
        if pathlib.Path(path).exists() or (not make_run and any(pathlib.Path().glob(path))):
            return
        placeholders.make_run(path, self._tiny_run) if make_run else placeholders.make_data(path, **how)


@contextlib.contextmanager
def stop_watching(folder: str):
    """Ends a command that watches, as SIGTERM does, when it has written a nowcast; gives its exit code then."""

    def stop():
        deadline = time.monotonic() + 60
        while not list(pathlib.Path(folder).glob("*.nc")) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=stop, daemon=True)
    watcher.start()
    yield 143
    assert list(pathlib.Path(folder).glob("*.nc")), f"no nowcast in {folder}"


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.name, marks=[pytest.mark.ci] if trains(path) else []) for path in PAGES],
)
def test_every_command_of_a_page_runs(path, tiny_run, tmp_path, monkeypatch, capsys, quick_compilation):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["predjax"])
    page = Page(tiny_run, capsys)
    for block in PAGES[path]:
        if not block.reason and block.language in LANGUAGES:
            page.run(block)


def test_every_block_has_a_language_that_is_executed_or_none():
    unknown = [f"{b.where} ({b.language})" for b in BLOCKS if b.language not in LANGUAGES | OTHER_LANGUAGES]
    assert not unknown, f"a command stands in ```sh or ```python: {unknown}"


def test_blocks_that_are_not_run_say_why(capsys):
    left_out = [block for block in BLOCKS if block.language in LANGUAGES and block.reason]
    with capsys.disabled():
        print(
            f"\n{len(left_out)} of {sum(b.language in LANGUAGES for b in BLOCKS)} documented blocks are not run here:"
        )
        for block in left_out:
            print(f"  {block.where}: {block.reason}")
    assert all(len(block.reason.split()) >= 2 for block in left_out)
