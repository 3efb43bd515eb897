"""Tensors that hold nothing and say that they lie on a processor.

They are torch's meta tensors, whose kernels work out shapes alone, many times faster
than fake tensors do it. Libraries ask a tensor for its device and would keep away from
one that says "meta", so for their sake it says "cpu", and every request for a place is
answered there. Autocast goes by the true place and does nothing on such tensors; runs
that need it are rehearsed on fake tensors (`rehearsal`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from studio.engine.dry_run.recorder import Arguments

aten = torch.ops.aten
_CLAIMED = torch.device("cpu")
_TRUE = torch.device("meta")
_true_device = torch._C.TensorBase.device.__get__
_plain_to = torch.Tensor.to
_FACTORIES = frozenset(
    getattr(packet, name)
    for packet in (
        aten.arange,
        aten.empty,
        aten.empty_strided,
        aten.eye,
        aten.full,
        aten.linspace,
        aten.ones,
        aten.rand,
        aten.randint,
        aten.randn,
        aten.scalar_tensor,
        aten.tril_indices,
        aten.triu_indices,
        aten.zeros,
    )
    for name in packet.overloads()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    if any(a.name == "device" for a in getattr(packet, name)._schema.arguments)
)


class Weightless(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Lets every operator make and take tensors that hold nothing.

    Tensors with memory that come in from outside are replaced by empty ones of their
    shape. Kernels themselves see the truth: some are written in Python and ask.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.is_asked_by_kernel = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would wrap each call, at a third of its cost."""
        return False

    @override
    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Any,
        args: Arguments = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is aten.lift_fresh.default:
            return _emptied(args[0])
        named = {key: _emptied(value) for key, value in (kwargs or {}).items()}
        if "device" in named or func in _FACTORIES:
            named["device"] = _TRUE
        outer, self.is_asked_by_kernel = self.is_asked_by_kernel, True
        try:
            return func(*(_emptied(each) for each in args), **named)
        finally:
            self.is_asked_by_kernel = outer


@contextmanager
def weightless() -> Iterator[None]:
    """Let all tensors made inside hold nothing."""
    mode = Weightless()
    with ExitStack() as stack:
        for name, stand_in in (
            ("device", property(lambda tensor: _place_of(tensor, mode))),
            ("is_meta", property(lambda tensor: _place_of(tensor, mode) == _TRUE)),
            ("is_cpu", property(lambda tensor: _place_of(tensor, mode) == _CLAIMED)),
            ("to", _to),
            ("cpu", lambda tensor: tensor),
            ("tolist", lambda tensor: _listed(tensor.shape)),
            ("__format__", lambda *_: "unknown"),
            ("__repr__", lambda *_, **__: "unknown"),
        ):
            patched = patch.object(torch.Tensor, name, stand_in, create=True)
            stack.enter_context(patched)
        stack.enter_context(mode)
        yield


def _place_of(tensor: torch.Tensor, mode: Weightless) -> torch.device:
    if mode.is_asked_by_kernel:
        place: torch.device = _true_device(tensor)
        return place
    return _CLAIMED


def _emptied(argument: Any) -> Any:  # noqa: ANN401 - whatever an operator takes
    if isinstance(argument, torch.Tensor):
        # A number in a tensor mixes with tensors of every device.
        if argument.ndim == 0 or _true_device(argument) == _TRUE:
            return argument
        shape, strides = argument.shape, argument.stride()
        return torch.empty_strided(shape, strides, dtype=argument.dtype, device=_TRUE)
    if isinstance(argument, (list, tuple)):
        return type(argument)(_emptied(each) for each in argument)
    return argument


def _listed(shape: Sequence[int]) -> Any:  # noqa: ANN401 - numbers, or lists of such
    """Guessed values, as `guesses` has them."""
    if not shape:
        return 1.0
    return [_listed(shape[1:]) for _ in range(shape[0])]


def _to(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:  # noqa: ANN401 - torch's own signature
    """Change the format alone: every place is the same one."""
    copies = bool(kwargs.pop("copy", False))
    if args and isinstance(args[0], torch.Tensor):
        return _plain_to(tensor, args[0].dtype, copy=copies)
    named: dict[str, Any] = {"copy": copies}
    asked: tuple[Any, ...] = torch._C._nn._parse_to(*args, **kwargs)
    if asked[3] is not None:
        named["memory_format"] = asked[3]
    changed: torch.Tensor = _plain_to(tensor, asked[1] or tensor.dtype, **named)
    return changed
