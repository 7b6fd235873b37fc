"""The fenced blocks of README.md and docs/*.md, and the commands in them."""

import pathlib
import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from tiny import ROOT

from predjax.__main__ import COMMANDS

EXECUTED = ("sh", "python")
WITHOUT_COMMANDS = ("", "text", "json", "yaml", "diff")  # other languages that a block may have
# By the comment before a block, or by its place: blocks that another test executes.
TESTED_ELSEWHERE = {
    "main job": ".ci/run",
    "tests": ".ci/run",
    "cells": "tests/docs/test_docs.py",
    "slurm": "tests/docs/test_slurm_script.py",
    **dict.fromkeys(("cell", "reader", "score"), "tests/docs/test_contributing.py"),
}
FIRST_PYTHON = {"README.md": "tests/docs/test_docs.py", "docs/training.md": "tests/pictures/test_schedules.py"}


class Block(NamedTuple):
    """A fenced block.

    Attributes:
      page: path below the root of the repository.
      line: of its first command.
      language: "sh", "python" ...
      text: what stands in it.
      reason: why it is not executed with its page; empty where it is.
    """

    page: str
    line: int
    language: str
    text: str
    reason: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.language in EXECUTED and not self.reason

    @property
    def commands(self) -> list[list[str]]:
        """Of a block that runs: each as words."""
        return split_commands(self.text) if self.runs and self.language == "sh" else []


def read_blocks(path: pathlib.Path) -> list[Block]:
    """All fenced blocks of a page, in order. A comment counts where it is the last line of text before the fence."""
    blocks, comment = [], ""
    page = path.relative_to(ROOT).as_posix()
    lines = iter(enumerate(path.read_text().splitlines(), 1))
    for number, line in lines:
        fence = re.fullmatch(r"\s*(```+)(.*)", line)
        if fence:
            text = []
            for _, inner in lines:
                if inner.strip() == fence[1]:
                    break
                text.append(inner)
            language, first = fence[2].strip(), not any(block.language == "python" for block in blocks)
            reason = _find_reason(comment)
            if language == "python" and first and page in FIRST_PYTHON:
                reason = f"executed by {FIRST_PYTHON[page]}"
            blocks.append(Block(page, number + 1, language, "\n".join(text) + "\n", reason))
        if line.strip():
            said = re.fullmatch(r"<!--\s*(.*?)\s*-->", line.strip())
            comment = said[1] if said else ""
    return blocks


def _find_reason(comment: str) -> str:
    if comment in TESTED_ELSEWHERE:
        return f"executed by {TESTED_ELSEWHERE[comment]}"
    return comment.removeprefix("not run:").strip() if comment.startswith("not run:") else ""


def split_commands(text: str) -> list[list[str]]:
    """The commands of a shell script, as words: lines joined at backslashes, without comments, parted at &&."""
    commands = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "&&" in words:
            commands.append(words[: words.index("&&")])
            words = words[words.index("&&") + 1 :]
        commands.append(words)
    return [words for words in commands if words]


def find_command(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """The name of a command of predjax and its arguments; None where it is another program.

    >>> find_command(["JAX_PLATFORMS=cpu", "python", "train.py", "--lr", "0.1"])
    ('train', ['--lr', '0.1'])
    """
    words = list(words)
    while words and re.fullmatch(r"[A-Z]\w*=.*", words[0]):  # set for one command
        del words[0]
    python = words[:1] in (["python"], ["python3"])
    if python and words[1:2] in (["train.py"], ["evaluate.py"]):
        return words[1].removesuffix(".py"), words[2:]
    if python and words[1:3] == ["-m", "predjax.synthetic"]:
        return "synthetic", words[3:]
    if python and words[1:3] == ["-m", "predjax"]:
        words = words[2:]
    return (words[1], words[2:]) if words[:1] == ["predjax"] and words[1:2] and words[1] in COMMANDS else None


PAGES = {path: read_blocks(path) for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
BLOCKS = [block for blocks in PAGES.values() for block in blocks]
