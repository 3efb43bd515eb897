"""What a machine can be seen to have: cards, their memory, main memory, disk.

A field that the platform doesn't report is None and its reason stands in
`missing`; nothing is ever guessed or shown as zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from studio.domain.finding import Finding

GIB = 1 << 30
MIB = 1 << 20

BF16_COMPUTE_CAPABILITY = (8, 0)
_BEFORE_ALL = -1


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A program that holds memory of a card.

    Attributes:
        pid: Its process id.
        name: Its executable's name; empty when the system hides it.
        used_bytes: What it holds; None where the platform doesn't tell.
    """

    pid: int
    name: str
    used_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSlice:
    """A part of a divided card (MIG) that a program sees as a card of its own.

    Attributes:
        uuid: Its identity, by which ``CUDA_VISIBLE_DEVICES`` chooses it.
        name: As the driver calls it.
        total_bytes: Its memory; None where it may not be read.
        used_bytes: Held by all programs in it.
        free_bytes: What a new program could take.
        missing: For each field that is None, why.
    """

    uuid: str
    name: str
    total_bytes: int | None = None
    used_bytes: int | None = None
    free_bytes: int | None = None
    missing: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class PcieLink:
    """The link to the main board: what it runs at now, and at most."""

    generation: int
    width: int
    max_generation: int
    max_width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReading:
    """One card at one moment.

    Attributes:
        index: NVML's index, which need not be CUDA's.
        cuda_index: What a run calls it; None when it was not worked out.
        is_hidden: Whether ``CUDA_VISIBLE_DEVICES`` keeps it from runs.
        uuid: The card's identity on every interface.
        name: As the driver calls it.
        architecture: Such as Ada; empty when the driver doesn't tell.
        compute_capability: (major, minor).
        total_bytes: The card's memory as the driver counts it.
        used_bytes: Held by all programs and the driver.
        free_bytes: What a new program could take.
        reserved_bytes: Kept by the driver.
        is_unified: Whether it has no memory of its own and uses the machine's.
        processes: The programs on it, largest first.
        utilization: Share of the last second with work on it, 0 to 1.
        memory_utilization: Share of the last second in which its memory was read or
            written, 0 to 1.
        temperature_c: Degrees Celsius.
        slowdown_c: The temperature at which it slows down.
        power_w: Watts now.
        power_limit_w: Watts at most.
        sm_clock_mhz, sm_clock_max_mhz: Of its processors, now and at most.
        memory_clock_mhz, memory_clock_max_mhz: Of its memory, now and at most.
        throttle_reasons: Why its clocks are held back, in words; empty when nothing
            holds them back.
        fan: Of its highest speed, 0 to 1; None on cards without a fan of their own.
        pcie: Its link to the main board.
        is_display_attached: Whether a screen hangs on it.
        ecc: Whether error correction is on.
        ecc_errors: Errors since the driver's start that could not be corrected.
        is_divided: Whether it is divided into slices (MIG).
        slices: Its slices that answered.
        virtualization: ``passthrough`` or ``vgpu`` in a virtual machine; empty on bare
            metal or where the driver doesn't tell.
        missing: For each field that is None, why.
    """

    index: int
    uuid: str
    name: str
    cuda_index: int | None = None
    is_hidden: bool = False
    architecture: str = ""
    compute_capability: tuple[int, int] | None = None
    total_bytes: int | None = None
    used_bytes: int | None = None
    free_bytes: int | None = None
    reserved_bytes: int | None = None
    is_unified: bool = False
    processes: tuple[GpuProcess, ...] = ()
    utilization: float | None = None
    memory_utilization: float | None = None
    temperature_c: int | None = None
    slowdown_c: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    sm_clock_mhz: int | None = None
    sm_clock_max_mhz: int | None = None
    memory_clock_mhz: int | None = None
    memory_clock_max_mhz: int | None = None
    throttle_reasons: tuple[str, ...] | None = None
    fan: float | None = None
    pcie: PcieLink | None = None
    is_display_attached: bool | None = None
    ecc: bool | None = None
    ecc_errors: int | None = None
    is_divided: bool | None = None
    slices: tuple[GpuSlice, ...] = ()
    virtualization: str = ""
    missing: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def has_bf16(self) -> bool:
        """Whether the card computes in bf16 (Ampere and later)."""
        capability = self.compute_capability
        return capability is not None and capability >= BF16_COMPUTE_CAPABILITY

    def own_slice(self) -> GpuSlice | None:
        """The slice that a run gets; CUDA shows a program the first one only.

        Source: CUDA's guide to MIG, "CUDA device enumeration".
        """
        return next((part for part in self.slices if part.total_bytes), None)

    def can_be_used(self) -> bool:
        """Whether a run could use it and it is known how much it has."""
        return not self.is_hidden and self.can_be_shown()

    def can_be_shown(self) -> bool:
        """Whether it is known how much it has."""
        if self.is_divided:
            return self.own_slice() is not None
        has_own = self.total_bytes is not None and self.free_bytes is not None
        return has_own or self.is_unified


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReading:
    """The machine at one moment.

    Attributes:
        gpus: The NVIDIA cards that answered, by index.
        gpu_finding: Why there are none, or what is wrong with the driver.
        gpu_remarks: What else is worth knowing of them.
        other_graphics: Graphics of other makers, by name.
        driver_version: The NVIDIA driver; empty without one.
        cuda_version: The newest CUDA that the driver takes; empty without one.
        processor: The CPU's name.
        processor_cores: Physical cores.
        processor_load: Share of the time since the last reading in which its cores
            worked, 0 to 1; None at a first reading.
        ram_total_bytes: Main memory.
        ram_available_bytes: What programs could still take of it.
        disk_free_bytes: Free where Snugtune keeps its files.
        read_at: Seconds since the epoch.
        headroom_bytes: What the user wants left free; None for the usual.
    """

    gpus: tuple[GpuReading, ...] = ()
    gpu_finding: Finding | None = None
    gpu_remarks: tuple[Finding, ...] = ()
    other_graphics: tuple[str, ...] = ()
    driver_version: str = ""
    cuda_version: str = ""
    processor: str = ""
    processor_cores: int = 1
    processor_has_bf16: bool = False
    processor_load: float | None = None
    ram_total_bytes: int
    ram_available_bytes: int
    disk_free_bytes: int
    read_at: float
    headroom_bytes: int | None = None

    def card_in_use(self) -> GpuReading | None:
        """The card that a run would use: CUDA's first; None for the processor."""
        usable = [gpu for gpu in self.gpus if gpu.can_be_used()]
        return min(usable, key=_cuda_place, default=None)

    def looked_at(self, uuid: str) -> "MachineReading":
        """The same machine as if runs used the card with this UUID, to be shown.

        Args:
            uuid: Of a card; an empty one, or one that isn't here, changes nothing.
        """
        if not uuid:
            return self
        gpus = tuple(
            replace(gpu, cuda_index=_BEFORE_ALL, is_hidden=False)
            if gpu.uuid == uuid
            else gpu
            for gpu in self.gpus
        )
        return replace(self, gpus=gpus)

    def device(self) -> "TrainingDevice":
        """The device that a run would use now: the first card, else the CPU."""
        card = self.card_in_use()
        if card is not None:
            total, free = self._memory_of(card)
            part = card.own_slice()
            return TrainingDevice(
                kind="cuda",
                name=card.name if part is None else part.name,
                total_bytes=total,
                free_bytes=free,
                has_bf16=card.has_bf16,
                compute_capability=card.compute_capability,
                driver=self.driver_version,
                headroom_bytes=self.headroom_bytes,
            )
        return TrainingDevice(
            kind="cpu",
            name=self.processor or "Processor",
            total_bytes=self.ram_total_bytes,
            free_bytes=self.ram_available_bytes,
            has_bf16=self.processor_has_bf16,
            headroom_bytes=self.headroom_bytes,
        )

    def _memory_of(self, card: GpuReading) -> tuple[int, int]:
        """(total, free) in bytes of what a run on a usable card gets."""
        held = card.own_slice() or card
        if held.total_bytes is not None and held.free_bytes is not None:
            return held.total_bytes, held.free_bytes
        # Processor and card share one memory.
        return self.ram_total_bytes, self.ram_available_bytes


def _cuda_place(gpu: GpuReading) -> int:
    return gpu.index if gpu.cuda_index is None else gpu.cuda_index


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingDevice:
    """The device that a recipe is priced for.

    Attributes:
        kind: ``cuda`` or ``cpu``.
        name: For people.
        total_bytes: Its memory; for a CPU, main memory.
        free_bytes: What is free now.
        has_bf16: Whether it computes in bf16 at full speed.
        compute_capability: Of a card, else None.
        driver: A card's driver; empty where there is none.
        context_bytes: The CUDA context, as measured on it before; None while it wasn't.
        headroom_bytes: What the user wants left free on it; None for the usual.
    """

    kind: str
    name: str
    total_bytes: int
    free_bytes: int
    has_bf16: bool
    compute_capability: tuple[int, int] | None = None
    driver: str = ""
    context_bytes: int | None = None
    headroom_bytes: int | None = None

    @property
    def used_bytes(self) -> int:
        """Held by other programs and the driver."""
        return max(0, self.total_bytes - self.free_bytes)


def gib(amount: float) -> str:
    """Bytes in GiB with two decimals, such as ``8.24 GiB``."""
    return f"{amount / GIB:,.2f} GiB"


def amount(size: float) -> str:
    """Bytes in GiB, or in MiB where two decimals of a GiB would show nothing."""
    if not size:
        return "0 GiB"
    if gib(size) != gib(0):
        return gib(size)
    told = f"{size / MIB:.2f} MiB"
    return "under 0.01 MiB" if told == "0.00 MiB" else told
