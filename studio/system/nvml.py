"""All NVIDIA cards of the machine through NVML, and what became of those seen before.

A wedged driver blocks calls for good: never call this in a thread that somebody waits
for (`studio.system.bounded`).
"""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from studio.domain.finding import Finding
from studio.domain.hardware import GpuReading
from studio.system.cuda_order import in_cuda_order
from studio.system.gpu_findings import (
    driver_finding,
    gone,
    hidden,
    lost,
    no_card,
    nvidia_cards_on_bus,
)
from studio.system.gpu_remarks import platform_remark, remarks_on
from studio.system.nvml_card import CardLostError, read_card
from studio.system.nvml_library import (
    NvmlLibrary,
    cuda_version,
    load_library,
    text,
    whole,
)
from studio.system.platform_words import platform_of_driver


@dataclass(frozen=True, slots=True)
class GpuSurvey:
    """The cards at one moment.

    Attributes:
        gpus: Those that answered, by index.
        finding: Why there are none, or what is wrong with the driver.
        driver_version: Empty without a driver.
        cuda_version: The newest CUDA that the driver takes; empty without one.
        remarks: What else is worth knowing of the cards.
    """

    gpus: tuple[GpuReading, ...] = ()
    finding: Finding | None = None
    driver_version: str = ""
    cuda_version: str = ""
    remarks: tuple[Finding, ...] = ()


class Nvml:
    """NVML, started on the first reading and started anew after a fault.

    NVML finds the cards when it is started, so it is started anew as well when the bus
    shows another number of them, and when somebody looks again.
    """

    def __init__(
        self,
        library: NvmlLibrary | None = None,
        cards_on_bus: Callable[[], int] = nvidia_cards_on_bus,
    ) -> None:
        self._given = library
        self._cards_on_bus = cards_on_bus
        self._is_started = False
        self._on_bus = 0
        self._look_again = threading.Event()
        self._seen: dict[str, GpuReading] = {}

    @functools.cached_property
    def _library(self) -> NvmlLibrary:
        # On first use: the binding is large, and the window opens without it.
        return self._given or load_library()

    @functools.cached_property
    def _platform(self) -> str:
        return platform_of_driver()

    def survey(self) -> GpuSurvey:
        """Ask every card for everything; takes some milliseconds a card."""
        library = self._library
        try:
            self._start()
            count = whole(library.nvmlDeviceGetCount())
        except library.NVMLError as fault:
            self.close()
            return GpuSurvey(finding=driver_finding(fault))
        answered, silent = self._read_all(count)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = in_cuda_order(answered, visible)
        return GpuSurvey(
            gpus,
            self._trouble(gpus, silent),
            text(self._ask("nvmlSystemGetDriverVersion")),
            cuda_version(self._ask("nvmlSystemGetCudaDriverVersion_v2")),
            tuple(self._remarks(gpus, silent)),
        )

    def look_again(self) -> None:
        """Start NVML anew at the next reading; may be called from any thread."""
        self._look_again.set()

    def close(self) -> None:
        """Let the driver go; the next reading starts it again."""
        if self._is_started:
            self._is_started = False
            self._ask("nvmlShutdown")

    def _start(self) -> None:
        on_bus = self._cards_on_bus()
        if self._look_again.is_set() or on_bus != self._on_bus:
            self.close()
        if self._look_again.is_set():
            self._look_again.clear()
            self._seen.clear()
        if not self._is_started:
            self._library.nvmlInit()
            self._is_started = True
            self._on_bus = on_bus

    def _read_all(self, count: int) -> tuple[list[GpuReading], list[int]]:
        """The cards that answer, and the indices of those that don't."""
        answered, silent = [], []
        for index in range(count):
            try:
                answered.append(read_card(self._library, index, self._platform))
            except CardLostError:
                silent.append(index)
        return answered, silent

    def _trouble(self, gpus: Sequence[GpuReading], silent: list[int]) -> Finding | None:
        if any(not gpu.is_hidden for gpu in gpus):
            return None
        if gpus:
            return hidden(len(gpus))
        known = [card for card in self._seen.values() if card.index in silent]
        return lost(known[0].name) if known else no_card(len(silent))

    def _remarks(
        self, gpus: tuple[GpuReading, ...], silent: list[int]
    ) -> Iterator[Finding]:
        """What became of cards that were here, then what kind of cards are."""
        here = {gpu.uuid: gpu for gpu in gpus if gpu.uuid}
        for uuid, card in self._seen.items():
            if uuid in here:
                continue
            if card.index not in silent:
                yield gone(card.name)
            elif gpus:
                yield lost(card.name)
        self._seen |= here
        if gpus and self._platform:
            yield platform_remark(self._platform)
        for gpu in gpus:
            yield from remarks_on(gpu)

    def _ask(self, call: str) -> object:
        try:
            return getattr(self._library, call)()
        except self._library.NVMLError:
            return None
