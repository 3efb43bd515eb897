"""Proves one thing about an environment, run by its own Python: see verify.py.

    python smoke.py imports MODULE...
    python smoke.py torch VERSION
    python smoke.py nf4 DEVICE [CAPABILITY...]
    python smoke.py window

Each prints what it found in one line, or fails.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROWS, _COLUMNS, _BATCH = 64, 128, 4
_NF4_ERROR = 0.15  # of standard normal weights; measured: 0.074
_KERNEL_ERROR = 0.02  # relative; the card may compute in TF32


class NotProvenError(AssertionError):
    """What was to be proven is not so."""


def imports(modules: Sequence[str]) -> str:
    """Import every module."""
    for module in modules:
        importlib.import_module(module)
    return f"{len(modules)} modules"


def torch_build(planned: str) -> str:
    """Compare torch with the plan: its version and the CUDA it was built for."""
    import torch

    version, cuda = torch.__version__, torch.version.cuda
    _, _, build = planned.partition("+")
    if build and version != planned:
        raise NotProvenError(f"torch is {version}, planned was {planned}")
    if build.startswith("cu") and (cuda or "").replace(".", "") != build[2:]:
        raise NotProvenError(f"torch {version} is built for CUDA {cuda}")
    return f"torch {version}, " + (f"CUDA {cuda}" if cuda else "no CUDA")


def nf4(device: str, capabilities: Sequence[str]) -> str:
    """Quantise to NF4 and back, multiply and differentiate, on every card used."""
    import torch

    if device != "cuda":
        _nf4_round_trip(device)
        return f"on {device}"
    used: list[str] = []
    for index in range(torch.cuda.device_count()):
        major, minor = torch.cuda.get_device_capability(index)
        if capabilities and f"{major}.{minor}" not in capabilities:
            continue
        _nf4_round_trip(f"cuda:{index}")
        used.append(torch.cuda.get_device_name(index))
    if not used:
        raise NotProvenError("torch sees none of the cards that were found")
    return "on " + ", ".join(used)


def _nf4_round_trip(device: str) -> None:
    import bitsandbytes
    import torch
    from bitsandbytes import functional

    torch.manual_seed(0)
    weights = torch.randn(_ROWS, _COLUMNS, device=device)
    packed, state = functional.quantize_4bit(
        weights, quant_type="nf4", compress_statistics=True
    )
    unpacked = functional.dequantize_4bit(packed, state)
    if (unpacked - weights).abs().mean() > _NF4_ERROR:
        raise NotProvenError(f"NF4 on {device} gives back other weights")
    inputs = torch.randn(_BATCH, _COLUMNS, device=device, requires_grad=True)
    multiply = bitsandbytes.matmul_4bit  # type: ignore[attr-defined]  # not in __all__
    outputs = multiply(inputs, packed.t(), quant_state=state)
    outputs.sum().backward()
    if inputs.grad is None:
        raise NotProvenError(f"NF4 on {device} passes no gradient")
    _require_close(outputs, inputs @ unpacked.t(), f"NF4 product on {device}")
    expected = unpacked.sum(0).expand(_BATCH, -1)
    _require_close(inputs.grad, expected, f"NF4 gradient on {device}")


def _require_close(found: object, expected: object, what: str) -> None:
    import torch

    if not isinstance(found, torch.Tensor) or not isinstance(expected, torch.Tensor):
        raise NotProvenError(f"{what} is no tensor")
    difference = torch.linalg.vector_norm(found - expected)
    if difference > _KERNEL_ERROR * torch.linalg.vector_norm(expected):
        raise NotProvenError(f"{what} is wrong by {float(difference):.3g}")


def window() -> str:
    """Show a window on Qt's in-memory display and read a picture of it."""
    from PySide6.QtCore import qVersion
    from PySide6.QtWidgets import (  # noqa: TID251 - proves that a window opens
        QApplication,
        QLabel,
    )

    application = QApplication([])
    label = QLabel("Snugtune")
    label.show()
    application.processEvents()
    if label.grab().isNull():
        raise NotProvenError("a window can't be drawn")
    label.close()
    return f"Qt {qVersion()}"


def main(arguments: Sequence[str]) -> None:
    """Run the proof that the command line names."""
    name, *rest = arguments
    proofs = {
        "imports": lambda: imports(rest),
        "torch": lambda: torch_build(rest[0]),
        "nf4": lambda: nf4(rest[0], rest[1:]),
        "window": window,
    }
    print(proofs[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
