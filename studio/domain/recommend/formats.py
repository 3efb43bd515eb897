"""The number formats that a device computes in at full speed."""

from studio.domain.hardware import TrainingDevice
from studio.domain.recipe_options import AdapterDtype, ComputeDtype


def formats_of(device: TrainingDevice) -> tuple[ComputeDtype, AdapterDtype]:
    """Of activations and of adapters: an FP16 adapter would lose small gradients."""
    if device.has_bf16:
        return ComputeDtype.BF16, AdapterDtype.BF16
    compute = ComputeDtype.FP16 if device.kind == "cuda" else ComputeDtype.FP32
    return compute, AdapterDtype.FP32
