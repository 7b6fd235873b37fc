"""Bad checkpoints of predjax itself."""

import json
import pathlib
import pickle

import numpy as np
from bad_input.bad_npy import write_bytes
from bad_input.kinds import Intruder, refused

from predjax import checkpoint

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "checkpoint_2.npz"
NOT_ONE = "is not a predjax checkpoint, or a damaged one"


def forge(folder, **changes):
    """A whole checkpoint whose configuration says something else."""
    arrays, config = checkpoint.load(GOLDEN)
    config = {key: value for key, value in (config | changes).items() if key not in ("sha256", "version")}
    config = {key: value for key, value in config.items() if value is not ...}
    tree = {}
    for name, array in arrays.items():
        first, _, rest = name.partition("/")
        tree.setdefault(first, {})[rest] = array
    checkpoint.save(folder / "a.npz", tree, config)
    return folder / "a.npz"


def model(**changes):
    return checkpoint.load(GOLDEN)[1]["model"] | changes


@refused("model", NOT_ONE)
def checkpoint_empty_file(folder):
    return write_bytes(folder, b"", "a.npz")


@refused("model", NOT_ONE)
def checkpoint_truncated(folder):
    content = GOLDEN.read_bytes()
    return write_bytes(folder, content[: len(content) // 2], "a.npz")


@refused("model", "checksum|damaged")
def checkpoint_with_one_flipped_bit(folder):
    content = bytearray(GOLDEN.read_bytes())
    content[len(content) // 2] ^= 4
    return write_bytes(folder, bytes(content), "a.npz")


@refused("model", NOT_ONE)
def checkpoint_of_movies(folder):
    np.savez(folder / "a.npz", np.ones((5, 4, 6)))
    return folder / "a.npz"


@refused("model", NOT_ONE)
def checkpoint_of_objects_that_run_code(folder):
    objects = np.empty(3, object)
    objects[...] = Intruder(folder)
    np.savez(folder / "a.npz", **{"params/w": objects, "__config__": objects})
    return folder / "a.npz"


@refused("model", NOT_ONE)
def checkpoint_that_is_a_renamed_pickle(folder):
    return write_bytes(folder, pickle.dumps(Intruder(folder)), "a.npz")


@refused("model", NOT_ONE)
def checkpoint_compressed(folder):
    with np.load(GOLDEN) as arrays:
        np.savez_compressed(folder / "a.npz", **arrays)
    return folder / "a.npz"


@refused("model", NOT_ONE)
def checkpoint_whose_configuration_is_a_list(folder):
    np.savez(folder / "a.npz", __config__=np.frombuffer(json.dumps([1]).encode(), np.uint8))
    return folder / "a.npz"


@refused("model", NOT_ONE)
def checkpoint_nested_deeply(folder):
    np.savez(folder / "a.npz", __config__=np.frombuffer(b"[" * 10**5, np.uint8))
    return folder / "a.npz"


@refused("model", "format version 99, this predjax reads up to")
def checkpoint_of_the_future(folder):
    np.savez(folder / "a.npz", __config__=np.frombuffer(b'{"version": 99}', np.uint8))
    return folder / "a.npz"


@refused("model", "holds no model that this predjax knows")
def checkpoint_without_a_model(folder):
    return forge(folder, model=...)


@refused("model", "holds no model that this predjax knows")
def checkpoint_whose_model_is_a_list(folder):
    return forge(folder, model=["predrnn"])


@refused("model", "holds no model that this predjax knows")
def checkpoint_whose_model_is_null(folder):
    return forge(folder, model=None)


@refused("model", "holds no model that this predjax knows")
def checkpoint_of_an_unknown_model(folder):
    return forge(folder, model=model(model_name="<script>\n\x1b[31m"))


@refused("model", "ModelConfig has no wings")
def checkpoint_with_an_unknown_option(folder):
    return forge(folder, model=model(wings=2))


@refused("model", "holds no model that this predjax knows")
def checkpoint_with_words_for_sizes(folder):
    return forge(folder, model=model(num_hidden=["many"]))


@refused("model", "holds no model that this predjax knows")
def checkpoint_with_a_word_for_a_number(folder):
    return forge(folder, model=model(patch_size="two"))


@refused("model", "no such checkpoint")
def checkpoint_that_is_not_there(folder):
    return folder / "gone.npz"


@refused("model", "holds no checkpoint")
def checkpoint_of_an_empty_folder(folder):
    return folder
