"""The printed table of a protocol."""

import numpy as np

from predjax.models.scaling import Scaling
from predjax.verification.fields import Scoring
from predjax.verification.protocols.catalogue import PROTOCOLS, Published
from predjax.verification.protocols.config import NAMES
from predjax.verification.protocols.table import format_scores
from predjax.verification.skill import compare

NONE = Scaling()


def table(name, scaling=NONE, top=1.0):
    frames = np.random.default_rng(0).random((2, 2, 8, 8, 1)) * top
    published = Published(name, scaling)
    methods = {"half": frames * 0.5, "holed": np.full_like(frames, np.nan)}
    return format_scores(
        compare({m: published.score(published.measure(f, frames, Scoring())) for m, f in methods.items()})
    )


def test_rows_are_methods_and_the_protocol_stands_above():
    lines = table("openstl", Scaling("linear", 0.0, 255.0), 255).splitlines()
    assert lines[0].startswith("protocol openstl: MSE and MAE summed over a frame")
    assert "scaled by linear 0..255 1" in lines
    assert lines[-3].split() == ["MSE", "MAE", "SSIM", "PSNR", "frames"]
    assert lines[-2].split()[0::5] == ["half", "4"]
    assert lines[-1].split() == ["holed", "-", "-", "-", "-", "0"]


def test_csi_has_a_column_for_each_threshold_and_pool():
    heads = table("sevir", top=254).splitlines()[-3]
    assert heads.split()[:4] == ["CSI-M", "pool", "4", "pool"]
    assert heads.endswith("CSI-219  mean of leads")


def test_all_protocols_have_a_source():
    assert tuple(PROTOCOLS) == NAMES
    assert all("20" in protocol.source and protocol.rule for protocol in PROTOCOLS.values())
