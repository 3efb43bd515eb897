"""What a machine can be seen to have: cards, their memory, main memory, disk.

A field that the platform doesn't report is None and its reason stands in
`missing`; nothing is ever guessed or shown as zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from studio.domain.finding import Finding

GIB = 1 << 30
MIB = 1 << 20

BF16_COMPUTE_CAPABILITY = (8, 0)


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
class GpuReading:
    """One card at one moment.

    Attributes:
        index: NVML's index, which need not be CUDA's.
        uuid: The card's identity on every interface.
        name: As the driver calls it.
        compute_capability: (major, minor).
        total_bytes: The card's memory as the driver counts it.
        used_bytes: Held by all programs and the driver.
        free_bytes: What a new program could take.
        reserved_bytes: Kept by the driver.
        processes: The programs on it, largest first.
        utilization: Share of the last second with work on it, 0 to 1.
        temperature_c: Degrees Celsius.
        slowdown_c: The temperature at which it slows down.
        power_w: Watts now.
        power_limit_w: Watts at most.
        missing: For each field that is None, why.
    """

    index: int
    uuid: str
    name: str
    compute_capability: tuple[int, int] | None = None
    total_bytes: int | None = None
    used_bytes: int | None = None
    free_bytes: int | None = None
    reserved_bytes: int | None = None
    processes: tuple[GpuProcess, ...] = ()
    utilization: float | None = None
    temperature_c: int | None = None
    slowdown_c: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    missing: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def has_bf16(self) -> bool:
        """Whether the card computes in bf16 (Ampere and later)."""
        capability = self.compute_capability
        return capability is not None and capability >= BF16_COMPUTE_CAPABILITY


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReading:
    """The machine at one moment.

    Attributes:
        gpus: The NVIDIA cards that answered, by index.
        gpu_finding: Why there are none, or what is wrong with the driver.
        driver_version: The NVIDIA driver; empty without one.
        cuda_version: The newest CUDA that the driver takes; empty without one.
        processor: The CPU's name.
        processor_cores: Physical cores.
        ram_total_bytes: Main memory.
        ram_available_bytes: What programs could still take of it.
        disk_free_bytes: Free where Snugtune keeps its files.
        read_at: Seconds since the epoch.
    """

    gpus: tuple[GpuReading, ...] = ()
    gpu_finding: Finding | None = None
    driver_version: str = ""
    cuda_version: str = ""
    processor: str = ""
    processor_cores: int = 1
    processor_has_bf16: bool = False
    ram_total_bytes: int
    ram_available_bytes: int
    disk_free_bytes: int
    read_at: float

    def device(self) -> "TrainingDevice":
        """The device that a run would use now: the first card, else the CPU."""
        for gpu in self.gpus:
            if gpu.total_bytes is not None and gpu.free_bytes is not None:
                return TrainingDevice(
                    kind="cuda",
                    name=gpu.name,
                    total_bytes=gpu.total_bytes,
                    free_bytes=gpu.free_bytes,
                    has_bf16=gpu.has_bf16,
                    compute_capability=gpu.compute_capability,
                    driver=self.driver_version,
                )
        return TrainingDevice(
            kind="cpu",
            name=self.processor or "Processor",
            total_bytes=self.ram_total_bytes,
            free_bytes=self.ram_available_bytes,
            has_bf16=self.processor_has_bf16,
        )


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
    """

    kind: str
    name: str
    total_bytes: int
    free_bytes: int
    has_bf16: bool
    compute_capability: tuple[int, int] | None = None
    driver: str = ""
    context_bytes: int | None = None

    @property
    def used_bytes(self) -> int:
        """Held by other programs and the driver."""
        return max(0, self.total_bytes - self.free_bytes)


def gib(amount: float) -> str:
    """Bytes in GiB with two decimals, such as ``8.24 GiB``."""
    return f"{amount / GIB:,.2f} GiB"
