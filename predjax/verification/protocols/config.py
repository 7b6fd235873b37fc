"""The choice of a published protocol."""

import dataclasses

from predjax.flags import flag

NAMES = ("predrnn", "openstl", "sevir")


@dataclasses.dataclass(frozen=True)
class ProtocolOptions:
    """The published scores to compute besides the usual ones. Errors: ValueError for weights without a protocol."""

    protocol: str | None = flag(
        None, "published scores to make as well (default: those of the recipe of a training, else none)", choices=NAMES
    )
    lpips: str | None = flag(
        None,
        'for --protocol: weights of LPIPS, lpips.LPIPS(net="alex").state_dict() saved by PyTorch (default: no LPIPS)',
        metavar="FILE",
        kind="file",
    )

    def __post_init__(self) -> None:
        if self.protocol not in (None, *NAMES):
            raise ValueError(f"protocol must be one of {', '.join(NAMES)}, not {self.protocol!r}")
