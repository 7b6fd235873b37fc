"""What the whole suite shares: devices, a compilation cache, the reference data, one trained run."""

import functools
import gc
import os
import pathlib

import haiku as hk
import jax
import numpy as np
import pytest
from PIL import Image
from tiny import ROOT, TINY, have_devices, without_scores

SHARED = pathlib.Path(os.environ.get("PREDJAX_SHARED", ROOT.parent / "shared"))

# Before jax starts its backend: four CPU devices for the pmapped tests, and compiled programs kept between runs.
# Nearly every program of the tests runs a few times: machine code with the fewest optimisations is there much sooner.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("JAX_MUTABLE_ARRAY_CHECKS", "0")  # no test has such arrays, and tracing looks for them
hk.config.set(module_auto_repr=False)  # which takes longer than to make a module
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {have_devices(4)}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".pytest_cache" / "xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("PREDJAX_COMPILATION_CACHE", os.environ["JAX_COMPILATION_CACHE_DIR"])


def pytest_collection_modifyitems(items):
    """The pages of the documentation take longest, so they come first, and files of quick tests last.

    So no worker waits for a long one at the end.
    """
    quick = {"radar", "bad_input", "tests"}
    items.sort(key=lambda item: (item.path.name != "test_documented_commands.py", item.path.parent.name in quick))


def pytest_collection_finish(session):
    """What was imported stays, so the garbage collector leaves it alone, and looks for more at a time at the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


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


@pytest.fixture(scope="session", autouse=True)
def blank_pictures():
    """Figures are saved blank, in their size, and of animations the first is drawn and the others are it.

    Drawing takes half of the time of a report. The tests of pictures draw (`real_pictures`), and some of commands do.
    """
    from predjax.files import refuse_existing
    from predjax.pictures.animation import write_gif as draw
    from predjax.pictures.figures import new_figure

    drawn = []

    def savefig(figure, file, **how):
        Image.new("RGB", tuple(int(side) for side in figure.bbox.size)).save(file, format="PNG")

    def write_gif(path, *frames, overwrite=False, **how):
        if not drawn:
            draw(path, *frames, overwrite=overwrite, **how)
            drawn.append(pathlib.Path(path).read_bytes())
            return
        refuse_existing(pathlib.Path(path), overwrite)
        pathlib.Path(path).write_bytes(drawn[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(new_figure(1, 1, 1)), "savefig", savefig)
        patch.setattr("predjax.jobs.export.write_gif", write_gif)
        yield


@pytest.fixture
def real_pictures(blank_pictures, monkeypatch):
    """All figures and animations are drawn."""
    from matplotlib.figure import Figure

    from predjax.pictures.animation import write_gif
    from predjax.pictures.figures import new_figure

    monkeypatch.setattr(type(new_figure(1, 1, 1)), "savefig", Figure.savefig)
    monkeypatch.setattr("predjax.jobs.export.write_gif", write_gif)


def pytest_terminal_summary(terminalreporter):
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "PREDJAX_SHARED" in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests were skipped without the reference data (PREDJAX_SHARED)")
