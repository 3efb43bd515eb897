"""Writes down each allocation and release of a program, and what it is for.

A dispatch mode sees every operator's results, whether tensors hold memory or only say
that they would. A storage that is new is an allocation; its end is a release. What a
kernel takes inside itself no mode can see: `corrections` adds that for a card.
"""

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from typing_extensions import override

from studio.domain.memory.allocator import Allocation, Release, TraceEvent
from studio.domain.memory.estimate import MemoryPhase
from studio.engine.dry_run.in_place import as_unwatched, holders_of_a_waiting_gradient

Arguments = tuple[Any, ...]
# Of storages that aren't the allocator's: paged ones, and outlines without memory.
_ASIDE = -1
_DEVICE = torch.ops.prim.device.default


class Corrector(Protocol):
    """What a device's kernels do that the recorded ones don't."""

    def answer(self, operator: OpOverload, arguments: Arguments) -> Any:  # noqa: ANN401 - an operator's result, or NotImplemented
        """Stand in for an operator; NotImplemented leaves it to torch."""
        ...

    def temporaries(
        self, recorder: "Recorder", operator: OpOverload, arguments: Arguments
    ) -> Sequence["Temporary"]:
        """Memory that a kernel takes while it runs."""
        ...


@dataclass(frozen=True, slots=True)
class Temporary:
    """Memory that lives while one kernel runs, or from then on.

    Attributes:
        size: In bytes.
        what: For the record; see `Entry.what`.
        stays: Whether it is kept for later calls.
        follows: Whether the result is allocated first.
    """

    size: int
    what: str
    stays: bool = False
    follows: bool = False


@dataclass(slots=True)
class Entry:
    """What is known of one recorded allocation.

    Attributes:
        phase: In which it was made.
        what: What it is for: a component's name, or the operator's.
        shape: Of the first tensor on it.
    """

    phase: MemoryPhase
    what: str
    shape: tuple[int, ...] = ()


@dataclass(slots=True)
class Recording:
    """A program's trace.

    Attributes:
        trace: Allocations and releases, in order.
        entries: What each allocation was, by its tensor's number.
        phases: (position in the trace, phase that began there).
        paged_bytes: Memory that the driver moves between card and main memory, beside
            torch's allocator.
        main_bytes: The most that was held in main memory instead of the card's.
        summed: By a tensor's number the position behind which the last gradient that
            was added to it in place is gone.
    """

    trace: list[TraceEvent] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    phases: list[tuple[int, MemoryPhase]] = field(default_factory=list)
    paged_bytes: int = 0
    main_bytes: int = 0
    summed: dict[int, int] = field(default_factory=dict)

    def repeat(self, start: int, stop: int, passing: str = "") -> None:
        """Append what happened between two positions once more, with fresh tensors.

        What lived on then, such as workspaces and states, was made once and is left
        out.

        Args:
            start: First position of the stretch.
            stop: The position behind its last.
            passing: Of what lived on, this is made again and given back once it is
                whole, as gradients are that are added to existing ones.
        """
        stretch = self.trace[start:stop]
        released = {event.tensor for event in stretch if isinstance(event, Release)}
        begins = {at: phase for at, phase in self.phases if start <= at < stop}
        renamed: dict[int, int] = {}
        whole: dict[int, int] = {}
        for at, event in enumerate(stretch, start):
            if at in whole:
                self.trace.append(Release(whole[at]))
            if at in begins:
                self.phases.append((len(self.trace), begins[at]))
            if isinstance(event, Release) and event.tensor in renamed:
                self.trace.append(Release(renamed[event.tensor]))
            if not isinstance(event, Allocation):
                continue
            entry = self.entries[event.tensor]
            is_released = event.tensor in released
            if is_released or entry.what == passing:
                fresh = renamed[event.tensor] = len(self.entries)
                self.entries[fresh] = entry
                self.trace.append(Allocation(fresh, event.size))
                end = self.summed.get(event.tensor, at)
                if not is_released and end > at + 1:
                    whole[min(end, stop - 1)] = fresh
                elif not is_released:
                    self.trace.append(Release(fresh))


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Records while it is entered; may be entered again and goes on.

    Attributes:
        recording: What was seen so far.
        phase: Which phase allocations belong to now; set by `enter_phase`.
    """

    def __init__(self, corrector: Corrector | None = None) -> None:
        """Begin an empty record.

        Args:
            corrector: Stands for the device; None records what is seen alone.
        """
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.recording = Recording()
        self.phase = MemoryPhase.LOAD
        self._corrector = corrector
        self._numbers: dict[int, int] = {}  # of live storages, by their address
        self._purpose = ""
        self._is_paging = False
        self._unshared = holders_of_a_waiting_gradient()
        self.enter_phase(MemoryPhase.LOAD)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would wrap each call, at a third of its cost."""
        return False

    def enter_phase(self, phase: MemoryPhase) -> None:
        """Count what follows to another phase."""
        self.phase = phase
        self.recording.phases.append((len(self.recording.trace), phase))

    @contextmanager
    def purpose(self, what: str) -> Iterator[None]:
        """Name what all allocations inside are for."""
        before, self._purpose = self._purpose, what
        try:
            yield
        finally:
            self._purpose = before

    @contextmanager
    def paged(self) -> Iterator[None]:
        """Count what is allocated inside as paged memory, not as the allocator's."""
        self._is_paging = True
        try:
            yield
        finally:
            self._is_paging = False

    def name(self, tensor: torch.Tensor, what: str) -> None:
        """Say afterwards what a live tensor is for."""
        number = self._numbers.get(tensor.untyped_storage()._cdata)
        if number is not None and number != _ASIDE:
            self.recording.entries[number].what = what

    def take(self, size: int, what: str) -> int:
        """Record an allocation that no tensor stands for.

        Returns:
            Its number, for `give_back`.
        """
        number = len(self.recording.entries)
        self.recording.entries[number] = Entry(self.phase, self._purpose or what)
        self.recording.trace.append(Allocation(number, size))
        return number

    def give_back(self, number: int) -> None:
        """Record the release of an allocation."""
        self.recording.trace.append(Release(number))

    def see(self, tensor: torch.Tensor, what: str) -> None:
        """Record a tensor's storage unless it is known already."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        # Under fake tensors an outline's tensors still say what they are.
        if key in self._numbers or tensor.device.type == "meta":
            return
        if self._is_paging:
            self.recording.paged_bytes += storage.nbytes()
            number = _ASIDE
        else:
            number = self.take(storage.nbytes(), what)
            self.recording.entries[number].shape = tuple(tensor.shape)
        self._know(storage, number)

    def leave_out(self, tensors: Iterable[torch.Tensor]) -> None:
        """Count tensors from outside as none: the outline of a model has no memory."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if storage._cdata not in self._numbers:
                self._know(storage, _ASIDE)

    def _know(self, storage: torch.UntypedStorage, number: int) -> None:
        key = storage._cdata
        self._numbers[key] = number
        weakref.finalize(storage, self._ended, key).atexit = False

    def _ended(self, key: int) -> None:
        number = self._numbers.pop(key)
        if number != _ASIDE:
            self.give_back(number)

    @override
    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Any,
        args: Arguments = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is _DEVICE and isinstance(args[0], FakeTensor):
            return args[0].fake_device  # asked more often than all else together
        asked, func = func, as_unwatched(func, args, kwargs, self._unshared)
        inside: Sequence[Temporary] = ()
        result: Any = NotImplemented
        if self._corrector is not None:
            result = self._corrector.answer(func, args)
            inside = self._corrector.temporaries(self, func, args)
        taken = self._take_all(inside, follow=False)
        if result is NotImplemented:
            result = func(*args, **(kwargs or {}))
        what = func._overloadpacket.__name__
        if isinstance(result, torch.Tensor):
            self.see(result, what)
        elif result is not None:
            for part in tree_iter(result):
                if isinstance(part, torch.Tensor):
                    self.see(part, what)
        for number in taken + self._take_all(inside, follow=True):
            self.give_back(number)
        if func is not asked:
            self._sum(result)
        return result

    def _sum(self, gradient: torch.Tensor) -> None:
        number = self._numbers.get(gradient.untyped_storage()._cdata)
        if number is not None and number != _ASIDE:
            # What was added goes first.
            self.recording.summed[number] = len(self.recording.trace) + 1

    def _take_all(self, inside: Sequence[Temporary], *, follow: bool) -> list[int]:
        """Allocate what a kernel takes; returns what it gives back at its end."""
        due = [each for each in inside if each.follows is follow]
        numbers = [self.take(each.size, each.what) for each in due]
        for number, each in zip(numbers, due, strict=True):
            if each.stays:  # It outlives whatever is being done now.
                self.recording.entries[number].what = each.what
        return [n for n, each in zip(numbers, due, strict=True) if not each.stays]
