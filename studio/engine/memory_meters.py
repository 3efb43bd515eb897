"""Meters that tell the highest memory of each phase of a run on its device.

On a card torch counts live tensors and its allocator's segments, and the driver what
the process holds. A processor has no such counters: there a dispatch mode counts the
tensors, and the system the resident memory.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from bitsandbytes.nn.modules import Int8Params, Params4bit

from studio.domain.memory.allocator import Allocation, Release, rounded
from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.measurement import Peaks
from studio.engine.dry_run.fake_model import constants_of
from studio.engine.dry_run.recorder import Recorder, Recording
from studio.system.card_memory import CardMemory
from studio.system.resident_memory import (
    highest_resident_bytes,
    resident_bytes,
    resident_file_bytes,
    set_back,
)

_EVERY_S = 0.005


class Counters(Protocol):
    """The part of `torch.cuda` that counts memory; bytes."""

    def synchronize(self) -> None:
        """Wait for the card."""

    def memory_allocated(self) -> int:
        """Of live tensors, now."""

    def memory_reserved(self) -> int:
        """Of the allocator's segments, now."""

    def max_memory_allocated(self) -> int:
        """Highest since the last reset."""

    def max_memory_reserved(self) -> int:
        """Highest since the last reset."""

    def reset_peak_memory_stats(self) -> None:
        """Let the highest begin anew with what is held now."""


class Meter(Protocol):
    """What a probe needs of a device.

    Attributes:
        phase: Which is counted now.
        phases: The highest of each phase that has ended.
        context_bytes: The CUDA context; None where it can't be told.
    """

    phase: MemoryPhase
    phases: dict[MemoryPhase, Peaks]
    context_bytes: int | None

    def begin(self) -> Any:  # noqa: ANN401 - a context manager
        """The time during which is measured."""

    def enter(self, phase: MemoryPhase) -> None:
        """Another phase begins."""

    def held_bytes(self) -> int | None:
        """Of live tensors, now."""

    def meet(self, model: torch.nn.Module) -> None:
        """A model was loaded."""


class Sampler:
    """Reads a figure again and again in a thread, and keeps the highest."""

    def __init__(self, read: Callable[[], int | None]) -> None:
        self._read = read
        self._highest: int | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Read while inside."""
        thread = threading.Thread(
            target=self._watch, name="memory sampler", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def look(self) -> int | None:
        """Read now, in whichever thread this is."""
        with self._lock:
            figure = self._read()
            if figure is not None:
                self._highest = max(figure, self._highest or 0)
            return figure

    def take_highest(self) -> int | None:
        """The highest since the last call."""
        with self._lock:
            highest, self._highest = self._highest, None
        return highest

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self.look()


@dataclass(slots=True)
class CardMeter:
    """Measures on a card; for the attributes see `Meter`.

    Attributes:
        counters: `torch.cuda`.
        driver: Tells this process's memory on the card.
        is_paged: Whether the optimizer's states may lie beside torch's allocator,
            where they can't be told from the context.
    """

    counters: Counters
    driver: CardMemory
    is_paged: bool = False
    phases: dict[MemoryPhase, Peaks] = field(default_factory=dict)
    context_bytes: int | None = None
    phase: MemoryPhase = MemoryPhase.LOAD
    _sampler: Sampler = field(init=False)

    def __post_init__(self) -> None:
        """Tie the driver to a sampler."""
        self._sampler = Sampler(self.driver.read)

    @contextmanager
    def begin(self) -> Iterator[None]:
        """Measure while inside."""
        # A driver lists a process from its CUDA context on. Before that the card's
        # growth would stand for it, and with it what other programs take meanwhile.
        self.counters.synchronize()
        self.counters.reset_peak_memory_stats()
        with self._sampler.running():
            try:
                yield
            finally:
                self._close()

    def enter(self, phase: MemoryPhase) -> None:
        """Count from here on for another phase."""
        self._close()
        self.phase = phase

    def held_bytes(self) -> int:
        """Of live tensors."""
        return self.counters.memory_allocated()

    def meet(self, model: torch.nn.Module) -> None:
        """Torch has counted it already."""

    def _close(self) -> None:
        counters = self.counters
        counters.synchronize()
        now = self._sampler.look()
        peaks = Peaks(
            counters.max_memory_allocated(),
            counters.max_memory_reserved(),
            self._sampler.take_highest(),
        )
        self.phases[self.phase] = peaks.joined(self.phases.get(self.phase, Peaks()))
        if now is not None and not self.is_paged:
            beside = now - counters.memory_reserved()
            self.context_bytes = max(beside, self.context_bytes or 0)
        counters.reset_peak_memory_stats()


class ProcessorMeter:
    """Measures on a processor; for the attributes see `Meter`.

    While a model is loaded its file lies mapped in memory. Those pages needn't stay:
    of files, only what is resident behind the loading is counted, where that is told.
    """

    def __init__(self) -> None:
        self.phases: dict[MemoryPhase, Peaks] = {}
        self.context_bytes: int | None = None
        self._recorder = Recorder()
        self.phase = MemoryPhase.LOAD
        self._sampler = Sampler(self._resident_now)
        self._resident: dict[MemoryPhase, Peaks] = {}
        self._has_mark = False

    @contextmanager
    def begin(self) -> Iterator[None]:
        """Measure while inside."""
        self._has_mark = set_back()
        with self._sampler.running():
            try:
                with self._recorder:
                    yield
            finally:
                self._close()
                self._count()

    def enter(self, phase: MemoryPhase) -> None:
        """Count from here on for another phase."""
        self._close()
        self.phase = phase
        self._recorder.enter_phase(phase)

    def held_bytes(self) -> int:
        """Of live tensors that were seen."""
        return sum(live_sizes(self._recorder.recording).values())

    def meet(self, model: torch.nn.Module) -> None:
        """Count what other threads have loaded, which a dispatch mode can't see."""
        for tensor in held_by(model):
            self._recorder.see(tensor, "loaded")

    def _close(self) -> None:
        self._sampler.look()
        highest = self._sampler.take_highest()
        files = self._files_beside()
        if files is not None and highest is not None:
            highest += files
        elif self._has_mark:
            highest = highest_resident_bytes()
        if self._has_mark:
            set_back()
        before = self._resident.get(self.phase)
        self._resident[self.phase] = Peaks(device=highest).joined(before or Peaks())

    def _resident_now(self) -> int:
        return resident_bytes() - (self._files_beside() or 0)

    def _files_beside(self) -> int | None:
        """Resident pages of files, where they are counted apart."""
        return resident_file_bytes() if self.phase is MemoryPhase.LOAD else None

    def _count(self) -> None:
        for phase, held in highest_by_phase(self._recorder.recording).items():
            resident = self._resident.get(phase, Peaks()).device
            self.phases[phase] = Peaks(held, held, resident)


def held_by(model: torch.nn.Module) -> Iterator[torch.Tensor]:
    """Every tensor of a loaded model, constants of its quantised weights included."""
    for parameter in model.parameters():
        yield parameter.data
        if isinstance(parameter, Params4bit):
            yield from constants_of(parameter.quant_state)
        elif isinstance(parameter, Int8Params):
            yield parameter.SCB
    yield from model.buffers()


def live_sizes(recording: Recording) -> Mapping[int, int]:
    """Bytes of each tensor that lives at a recording's end."""
    live: dict[int, int] = {}
    for event in recording.trace:
        if isinstance(event, Allocation):
            live[event.tensor] = rounded(event.size)
        elif isinstance(event, Release):
            live.pop(event.tensor, None)
    return live


def highest_by_phase(recording: Recording) -> Mapping[MemoryPhase, int]:
    """The highest of each phase, counted in blocks as a card's allocator does."""
    begins = defaultdict(list)
    for at, began in recording.phases:
        begins[at].append(began)
    live: dict[int, int] = {}
    highest: dict[MemoryPhase, int] = {}
    held, phase = 0, MemoryPhase.LOAD
    for at, event in enumerate(recording.trace):
        for phase in begins.get(at, ()):
            highest[phase] = max(highest.get(phase, 0), held)
        if isinstance(event, Allocation):
            live[event.tensor] = rounded(event.size) if event.size else 0
            held += live[event.tensor]
        elif isinstance(event, Release):
            held -= live.pop(event.tensor, 0)
        highest[phase] = max(highest.get(phase, 0), held)
    for phase in begins.get(len(recording.trace), ()):
        highest[phase] = max(highest.get(phase, 0), held)
    return highest
