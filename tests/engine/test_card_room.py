"""A card's size bounds what torch's allocator keeps, as long as a run fits at all."""

import pytest

from studio.domain.hardware import GIB, MIB, TrainingDevice
from studio.domain.memory.allocator import Allocation, Release
from studio.domain.memory.estimate import Level, MemoryPhase, Verdict
from studio.engine.dry_run.breakdown import Traits, estimate_of
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.recorder import Entry, Recording
from studio.engine.memory_estimate import Target
from studio.protocol.codec import heard_estimate, told_estimate

# Each fits no segment that the last one left.
SIZES = (100 * MIB, 200 * MIB, 400 * MIB)


def recording_of(sizes):
    """Tensors that live one after the other, never two at a time."""
    recording = Recording()
    recording.phases.append((0, MemoryPhase.FORWARD))
    for tensor, size in enumerate(sizes):
        recording.entries[tensor] = Entry(MemoryPhase.FORWARD, "x")
        recording.trace += [Allocation(tensor, size), Release(tensor)]
    return recording


def reserved_on(card_bytes, sizes=SIZES):
    card = Card((7, 5), card_bytes, has_triton=True)
    found = estimate_of(recording_of(sizes), Traits(0, checkpoints=False), card, 0.0)
    assert found.bytes_up_to(Level.ALLOCATED) == max(sizes)
    return found.bytes_up_to(Level.RESERVED)


def test_that_growing_segments_hold_no_more_than_is_needed_at_once(monkeypatch):
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    card = Card.of(Target.of(GIB, "8.9").device)
    found = estimate_of(recording_of(SIZES), Traits(0, checkpoints=False), card, 0.0)
    assert found.bytes_up_to(Level.RESERVED) == max(SIZES) < sum(SIZES)


def context():
    return Card((7, 5), 0, has_triton=True).context_bytes


def test_that_a_large_card_keeps_every_segment():
    assert reserved_on(GIB) == sum(SIZES)


def test_that_a_full_card_gives_segments_back_and_keeps_no_more_than_it_has():
    assert reserved_on(context() + 500 * MIB) == 400 * MIB


@pytest.mark.parametrize("short", [0, 2 * MIB])
def test_that_the_context_is_taken_off_what_the_allocator_may_take(short):
    kept = reserved_on(context() + sum(SIZES) - short)
    assert kept == (sum(SIZES) if not short else 400 * MIB)


def test_that_a_run_which_fits_at_no_try_is_told_what_it_would_need():
    assert reserved_on(context() + 300 * MIB) == sum(SIZES)


def test_that_a_run_which_fits_at_no_try_does_not_fit_however_much_is_free():
    card = Card((7, 5), context() + 300 * MIB, has_triton=True)
    traits = Traits(0, checkpoints=False)
    found = estimate_of(recording_of(SIZES), traits, card, 0.0)
    heard = heard_estimate(told_estimate(found))
    assert heard.runs_out
    device = TrainingDevice(
        kind="cuda", name="A card", total_bytes=GIB, free_bytes=GIB, has_bf16=False
    )
    assert found.peak_bytes < GIB
    assert heard.verdict(device, 0) is Verdict.DOES_NOT_FIT
