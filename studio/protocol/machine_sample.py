"""What the machine did while a run went on: one JSON line a second.

It stands in a file of its own, not in the journal: a day of readings would bury the
run's story.
"""

from datetime import datetime

import msgspec

from studio.protocol.codec import WireError
from studio.protocol.event_parts import now


class MachineSample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The run's device at one moment; what isn't reported is left out.

    Attributes:
        at: When, UTC.
        total_bytes: The device's memory.
        free_bytes: What is free of it.
        run_bytes: What the run holds of it; the rest belongs to others.
        utilization: Share of the last second with work on it, 0 to 1.
        temperature_c: Degrees Celsius.
        power_w: Watts.
        sm_clock_mhz: The card's clock.
        throttle: Why its clocks are held back.
        trouble: What is wrong with the driver, in one sentence.
        platform: ``WSL`` or ``Windows``, where the driver lends main memory.
    """

    at: datetime = msgspec.field(default_factory=now)
    total_bytes: int
    free_bytes: int
    run_bytes: int | None = None
    utilization: float | None = None
    temperature_c: int | None = None
    power_w: float | None = None
    sm_clock_mhz: int | None = None
    throttle: tuple[str, ...] = ()
    trouble: str = ""
    platform: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(MachineSample)


def encode_sample(sample: MachineSample) -> bytes:
    """One sample as one line, newline included."""
    return _encoder.encode(sample) + b"\n"


def decode_sample(line: bytes) -> MachineSample:
    """Read a line.

    Raises:
        WireError: It is torn, or no sample.
    """
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as fault:
        raise WireError(str(fault)) from fault
