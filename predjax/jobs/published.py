"""The published protocol that an evaluation or a training asks for, made for its data."""

from predjax.models.interop.torch_format import read_state_dict
from predjax.models.scaling import Scaling, choose_scaling
from predjax.units import RAIN_UNITS
from predjax.verification.cases import Cases
from predjax.verification.protocols.catalogue import PROTOCOLS, Published
from predjax.verification.protocols.config import ProtocolOptions
from predjax.verification.protocols.lpips import Lpips


def add_protocol(
    cases: Cases, options: ProtocolOptions, scaling: Scaling | None, thresholds: tuple[float, ...] = ()
) -> Cases:
    """Return the cases with the protocol of the options; unchanged without one.

    Args:
      scaling: the model's; None: grey levels of one byte, dBZ and mm/h are scaled as for training, and other data have
        to be on [0, 1].
      thresholds: those of a protocol that counts events; empty: its own.

    Errors: ValueError, one line: LPIPS without a protocol that has it, a file that does not hold its weights.
    """
    name, path = options.protocol, options.lpips
    if path and not (name and PROTOCOLS[name].list_scores):
        able = " or ".join(one for one, protocol in PROTOCOLS.items() if protocol.list_scores)
        raise ValueError(f"--lpips {path} needs --protocol {able}")
    if not name:
        return cases
    if scaling is None:
        dtype = cases.sources[0].frames.attrs.get("dtype_on_disk", "")
        known = cases.units in RAIN_UNITS or (cases.units, dtype) == ("1", "uint8")
        scaling = choose_scaling(cases.units, dtype) if known else Scaling(units=cases.units)
    distance = Lpips(read_state_dict(path), path) if path else None
    return cases._replace(protocol=Published(name, scaling, thresholds, distance))
