"""What the whole suite shares: devices, a compilation cache, the reference data, one trained run."""

import functools
import gc
import os
import pathlib

import jax
import numpy as np
import pytest
from tiny import ROOT, TINY, have_devices, without_scores

SHARED = pathlib.Path(os.environ.get("PREDJAX_SHARED", ROOT.parent / "shared"))

# Before jax starts its backend: four CPU devices for the pmapped tests, and compiled programs kept between runs.
# Nearly every program of the tests runs a few times: machine code with the fewest optimisations is there much sooner.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {have_devices(4)}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".pytest_cache" / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("PREDJAX_COMPILATION_CACHE", os.environ["JAX_COMPILATION_CACHE_DIR"])


def pytest_collection_modifyitems(items):
    """The pages of the documentation take longest, so they come first: no worker waits for one of them at the end."""
    items.sort(key=lambda item: item.path.name != "test_documented_commands.py")


def pytest_collection_finish(session):
    """What was imported stays, so the garbage collector leaves it alone, and looks for more at a time at the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def one_reader():
    """All jobs and commands share the process that reads files, because it takes a second to start."""
    from predjax.commands import forecast, inspect
    from predjax.radar.isolation import pool

    shared = functools.cache(pool.FileReader)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "FileReader", lambda limits, stopped: shared(limits))
        for command in (forecast, inspect):
            patch.setattr(command, "start_early", lambda *given: None)
        yield


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder with reference numbers and real radar events, or a skip that says what is missing."""
    if not (SHARED / "fixtures" / "index.json").is_file():
        pytest.skip(f"no reference data in {SHARED} (set PREDJAX_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def read(shared):
    """Arrays of a fixture by its name."""
    return lambda name: dict(np.load(shared / "fixtures" / f"{name}.npz"))


@pytest.fixture
def double():
    """Float64 for the mathematics."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> pathlib.Path:
    """The folder of a run of four iterations on the sample movies, made by the command itself."""
    from predjax.commands.train import main

    folder = tmp_path_factory.mktemp("tiny") / "run"
    assert main([*TINY, "--max_iterations", "4", "--lr_schedule", "constant", "--save_dir", str(folder)]) == 0
    return folder


@pytest.fixture
def unverified():
    """Trainings end without scores of the held-out data."""
    with without_scores():
        yield


@pytest.fixture
def one_animation(monkeypatch):
    """Animations take half of the time of a report: the first is drawn, the others are it."""
    from predjax.pictures.animation import write_gif as draw

    drawn = []

    def write_gif(path, *frames, **how):
        if not drawn:
            draw(path, *frames, **how)
            drawn.append(pathlib.Path(path).read_bytes())
        pathlib.Path(path).write_bytes(drawn[0])

    monkeypatch.setattr("predjax.jobs.export.write_gif", write_gif)


def pytest_terminal_summary(terminalreporter):
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "PREDJAX_SHARED" in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests were skipped without the reference data (PREDJAX_SHARED)")
