"""PyTorch checkpoints become predjax models, and no file runs code."""

import collections
import io
import os
import pathlib
import pickle
import struct
import zipfile

import jax
import numpy as np
import pytest

from predjax.kernels.convolution import convolve_transposed
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.interop.torch_format import read_state_dict
from predjax.models.interop.torch_weights import from_state_dict, names, read_checkpoint, to_state_dict
from predjax.models.patches import to_patches

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden"
LEGACY = GOLDEN / "legacy_predrnn.ckpt"
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
CONFIGS = {
    "predrnn": ModelConfig("predrnn", (4, 4), 3, patch_size=2),
    "predrnn_v2": ModelConfig("predrnn_v2", (4, 4), 3, patch_size=2, layer_norm=True),
    "action_cond_predrnn": ModelConfig("action_cond_predrnn", (4, 4), 3, patch_size=1, num_action_ch=3),
    "action_cond_predrnn_v2": ModelConfig(
        "action_cond_predrnn_v2", (4, 4), 3, patch_size=1, num_action_ch=3, conv_on_input=True, img_channel=2
    ),
}


def make_params(config, height=12, width=8):
    """Random parameters of a model, by name."""
    forcings = np.zeros((1, 2, config.num_action_ch)) if config.spec.action else None
    frames = np.zeros((1, 2, height, width, config.img_channel), np.float32)
    shapes = jax.eval_shape(make_forecaster(config).init, jax.random.key(0), frames, forcings)
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(x.dtype), shapes)


def pickle_by_hand(*parts):
    """A pickle of protocol 2 from raw instructions."""
    return b"\x80\x02" + b"".join(parts) + b"."


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value):
    return pickle.dumps(value, 2)[2:-1]


def name_of(module, name):
    return f"c{module}\n{name}\n".encode()


def tensor(key="0", count=6, offset=0, size=(2, 3), stride=(3, 1), kind="FloatStorage", view=b""):
    """The instructions that make a tensor, as PyTorch writes them."""
    identity = [text("storage"), name_of("torch", kind), text(key), text("cpu"), integer(count), view]
    numbers = [integer(offset), *(b"(" + b"".join(map(integer, n)) + b"t" for n in (size, stride))]
    ordered = name_of("collections", "OrderedDict") + b")R"
    arguments = b"(" + b"(" + b"".join(identity) + b"tQ" + b"".join(numbers) + b"\x89" + ordered + b"t"
    return name_of("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def state_dict(**tensors):
    """The instructions of {'net_param': OrderedDict(tensors)}."""
    items = b"".join(text(name) + value for name, value in tensors.items())
    ordered = name_of("collections", "OrderedDict") + b")R" + b"(" + items + b"u"
    return pickle_by_hand(b"}", text("net_param"), ordered, b"s")


def write_zip(path, program, storages=(), byteorder=None, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("model/data.pkl", program)
        archive.writestr("model/version", "3\n")
        if byteorder:
            archive.writestr("model/byteorder", byteorder)
        for key, contents in dict(storages).items():
            archive.writestr(f"model/data/{key}", contents)
    return path


def write_legacy(path, program, storages=()):
    header = b"".join(pickle.dumps(value, 2) for value in (MAGIC, VERSION, MACHINE))
    numbers = b"".join(struct.pack("<q", len(n) // 4) + n for n in dict(storages).values())
    path.write_bytes(header + program + pickle.dumps(list(dict(storages)), 2) + numbers)
    return path


WRITERS = pytest.mark.parametrize("write", [write_zip, write_legacy])
SIX = np.arange(6, dtype="<f4")


@WRITERS
def test_offsets_strides_and_shared_storages(tmp_path, write):
    program = state_dict(
        whole=tensor(), transposed=tensor(size=(3, 2), stride=(1, 3)), row=tensor(offset=3, size=(3,), stride=(1,))
    )
    arrays = read_state_dict(write(tmp_path / "x.ckpt", program, {"0": SIX.tobytes()}))
    np.testing.assert_array_equal(arrays["whole"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(arrays["transposed"], SIX.reshape(2, 3).T)
    np.testing.assert_array_equal(arrays["row"], [3, 4, 5])


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(
    ("kind", "dtype"), [("FloatStorage", "f4"), ("DoubleStorage", "f8"), ("HalfStorage", "f2"), ("LongStorage", "i8")]
)
def test_types_and_byte_orders(tmp_path, order, kind, dtype):
    stored = np.arange(6).astype(np.dtype(dtype).newbyteorder({"little": "<", "big": ">"}[order]))
    path = write_zip(tmp_path / "x.ckpt", state_dict(w=tensor(kind=kind)), {"0": stored.tobytes()}, order)
    array = read_state_dict(path)["w"]
    np.testing.assert_array_equal(array, stored.reshape(2, 3))
    assert array.dtype.kind == np.dtype(dtype).kind


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    exact = np.array([1, -2, 0.5, 3, 1e30, 0], np.float32)
    stored = (exact.view("<u4") >> 16).astype("<u2")
    path = write_zip(tmp_path / "x.ckpt", state_dict(w=tensor(kind="BFloat16Storage")), {"0": stored.tobytes()})
    np.testing.assert_allclose(read_state_dict(path)["w"].ravel(), exact, rtol=2**-7)


@WRITERS
def test_the_prefix_of_data_parallel_is_stripped(tmp_path, write):
    program = state_dict(**{"module.a": tensor(), "module.module.b": tensor()})
    arrays = read_state_dict(write(tmp_path / "x.ckpt", program, {"0": SIX.tobytes()}))
    assert set(arrays) == {"a", "module.b"}
    program = state_dict(**{"module.a": tensor(), "b": tensor()})
    arrays = read_state_dict(write(tmp_path / "y.ckpt", program, {"0": SIX.tobytes()}))
    assert set(arrays) == {"module.a", "b"}


@WRITERS
def test_a_bare_state_dict(tmp_path, write):
    program = pickle_by_hand(b"}", text("w"), tensor(), b"s")
    assert set(read_state_dict(write(tmp_path / "x.ckpt", program, {"0": SIX.tobytes()}))) == {"w"}


class Harmful:
    """Runs a command when it is unpickled."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@WRITERS
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("where", ["whole", "net_param", "entry", "key"])
def test_no_file_runs_code(tmp_path, write, protocol, where):
    marker = tmp_path / "marker"
    harmful = Harmful(exec, f"import pathlib; pathlib.Path({os.fspath(marker)!r}).touch()")
    if where == "key":
        harmful = {"net_param": {harmful: 1}}
    elif where != "whole":
        harmful = {"net_param": harmful if where == "net_param" else {"w": harmful}}
    program = pickle.dumps(harmful, protocol)
    path = write(tmp_path / "harmful.ckpt", program)
    with pytest.raises(ValueError, match=r"harmful\.ckpt.*(exec|instruction)"):
        read_state_dict(path)
    assert not marker.exists()
    pickle.loads(program)  # the file is as harmful as it looks
    assert marker.exists()


@pytest.mark.parametrize("function", [os.system, eval, getattr, __import__, np.load, open, collections.Counter])
def test_a_refused_name_is_named(tmp_path, function):
    path = write_zip(tmp_path / "x.ckpt", pickle.dumps({"net_param": Harmful(function, "1")}, 2))
    with pytest.raises(ValueError, match=rf"x\.ckpt.*{function.__name__}") as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)


def test_the_first_pickle_of_the_older_format_runs_nothing_either(tmp_path):
    marker = tmp_path / "marker"
    path = tmp_path / "x.ckpt"
    path.write_bytes(pickle.dumps(Harmful(exec, f"open({os.fspath(marker)!r}, 'w')"), 2))
    with pytest.raises(ValueError, match="exec"):
        read_state_dict(path)
    assert not marker.exists()


@WRITERS
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (tensor(count=7), "cut off|missing|larger"),
        (tensor(count=10**12), "cut off|missing|larger"),
        (tensor(offset=1), "larger than its storage"),
        (tensor(offset=-1), "impossible"),
        (tensor(stride=(3, -1)), "impossible"),
        (tensor(stride=(3,)), "impossible"),
        (tensor(size=(10**6, 10**6), stride=(0, 0)), "larger than its storage"),
        (tensor(size=(0, 3)), "empty"),
        (tensor(key="1"), "missing|no tensor"),
        (tensor(kind="ComplexFloatStorage"), "ComplexFloatStorage"),
        (integer(3), "not a tensor|no tensor"),
        (tensor().replace(b"_rebuild_tensor_v2", b"_rebuild_from_type_v2"), "_rebuild_from_type_v2"),
        (name_of("torch", "FloatStorage") + b")R", "calls torch.FloatStorage"),
        (b"0" * 9, "instruction POP"),
        (b"t", "damaged"),
    ],
)
def test_impossible_tensors_are_refused_before_anything_is_allocated(tmp_path, write, bad, reason):
    path = write(tmp_path / "x.ckpt", state_dict(w=bad), {"0": SIX.tobytes()})
    with pytest.raises(ValueError, match=rf"x\.ckpt is not a readable PyTorch checkpoint: .*({reason})"):
        read_state_dict(path)


def test_what_is_compressed_is_not_read(tmp_path):
    path = write_zip(tmp_path / "x.ckpt", state_dict(w=tensor()), {"0": bytes(10**6)}, None, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"larger than the file|compressed"):
        read_state_dict(path)


@pytest.mark.parametrize("contents", [b"", b"not a checkpoint\n", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x80\x02}."])
def test_other_files_are_refused(tmp_path, contents):
    path = tmp_path / "other.ckpt"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=r"other\.ckpt is not a readable PyTorch checkpoint") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path):
    zipped = io.BytesIO()
    write_zip(zipped, state_dict(w=tensor()), {"0": SIX.tobytes()})
    for contents in (LEGACY.read_bytes(), zipped.getvalue()):
        path = tmp_path / "cut.ckpt"
        for size in (*range(1, len(contents), 97), len(contents) - 1):
            path.write_bytes(contents[:size])
            with pytest.raises(ValueError, match=r"cut\.ckpt"):
                read_checkpoint(path)


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_and_state_dicts_are_the_same_in_both_directions(name):
    config = CONFIGS[name]
    params = make_params(config)
    weights = to_state_dict(params, config)
    again = from_state_dict(weights, config)
    assert jax.tree.structure(again) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    to_predjax, to_torch = names(config)
    assert set(to_predjax) == set(weights)
    assert to_torch == {ours: torch for torch, ours in to_predjax.items()}
    assert set(to_torch) == {f"{module}/{kind}" for module, group in params.items() for kind in group}


def write_state_dict(path, weights):
    """A checkpoint of these arrays in the zip format."""
    tensors = {
        name: tensor(str(i), array.size, 0, array.shape, [s // array.itemsize for s in array.strides])
        for i, (name, array) in enumerate(weights.items())
    }
    storages = {str(i): array.tobytes() for i, array in enumerate(weights.values())}
    return write_zip(path, state_dict(**tensors), storages)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_configuration_comes_from_the_weights(tmp_path, name):
    config = CONFIGS[name]
    params = make_params(config)
    path = write_state_dict(tmp_path / "x.ckpt", to_state_dict(params, config))
    read, again = read_checkpoint(path, patch_size=config.patch_size, input_length=10)
    assert read == config
    jax.tree.map(np.testing.assert_array_equal, again, params)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A checkpoint of PredRNN-V2 with layer norm, patches of 2 x 2 and one channel."""
    config = CONFIGS["predrnn_v2"]
    return write_state_dict(tmp_path_factory.mktemp("plain") / "plain.ckpt", to_state_dict(make_params(config), config))


def test_without_a_patch_size_one_channel_is_assumed(plain):
    assert read_checkpoint(plain)[0].patch_size == 2
    config, _ = read_checkpoint(plain, img_channel=4)
    assert (config.patch_size, config.img_channel) == (1, 4)
    assert read_checkpoint(plain)[0].scaling.kind == "none"


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("model_name", "predrnn", "predrnn_v2"),
        ("num_hidden", (4, 4, 4), "4,4"),
        ("filter_size", 5, "3"),
        ("layer_norm", False, "True"),
        ("conv_on_input", True, "False"),
        ("num_action_ch", 2, "0"),
        ("img_channel", 3, "4 patch channels"),
        ("patch_size", 4, "4 patch channels"),
        ("img_width", 40, "8"),
        ("stride", 2, "1"),
    ],
)
def test_what_is_known_is_held_against_the_weights(plain, field, value, found):
    given = ",".join(map(str, value)) if isinstance(value, tuple) else value
    with pytest.raises(ValueError, match=rf"plain\.ckpt: .*{field}.* {given}\b.*{found}"):
        read_checkpoint(plain, **{field: value})


def test_what_is_known_completes_the_configuration(plain):
    known = {"input_length": 3, "total_length": 7, "decouple_beta": 0.01, "img_width": 8, "num_hidden": [4, 4]}
    config, _ = read_checkpoint(plain, **known)
    assert (config.input_length, config.total_length) == (3, 7)
    assert (config.decouple_beta, config.img_width, config.num_hidden) == (0.01, 8, (4, 4))
    with pytest.raises(ValueError, match=r"plain\.ckpt: ModelConfig has no learning_rate"):
        read_checkpoint(plain, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"plain\.ckpt: .*res_on_conv"):
        read_checkpoint(plain, res_on_conv=True)


def test_patch_channels_that_are_no_square_say_what_to_pass(tmp_path):
    config = CONFIGS["action_cond_predrnn_v2"]
    path = write_state_dict(tmp_path / "x.ckpt", to_state_dict(make_params(config), config))
    with pytest.raises(ValueError, match=r"x\.ckpt: 2 patch channels: pass patch_size or img_channel"):
        read_checkpoint(path)


def test_maps_as_forcings_are_patched(tmp_path):
    config = ModelConfig("action_cond_predrnn", (4, 4), 3, patch_size=2, num_action_ch=3)
    weights = to_state_dict(make_params(config), config)
    shape = weights["cell_list.0.conv_a.0.weight"].shape
    for layer in (0, 1):
        weights[f"cell_list.{layer}.conv_a.0.weight"] = np.zeros((shape[0], 12, *shape[2:]), np.float32)
    path = write_state_dict(tmp_path / "x.ckpt", weights)
    assert read_checkpoint(path, num_action_ch=3)[0] == config
    assert read_checkpoint(path)[0].num_action_ch == 12


def test_a_changed_entry_is_one_error_of_one_line(plain):
    config = CONFIGS["predrnn_v2"]
    weights = to_state_dict(make_params(config), config)
    cases = {
        "lacks adapter.weight": weights | {"adapter.weight": None},
        "has the unknown surprise": weights | {"surprise": np.zeros(1)},
        r"conv_last.weight has shape 4,4,1, the configuration needs 4,4,1,1": weights
        | {"conv_last.weight": np.zeros((4, 4, 1))},
        r"layer norms of two grids": weights | {"cell_list.0.conv_h.1.bias": np.zeros((16, 3, 3))},
    }
    for reason, changed in cases.items():
        changed = {name: array for name, array in changed.items() if array is not None}
        with pytest.raises(ValueError, match=reason) as caught:
            from_state_dict(changed, config)
        assert "\n" not in str(caught.value)
    params = make_params(config)
    del params["predrnn/~/decouple"]
    with pytest.raises(ValueError, match="the parameters lacks predrnn/~/decouple/w"):
        to_state_dict(params, config)


def test_weights_of_another_network(tmp_path):
    path = write_state_dict(tmp_path / "resnet.ckpt", {"layer1.0.conv1.weight": np.zeros((2, 2, 3, 3), "<f4")})
    with pytest.raises(ValueError, match=r"resnet\.ckpt: .*not the weights of a PredRNN"):
        read_checkpoint(path)


def test_a_transposed_kernel_is_turned():
    """One pixel through a transposed convolution draws the kernel as PyTorch keeps it."""
    config = CONFIGS["action_cond_predrnn_v2"]
    weights = to_state_dict(make_params(config), config)
    kernel = weights["deconv_output1.weight"][0, 0]
    ours = from_state_dict(weights, config)["predrnn/~/decode_0"]["w"]
    pixel = np.zeros((1, 3, 3, 4), np.float32)
    pixel[0, 1, 1, 0] = 1
    drawn = np.asarray(convolve_transposed(pixel, ours, (5, 5)))[0, 1:4, 1:4, 0]
    np.testing.assert_allclose(drawn, kernel, rtol=1e-6)


def test_the_older_format(tmp_path):
    """A file of the older format with layer norm, from behind a DataParallel (see golden/make_legacy_predrnn.py)."""
    expected = np.load(GOLDEN / "legacy_predrnn.npz")
    config, params = read_checkpoint(LEGACY, input_length=2, total_length=5)
    assert config == ModelConfig("predrnn_v2", (2, 2), 3, patch_size=2, layer_norm=True, input_length=2, total_length=5)
    predict = jax.jit(make_forecaster(config).predict, static_argnums=3)
    frames = predict(params, jax.random.key(0), expected["images"][:, :2], 3)
    np.testing.assert_allclose(frames, expected["next_frames"][:, 1:], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("thuml_predrnn_v2", {"patch_size": 4, "input_length": 3, "total_length": 6}),
        (
            "thuml_action_cond_predrnn_v2",
            {"patch_size": 1, "input_length": 2, "total_length": 6, "res_on_conv": True},
        ),
    ],
)
def test_checkpoints_of_the_original_code(shared, name, known):
    arrays = dict(np.load(shared / "fixtures" / f"{name}_io.npz"))
    config, params = read_checkpoint(shared / "fixtures" / f"{name}.ckpt", **known)
    assert config.model_name == name.removeprefix("thuml_")
    forecaster = make_forecaster(config)
    length = config.input_length
    frames = jax.jit(forecaster.predict, static_argnums=3)(
        params, jax.random.key(0), arrays["images"][:, :length], config.total_length - length, arrays.get("actions")
    )
    expected = arrays["next_frames"][:, length - 1 :]
    np.testing.assert_allclose(to_patches(frames, config.patch_size), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("zipped", [True, False])
def test_files_that_pytorch_writes(tmp_path, zipped):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: its own files are not read in this run")
    base = torch.arange(24, dtype=torch.float32)
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    written = module.state_dict()
    written |= {"view": base[3:15].view(3, 4), "slice": base.view(4, 6)[:, 1:3], "turned": base.view(4, 6).T}
    written |= {"half": base.half(), "bfloat16": base.bfloat16(), "double": base.double(), "whole": base.long()}
    path = tmp_path / "x.ckpt"
    torch.save({"net_param": written, "iteration": 3}, path, _use_new_zipfile_serialization=zipped)
    arrays = read_state_dict(path)
    assert list(arrays) == list(written)
    for name, value in written.items():
        np.testing.assert_array_equal(arrays[name], value.float().numpy() if name == "bfloat16" else value.numpy())
