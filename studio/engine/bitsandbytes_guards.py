"""Two faults of bitsandbytes on a processor, kept away from training.

Both were found in version 0.50.2 and are guarded by tests.
"""

import torch
from bitsandbytes.backends.default import ops
from bitsandbytes.nn.modules import Linear4bit

# Decorated with torch.compile by `_try_torch_compile`. On a processor they are reached
# by weights with an odd number of columns, or when the library's own kernels can't be
# loaded; compiling each takes 17 s and more, and saves nothing.
_COMPILED = (
    "_dequantize_blockwise_compute",
    "_dequantize_4bit_compute",
    "_optimizer_precondition_32bit",
    "_optimizer_update_32bit",
)


def keep_gradients(model: torch.nn.Module) -> None:
    """Keep 4-bit layers on the path that has a backward pass.

    On processors with AVX512-BF16 any forward in eval mode packs the weights anew, for
    good, and from then on takes a kernel without autograd: adapters below that layer
    get no gradient, without an error. Evaluation and sample answers would so end the
    learning. On other devices this changes nothing.
    """
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


def compute_eagerly() -> None:
    """Take the plain functions instead of compiled ones, for a processor."""
    for name in _COMPILED:
        function = getattr(ops, name)
        setattr(ops, name, getattr(function, "__wrapped__", function))
