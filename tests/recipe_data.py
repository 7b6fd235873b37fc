"""Tiny files of the kind that each recipe trains on."""

import h5py
import numpy as np
from PIL import Image
from radar.formats.test_knmi import RAIN, RAIN_CODES
from radar.formats.test_knmi import write as write_knmi


def _draw(*shape, top=256):
    return np.random.default_rng(0).integers(0, top, shape).astype(np.uint8)


def _write_clips(path, movies=4, length=20):
    clips = np.array([[[length * n + start, 10] for n in range(movies)] for start in (0, 10)])
    frames = _draw(movies * length, 1, 64, 64) / np.float32(255)
    np.savez(path, clips=clips, dims=np.array([[1, 64, 64]]), input_raw_data=frames)


def moving_mnist(folder):
    _write_clips(folder / "moving-mnist-train.npz")
    _write_clips(folder / "moving-mnist-valid.npz", 2)
    return folder / "moving-mnist-train.npz", folder / "moving-mnist-valid.npz"


def moving_mnist_openstl(folder):
    np.save(folder / "train.npy", _draw(20, 4, 64, 64))
    np.save(folder / "mnist_test_seq.npy", _draw(20, 2, 64, 64))
    return folder / "train.npy", folder / "mnist_test_seq.npy"


def kth(folder):
    for person in (1, 17):
        (movie := folder / f"person{person:02d}_walking_d1").mkdir()
        for number, frame in enumerate(_draw(22, 16, 16)):
            Image.fromarray(frame).save(movie / f"image_{number:04d}.png")
    return folder / "person01_walking_d1", folder / "person17_walking_d1"


def sevir_vil(folder):
    names = "SEVIR_VIL_STORMEVENTS_2018_0101_0630.h5", "SEVIR_VIL_STORMEVENTS_2019_0101_0630.h5"
    for name in names:
        with h5py.File(folder / name, "w") as file:
            file["vil"], file["id"] = _draw(2, 16, 16, 49, top=255), np.array([b"S1", b"S2"])
    return tuple(folder / name for name in names)


def _diffcast(folder, name, shape, parts, key="{}", top=90):
    with h5py.File(folder / name, "w") as file:
        for part, movies in parts.items():
            file[f"{part}_len"] = movies
            for number in range(movies):
                file[f"{part}/{key.format(number)}"] = _draw(*shape, top=top)
    return folder / name, None


def meteonet(folder):
    return _diffcast(folder, "meteo_radar.h5", (25, 16, 16), {"train": 4, "val": 1, "test": 2})


def shanghai(folder):
    return _diffcast(folder, "shanghai.h5", (25, 16, 16), {"train": 4, "test": 2}, top=256)


def cikm(folder):
    return _diffcast(folder, "cikm.h5", (15, 13, 13), {"train": 8, "valid": 2, "test": 4}, "sample_{}", 256)


def taxibj(folder):
    draw = np.random.default_rng(0)
    parts = {"train": 12, "test": 2}
    arrays = {f"{which}_{part}": draw.random((n, 4, 2, 16, 16), "f4") * 2 - 1 for part, n in parts.items()
              for which in "XY"}  # fmt: skip
    np.savez(folder / "dataset.npz", **arrays)
    return folder / "dataset.npz", None


def knmi(folder):
    (images := folder / "knmi").mkdir()
    for number, frame in enumerate(_draw(56, 16, 20).astype("u2")):
        write_knmi(images / f"{number:03d}.h5", (frame, RAIN, RAIN_CODES), minutes=5 * number + 5)
    return images, None


MAKERS = {one.__name__: one for one in (moving_mnist, moving_mnist_openstl, kth, sevir_vil, meteonet, shanghai, cikm,
                                        taxibj, knmi)}  # fmt: skip
