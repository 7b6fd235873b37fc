"""Writes the API reference, made of the docstrings, into a folder: `python -W error docs/build_reference.py FOLDER`.

With `-W error`, as the continuous integration runs it, what cannot be imported, documented or linked ends it.
"""

import pathlib
import pkgutil
import sys
import warnings

import pdoc

import predjax


def build(folder: pathlib.Path) -> None:
    """A page for every module of the package, and an index of words to search."""
    for name in predjax.__all__:  # given on request alone, and pdoc looks at what is there
        vars(predjax)[name] = getattr(predjax, name)
    pdoc.render.configure(docformat="google", footer_text=f"predjax {predjax.__version__}")
    # A package without __all__ brings its modules, one with it does not: all are named, and come once.
    warnings.filterwarnings("ignore", "The module specification")
    modules = (module.name for module in pkgutil.walk_packages(predjax.__path__, "predjax."))
    pdoc.pdoc("predjax", *(name for name in modules if not name.endswith("__main__")), output_directory=folder)


if __name__ == "__main__":
    build(pathlib.Path(sys.argv[1]))
