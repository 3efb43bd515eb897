"""Whether the engine's environment works: libraries, device, and 4-bit training."""

import importlib
import importlib.util
from collections.abc import Callable

from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import error
from studio.engine.session import Session
from studio.protocol.events import Diagnosed
from studio.system.versions import LIBRARIES, version_of

_TOLERANCE = 0.15
Check = Callable[[], str]


class UnwellError(Exception):
    """A check that found something wrong; says what."""


def diagnose(session: Session) -> None:
    """Make every check and report each.

    Raises:
        StudioError: One or more failed.
    """
    checks = {name: _import_of(name) for name in LIBRARIES if name != "snugtune"}
    checks |= {
        "device": _device,
        "4-bit training": _four_bit_round_trip,
        "no foreign kernels": _no_foreign_kernels,
    }
    results = [_made(name, check) for name, check in checks.items()]
    for result in results:
        session.say(result)
    failed = [result.check for result in results if not result.passed]
    if failed:
        raise StudioError(
            error(
                "doctor.failed",
                f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}.",
                fix="Run python3 installer/start.py again; it mends the installation.",
            ),
            ExitCode.FAILED,
        )


def _made(name: str, check: Check) -> Diagnosed:
    try:
        return Diagnosed(check=name, passed=True, detail=check())
    except Exception as fault:  # noqa: BLE001 - whatever is wrong is the diagnosis
        detail = str(fault) or type(fault).__name__
        return Diagnosed(check=name, passed=False, detail=detail)


def _import_of(name: str) -> Check:
    def check() -> str:
        importlib.import_module(name)
        return version_of(name)

    return check


def _device() -> str:
    from studio.engine.devices import choose_device, device_in_words

    return device_in_words(choose_device())


def _four_bit_round_trip() -> str:
    """Quantise a matrix, multiply with it, and take the gradient through it."""
    import torch
    from bitsandbytes.nn.modules import Linear4bit

    from studio.engine.bitsandbytes_guards import compute_eagerly, keep_gradients
    from studio.engine.devices import choose_device

    device = choose_device()
    if device.type == "cpu":
        compute_eagerly()
    plain = torch.nn.Linear(64, 32, bias=False)
    packed = Linear4bit(  # type: ignore[no-untyped-call]  # its __init__ has no types
        64, 32, bias=False, compute_dtype=torch.float32, quant_type="nf4"
    )
    packed.load_state_dict(plain.state_dict())
    packed.to(device)
    keep_gradients(packed)
    given = torch.ones(4, 64, device=device, requires_grad=True)
    packed(given).sum().backward()
    assert given.grad is not None
    expected = plain.weight.sum(dim=0)
    off = (given.grad[0].cpu() - expected).norm() / expected.norm()
    if not off < _TOLERANCE:
        raise UnwellError(f"the gradient through 4-bit weights is off by {off:.0%}")
    return f"the gradient through NF4 weights is within {off:.0%} of the exact one"


def _no_foreign_kernels() -> str:
    if importlib.util.find_spec("kernels") is not None:
        raise UnwellError(
            "the package “kernels” is installed; libraries would fetch native code "
            "from the hub through it. Uninstall it"
        )
    return "no library can fetch native code"
