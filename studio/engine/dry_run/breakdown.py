"""From the trace of a run to its peaks, and to what stood there at the highest."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from studio.domain.memory.allocator import (
    Allocation,
    CachingAllocator,
    OutOfCardMemoryError,
    Release,
    rounded,
)
from studio.domain.memory.estimate import (
    CUDA_CONTEXT_NAME,
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
    MemoryPhase,
)
from studio.domain.memory.formula import CPU_RUNTIME
from studio.domain.memory.part_names import (
    ACTIVATION_GRADIENTS,
    ADAPTER,
    ANSWERING,
    ATTENTION,
    BATCH,
    BUFFERS,
    CHECKPOINTED,
    DEQUANTIZED,
    FRAGMENTATION,
    GRADIENTS,
    LOADING,
    LOGITS,
    MEASURING,
    PAGED_STATES,
    PLAIN,
    QUANTIZED,
    RECOMPUTED,
    REMEMBERED,
    RUNTIME,
    SCALES,
    STATES,
    STEP_TEMPORARIES,
    WARM_UP,
    WORKSPACES,
)
from studio.domain.memory.timeline import Timeline, timeline_of
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.recorder import Entry, Recording

# By tests/bench/vram_truth.py, over 80 published runs of other programs: allocated at
# worst 1.1 % off, doubled because the engine's own steps were not among them; the
# process on its card 6.8 % at the 90th percentile. Whether a run ends well depends on
# neither figure alone: torch gives cached blocks back before it fails, so the true
# threshold lies between allocated and reserved, each with the context on top.
ALLOCATED_ERROR = 0.02
RESERVED_ERROR = 0.07

_SCORES_RANK = 3

_GROUPS: Mapping[str, Group] = {
    QUANTIZED: Group.WEIGHTS,
    SCALES: Group.WEIGHTS,
    PLAIN: Group.WEIGHTS,
    LOADING: Group.WEIGHTS,
    WARM_UP: Group.WEIGHTS,
    BUFFERS: Group.WEIGHTS,
    ADAPTER: Group.ADAPTER,
    GRADIENTS: Group.ADAPTER,
    STATES: Group.ADAPTER,
    STEP_TEMPORARIES: Group.ADAPTER,
    ATTENTION: Group.ACTIVATIONS,
    DEQUANTIZED: Group.ACTIVATIONS,
    LOGITS: Group.LOSS,
    WORKSPACES: Group.OVERHEAD,
    BATCH: Group.OVERHEAD,
}
_OPERATORS: Mapping[str, str] = {
    "_softmax": ATTENTION,
    "_softmax_backward_data": ATTENTION,
    "dequantize_4bit": DEQUANTIZED,
    "dequantize_blockwise": DEQUANTIZED,
}
_PASSING: Mapping[MemoryPhase, str] = {
    MemoryPhase.LOAD: PLAIN,
    MemoryPhase.FORWARD: REMEMBERED,
    MemoryPhase.BACKWARD: ACTIVATION_GRADIENTS,
    MemoryPhase.OPTIMIZER_STEP: STEP_TEMPORARIES,
    MemoryPhase.EVALUATE: MEASURING,
    MemoryPhase.GENERATE: ANSWERING,
    MemoryPhase.SAVE: PLAIN,
}
_AFTER = frozenset({MemoryPhase.SAVE, MemoryPhase.EVALUATE, MemoryPhase.GENERATE})
_RECOMPUTED: Mapping[MemoryPhase, str] = {
    MemoryPhase.FORWARD: CHECKPOINTED,
    MemoryPhase.BACKWARD: RECOMPUTED,
}


@dataclass(frozen=True, slots=True)
class Traits:
    """What of a run decides how its tensors are called.

    Attributes:
        vocabulary: Width of the logits.
        checkpoints: Whether layers are recomputed.
        runtime: Bytes that an engine holds on a processor beside tensors.
    """

    vocabulary: int
    checkpoints: bool
    runtime: int = CPU_RUNTIME


def estimate_of(
    recording: Recording, traits: Traits, card: Card | None, seconds: float
) -> MemoryEstimate:
    """Replay a trace and say what its peak is made of.

    Args:
        recording: Of a whole run.
        traits: Of the run.
        card: Where it was rehearsed for; None for a processor.
        seconds: How long the rehearsal took.
    """
    peaks, runs_out = _replayed_on(card, recording)
    phase = max(peaks.allocated, key=lambda each: peaks.allocated[each])
    components = _components(recording, peaks.position, traits)
    allocated = sum(component.bytes for component in components)
    # Blocks whose rest could serve nobody are handed out whole.
    slack = peaks.allocated[phase] - allocated
    components.append(Component("Rounding to blocks", Group.OVERHEAD, slack, phase))
    if card is None:
        components.append(_above(RUNTIME, traits.runtime, Level.DEVICE))
    else:
        unused = peaks.reserved - peaks.allocated[phase]
        components.append(_above(FRAGMENTATION, unused, Level.RESERVED))
        components.append(_above(CUDA_CONTEXT_NAME, card.context_bytes, Level.DEVICE))
        if recording.paged_bytes:
            # While the card has room they are on it.
            components.append(_above(PAGED_STATES, recording.paged_bytes, Level.DEVICE))
    return MemoryEstimate(
        components=tuple(components),
        phase=phase,
        basis=Basis.DRY_RUN,
        expected_error=ALLOCATED_ERROR,
        reserved_error=RESERVED_ERROR,
        phase_peaks={each.value: held for each, held in peaks.allocated.items()},
        seconds=seconds,
        timeline=peaks.timeline if card else _without_cache(peaks.timeline),
        runs_out=runs_out,
    )


@dataclass(frozen=True, slots=True)
class _Peaks:
    """Allocated bytes by phase, reserved bytes, where the highest stands, a step."""

    allocated: Mapping[MemoryPhase, int]
    reserved: int
    position: int
    timeline: Timeline | None


def _replayed_on(card: Card | None, recording: Recording) -> tuple[_Peaks, bool]:
    """What the allocator holds on a card of that size, and whether it runs out.

    A request that the driver can't serve makes torch give cached segments back and try
    again, so the reserved peak stays within the card. Where even that fails the run
    ends; then what it would need is told, as on a card without end.
    """
    expands = card is not None and card.expands_segments
    if card is None or card.room_bytes <= 0:
        return _replayed(recording, expands=expands), False
    try:
        return _replayed(recording, card.room_bytes, expands=expands), False
    except OutOfCardMemoryError:
        return _replayed(recording, expands=expands), True


def _replayed(
    recording: Recording, capacity_bytes: int | None = None, *, expands: bool
) -> _Peaks:
    allocator = CachingAllocator(capacity_bytes, expandable_segments=expands)
    begins: dict[int, list[MemoryPhase]] = defaultdict(list)
    for at, began in recording.phases:
        begins[at].append(began)
    phase, position = MemoryPhase.LOAD, 0
    peaks: dict[MemoryPhase, int] = defaultdict(int)
    highest = 0
    step, held_in_step, reserved_in_step = last_step(recording), [], []
    for at, event in enumerate(recording.trace):
        for phase in begins.get(at, ()):
            peaks[phase] = max(peaks[phase], allocator.allocated_bytes)
        if isinstance(event, Allocation):
            allocator.allocate(event.tensor, event.size)
        else:
            allocator.replay((event,))
        held = allocator.allocated_bytes
        peaks[phase] = max(peaks[phase], held)
        if held > highest:
            highest, position = held, at
        if at in step:
            held_in_step.append(held)
            reserved_in_step.append(allocator.reserved_bytes)
    inside = [(at - step.start, each) for at, each in recording.phases if at in step]
    timeline = timeline_of(held_in_step, reserved_in_step, inside)
    return _Peaks(peaks, allocator.peak_reserved_bytes, position, timeline)


def _without_cache(timeline: Timeline | None) -> Timeline | None:
    """On a processor no allocator of torch's keeps what tensors gave back."""
    return timeline and replace(timeline, reserved=timeline.allocated)


def last_step(recording: Recording) -> range:
    """The positions of the last training step, which finds what all later ones find."""
    begin, is_between = 0, True
    for at, phase in recording.phases:
        if phase is MemoryPhase.FORWARD and is_between:
            begin, is_between = at, False
        elif phase is MemoryPhase.OPTIMIZER_STEP:
            is_between = True
    later = [at for at, phase in recording.phases if at > begin and phase in _AFTER]
    return range(begin, min(later, default=len(recording.trace)))


def _components(recording: Recording, position: int, traits: Traits) -> list[Component]:
    live: dict[int, int] = {}
    for event in recording.trace[: position + 1]:
        if isinstance(event, Allocation):
            live[event.tensor] = event.size
        elif isinstance(event, Release):
            live.pop(event.tensor, None)
    sums: dict[tuple[str, MemoryPhase], int] = defaultdict(int)
    for tensor, size in live.items():
        entry = recording.entries[tensor]
        sums[_name_of(entry, traits), entry.phase] += rounded(size)
    return [
        Component(name, _GROUPS.get(name, Group.ACTIVATIONS), held, phase)
        for (name, phase), held in sorted(sums.items(), key=lambda item: -item[1])
    ]


def _name_of(entry: Entry, traits: Traits) -> str:
    """What people are told a tensor is for."""
    shape = entry.shape
    if entry.what in _GROUPS:
        return entry.what
    if entry.what in _OPERATORS:
        return _OPERATORS[entry.what]
    if len(shape) > 1 and shape[-1] == traits.vocabulary:
        return LOGITS
    if len(shape) >= _SCORES_RANK and shape[-1] == shape[-2]:
        return ATTENTION
    if traits.checkpoints and entry.phase in _RECOMPUTED:
        return _RECOMPUTED[entry.phase]
    return _PASSING[entry.phase]


def _above(name: str, amount: int, level: Level) -> Component:
    return Component(name, Group.OVERHEAD, amount, level=level)
