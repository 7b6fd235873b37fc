"""Every ```sh and ```python block of README.md and docs/*.md is executed as it stands, in the order of its page.

A page has a folder of its own with data/ in it. Its commands are the true ones, called in this process, with settings
that make them short (`LARGEST`, `ADDED`) and small files in the place of the reader's (`placeholders`). A block that is
not run has a line `<!-- not run: REASON -->` before it. Nothing else is left out.
"""

import contextlib
import datetime
import importlib
import itertools
import os
import pathlib
import re
import shlex
import signal
import threading
import time
from collections.abc import Sequence

import pytest
from docs.documented import BLOCKS, EXECUTED, PAGES, WITHOUT_COMMANDS, Block, find_command, split_commands
from tiny import ROOT, without_page, without_scores

from docs import placeholders
from predjax.nowcasts.baselines import BASELINES
from predjax.synthetic.systems import SYSTEMS

# Pages with any of these take longer than the tests that are run by default should.
COSTLY_COMMANDS = {"train", "evaluate", "forecast", "analyse"}
COSTLY_PYTHON = re.compile(
    r"jax\.jit|\.rollout|\.predict|load_model|make_nowcast|predjax\.evaluate|hk\.transform|main\("
)
SETUP = ("pip install ", "python -m venv ", ". ", "source ")  # of the reader's machine: this one is ready
# What .ci/run does with the whole repository.
CHECKS = (
    "python -m pytest",
    "ruff check .",
    "ruff format --check .",
    "mypy",
    "python -W error docs/build_reference.py",
)
EXTRA = re.compile(r"\[([\w,-]+)\]")
# The largest value that is used of a flag that a documented command has, and flags that are added where it has none.
LARGEST = {
    "--max_iterations": 2, "--batch_size": 2, "--num_hidden": 6, "--filter_size": 3, "--crop": 16, "--num_seeds": 2,
    "--test_interval": 2, "--snapshot_interval": 2, "--display_interval": 1, "--warmup_iterations": 1, "--patience": 2,
    "--max_cases": 2, "--num_save_samples": 1, "--num_movies": 8, "--length": 300, "--n_gpu": 1,
    "--input_length": 4, "--total_length": 12, "--num_steps": 4, "--members": 3, "--lead_time": 30,
    "--steps_members": 3,
}  # fmt: skip
LAYERS = 2  # of a documented stack; equal stacks are compiled once
ADDED = {
    "train": {"--max_iterations": "2", "--batch_size": "2", "--num_hidden": "6,6", "--max_valid_cases": "2",
              "--num_save_samples": "1", "--n_gpu": "1", "--valid_fraction": "0.04", "--test_fraction": "0.04"},
    "evaluate": {"--max_cases": "2", "--num_save_samples": "1", "--steps_members": "3"},
    "synthetic": {"--num_movies": "8"},
    **{f"synthetic {system}": {"--length": "300"} for system in SYSTEMS},
    "synthetic stress_strain": {"--length": "20", "--pixels": "9", "--num_fibres": "1"},
}  # fmt: skip
# The first training of this page is of the default network and is scored, and its first evaluation writes its report,
# which takes longer than all else; other networks, and those that are only planned, compile sooner.
WHOLE = "README.md"
PLAIN = {"--coordinates": "fixed", "--residual": "0"}
PLANNED = {"--model_name": "conv_lstm", "--num_hidden": "2", **PLAIN}
FIXED = {"--num_hidden", "--valid_fraction", "--test_fraction"}
READ = ("--data_path", "--train_data_paths", "--valid_data_paths", "--forecasts", "--digits")
RUNS = ("--checkpoint", "--pretrained_model")
WRITTEN = ("--save_dir", "--output", "--export", "--latents", "--gen_frm_dir")
LEFT_OUT = {"train": without_scores, "evaluate": without_page}
WATCH_SECONDS = 120


def shorten(name: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of a command with smaller numbers, and paths below this folder."""
    arguments = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--") else [word])]
    short = []
    for flag, value in zip([None, *arguments], arguments):
        if flag in LARGEST:
            numbers = value.split(",")[:LAYERS]
            value = ",".join(str(min(int(number), LARGEST[flag])) for number in numbers)
        short.append(value.lstrip("/"))
    # What a checkpoint fixes stays as it is there.
    fixed = FIXED if {"--resume", "--pretrained_model"} & set(arguments) else set()
    wanted = ADDED.get(name, {}) | (ADDED.get(f"synthetic {arguments[0]}", {}) if name == "synthetic" else {})
    if "--dry_run" in arguments and not fixed:
        wanted |= PLANNED
    added = {flag: value for flag, value in wanted.items() if flag not in {*short, *fixed}}
    return [*short, *(part for item in added.items() for part in item)]


def is_costly(path: pathlib.Path) -> bool:
    """Whether a page compiles networks or draws reports."""
    commands = {(find_command(words) or [""])[0] for block in PAGES[path] for words in block.commands}
    python = [block.text for block in PAGES[path] if block.runs and block.language == "python"]
    return bool(commands & COSTLY_COMMANDS or any(map(COSTLY_PYTHON.search, python)))


class Page:
    """The blocks of one page, executed one after another in the folder of now."""

    def __init__(self, path: pathlib.Path, tiny_run: pathlib.Path, capsys):
        pathlib.Path("data").symlink_to(ROOT / "data")
        self._blocks = [block for block in PAGES[path] if block.runs]
        self._tiny_run, self._capsys = tiny_run, capsys
        # What commands leave out from now on.
        self._left_out = {} if path.name == WHOLE else dict(LEFT_OUT)
        self._now, self._trained, self._names = datetime.datetime.now(datetime.UTC), False, {}

    def run(self) -> None:
        for number, block in enumerate(self._blocks):
            if block.language == "python":
                self._run_python(block)
                continue
            rest = "".join(one.text for one in self._blocks[number:])
            for words in split_commands(block.text):
                self._run_command(words, rest, block.where)

    def _run_python(self, block: Block) -> None:
        for path in re.findall(r'"(runs/\w+|\w+\.ckpt)"', block.text):
            self._want(path, make_run=True)
        for path in re.findall(r'"([\w./-]*\*[\w./*-]*)"', block.text):  # a glob is of files that are there
            self._want(path)
        exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), self._names)

    def _run_command(self, words: list[str], rest: str, where: str) -> None:
        """`rest`: what the page has from the block of the command on."""
        text = shlex.join(words)
        if text.startswith(SETUP):
            known = set(re.findall(r"^(\w+) =", (ROOT / "setup.cfg").read_text(), re.M))
            assert {name for part in EXTRA.findall(text) for name in part.split(",")} <= known, f"{where}: {text}"
            return
        if text.startswith(CHECKS):
            return
        found = find_command(words)
        assert found, f"{where}: what is {text}? Say <!-- not run: REASON --> before a block that cannot be executed"
        name, arguments = found[0], shorten(*found)
        options = dict(itertools.pairwise(arguments))
        self._prepare(options | ({"--data_path": arguments[0]} if name == "inspect" else {}))
        # A page shows several ways to make what it goes on with: the reader takes one of them.
        made = [flag for flag in WRITTEN if any(pathlib.Path(options.get(flag, "nowhere")).glob("*"))]
        if made and name in ("train", "evaluate") and not {"--resume", "--overwrite"} & set(arguments):
            arguments.append("--overwrite")
        if name == "train" and not {"--list_models", "--dry_run"} & set(arguments):
            if self._trained and not {"--gen_frm_dir", "--visual"} & set(arguments):
                # With a run that nothing goes on with: planned and compiled.
                arguments += ["--dry_run"] if rest.count(options.get("--save_dir", "no folder")) < 2 else []
            if name in self._left_out and not {"--resume", "--pretrained_model", "--recipe"} & set(arguments):
                arguments += [part for item in PLAIN.items() if item[0] not in arguments for part in item]
            self._trained = True
        module = "predjax.synthetic.__main__" if name == "synthetic" else f"predjax.commands.{name.replace('-', '_')}"
        main = importlib.import_module(module).main
        watch = stop_watching(options["--output"]) if "--watch" in arguments else contextlib.nullcontext(0)
        with watch as expected, self._left_out.get(name, contextlib.nullcontext)():
            try:
                code = main(arguments)
            except SystemExit as stop:  # argparse
                code = stop.code
        if name in LEFT_OUT:
            self._left_out[name] = LEFT_OUT[name]
        said = self._capsys.readouterr()
        assert code == expected, f"{where}: {shlex.join([name, *arguments])}: exit code {code}\n{said.err}{said.out}"

    def _prepare(self, options: dict[str, str]) -> None:
        """What a command takes for granted: runs and data."""
        for flag in RUNS:
            if options.get(flag, "pretrained") not in ("pretrained", *BASELINES):  # these come with the package
                self._want(options[flag], make_run=True)
        how = {name: options.get(f"--{name}", "") for name in ("forcings", "layout", "model_name", "img_width")}
        for flag in READ:
            for path in options.get(flag, "").split(",") if flag in options else ():
                self._want(path, kind=flag, **how)

    def _want(self, path: str, *, make_run: bool = False, **how) -> None:
        """Makes what a page takes for granted; what it made itself is there."""
        if pathlib.Path(path).exists() or (not make_run and any(pathlib.Path().glob(path))):
            return
        placeholders.make_run(path, self._tiny_run) if make_run else placeholders.make_data(path, self._now, **how)


@contextlib.contextmanager
def stop_watching(folder: str):
    """Ends a command that watches, as SIGTERM does, when it has written a nowcast; gives its exit code then."""
    ended = threading.Event()

    def stop():
        deadline = time.monotonic() + WATCH_SECONDS
        while not list(pathlib.Path(folder).glob("*.nc")) and time.monotonic() < deadline and not ended.wait(0.1):
            pass
        if not ended.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    watcher, before = threading.Thread(target=stop, daemon=True), signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: None)  # until the command handles it, and after
    watcher.start()
    try:
        yield 128 + signal.SIGTERM
    finally:
        ended.set()
        watcher.join()
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.name, marks=[pytest.mark.ci] if is_costly(path) else []) for path in PAGES],
)
def test_every_command_of_a_page_runs(path, request, tmp_path, monkeypatch, capsys):
    if not any(block.runs for block in PAGES[path]):
        return
    if path.name == WHOLE:
        request.getfixturevalue("real_pictures")
    tiny_run = request.getfixturevalue("tiny_run") if is_costly(path) else pathlib.Path("nowhere")
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    Page(path, tiny_run, capsys).run()


def test_every_block_has_a_language_that_is_executed_or_holds_no_command():
    unknown = [f"{b.where} ({b.language})" for b in BLOCKS if b.language not in (*EXECUTED, *WITHOUT_COMMANDS)]
    assert not unknown, f"commands stand in ```sh or ```python: {unknown}"


def test_the_continuous_integration_runs_the_documented_checks():
    done = (ROOT / ".ci" / "run").read_text()
    assert not [check for check in CHECKS if check not in done]


def test_blocks_that_are_not_run_say_why(capsys):
    meant = [block for block in BLOCKS if block.language in EXECUTED]
    left_out = [block for block in meant if block.reason]
    with capsys.disabled():
        print(f"\n{len(left_out)} of {len(meant)} documented blocks are not run with their page:")
        print("\n".join(f"  {block.where}: {block.reason}" for block in left_out))
    assert all(len(block.reason.split()) >= 2 for block in left_out)
