"""The card's meter against a card that is played; the processor's against itself."""

import contextlib
import time

import pytest
import torch

from studio.domain.hardware import MIB
from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.measurement import Peaks
from studio.engine.memory_meters import CardMeter, ProcessorMeter, Sampler
from studio.engine.run_memory import peaks_on_card
from studio.system.resident_memory import resident_file_bytes

CONTEXT = 400 * MIB


class PlayedCard:
    """torch's counters and the driver's figure of one process that allocates."""

    def __init__(self):
        self.now = self.highest = 0
        self.reserved = self.highest_reserved = 0
        self.waited = 0
        self.beside = CONTEXT

    def take(self, size):
        self.now += size
        self.highest = max(self.highest, self.now)
        self.reserved = max(self.reserved, self.now)
        self.highest_reserved = max(self.highest_reserved, self.reserved)

    def give_back(self, size):
        self.now -= size

    def empty_cache(self):
        self.reserved = self.now

    def synchronize(self):
        self.waited += 1

    def memory_allocated(self):
        return self.now

    def memory_reserved(self):
        return self.reserved

    def max_memory_allocated(self):
        return self.highest

    def max_memory_reserved(self):
        return self.highest_reserved

    def reset_peak_memory_stats(self):
        self.highest, self.highest_reserved = self.now, self.reserved

    def read(self):
        return None if self.beside is None else self.reserved + self.beside


@pytest.fixture
def card():
    return PlayedCard()


def test_that_each_phase_has_its_own_peaks(card):
    meter = CardMeter(card, card)
    with meter.begin():
        card.take(100)
        meter.enter(MemoryPhase.FORWARD)
        card.take(50)
        card.give_back(50)
        meter.enter(MemoryPhase.BACKWARD)
        card.take(20)
    assert meter.phases == {
        MemoryPhase.LOAD: Peaks(100, 100, 100 + CONTEXT),
        MemoryPhase.FORWARD: Peaks(150, 150, 150 + CONTEXT),
        MemoryPhase.BACKWARD: Peaks(120, 150, 150 + CONTEXT),
    }
    assert card.waited == 4  # once for the context, and at the end of each phase


def test_that_what_others_take_while_a_model_loads_is_not_counted(card):
    grown = 9 * MIB  # the whole card's, told as long as the process isn't listed
    listed = card.read
    card.read = lambda: listed() if card.waited else grown
    meter = CardMeter(card, card)
    with meter.begin():
        time.sleep(0.05)
        card.take(100)
    assert meter.phases[MemoryPhase.LOAD].device == 100 + CONTEXT


def test_that_a_phase_which_comes_again_keeps_its_highest(card):
    meter = CardMeter(card, card)
    with meter.begin():
        for size in (30, 10):
            meter.enter(MemoryPhase.FORWARD)
            card.take(size)
            card.give_back(size)
            card.empty_cache()
            meter.enter(MemoryPhase.BACKWARD)
    assert meter.phases[MemoryPhase.FORWARD].allocated == 30
    assert meter.phases[MemoryPhase.BACKWARD].allocated == 0


def test_that_the_context_is_what_lies_beside_the_allocator(card):
    meter = CardMeter(card, card)
    with meter.begin():
        card.take(100)
        meter.enter(MemoryPhase.FORWARD)
        card.beside = CONTEXT + MIB  # kernels are loaded when they are first used
    assert meter.context_bytes == CONTEXT + MIB


def test_that_paged_states_are_not_taken_for_the_context(card):
    meter = CardMeter(card, card, is_paged=True)
    with meter.begin():
        card.take(100)
    assert meter.context_bytes is None
    assert meter.phases[MemoryPhase.LOAD].device == 100 + CONTEXT


def test_that_a_driver_which_tells_nothing_leaves_a_gap_and_no_zero(card):
    card.beside = None
    meter = CardMeter(card, card)
    with meter.begin():
        card.take(100)
    assert meter.phases[MemoryPhase.LOAD] == Peaks(100, 100, None)
    assert meter.context_bytes is None


def test_that_the_last_phase_is_measured_when_memory_runs_out(card):
    meter = CardMeter(card, card)
    with contextlib.suppress(torch.OutOfMemoryError), meter.begin():
        meter.enter(MemoryPhase.FORWARD)
        card.take(100)
        raise torch.OutOfMemoryError
    assert meter.phases[MemoryPhase.FORWARD].allocated == 100


def test_that_torchs_own_module_has_every_counter():
    for name in (
        "synchronize",
        "memory_allocated",
        "memory_reserved",
        "max_memory_allocated",
        "max_memory_reserved",
        "reset_peak_memory_stats",
    ):
        assert callable(getattr(torch.cuda, name))


def test_that_a_sampler_keeps_a_peak_that_passes_between_two_looks():
    figures = iter([1, 9, None, 2])
    sampler = Sampler(lambda: next(figures, 2))
    for _ in range(4):
        sampler.look()
    assert sampler.take_highest() == 9
    assert sampler.take_highest() is None


def test_that_a_sampler_reads_by_itself():
    seen = []
    sampler = Sampler(lambda: seen.append(None) or 5)
    with sampler.running():
        while len(seen) < 3:
            pass
    assert sampler.take_highest() == 5


def test_that_a_run_adds_what_lies_beside_to_its_highest(card):
    card.take(500)
    card.give_back(400)
    card.empty_cache()
    assert peaks_on_card(card, card) == (Peaks(500, 500, 500 + CONTEXT), CONTEXT)
    card.beside = None
    assert peaks_on_card(card, card) == (Peaks(500, 500, None), None)


def test_that_a_processor_counts_every_tensor_in_blocks_of_512():
    meter = ProcessorMeter()
    with meter.begin():
        kept = torch.zeros(1000)
        meter.enter(MemoryPhase.FORWARD)
        for _ in range(3):
            torch.ones(MIB, dtype=torch.uint8)
        meter.enter(MemoryPhase.BACKWARD)
        del kept
    assert meter.phases[MemoryPhase.LOAD].allocated == 4096
    assert meter.phases[MemoryPhase.FORWARD].allocated == 4096 + MIB
    assert meter.phases[MemoryPhase.BACKWARD].allocated == 4096
    assert meter.phases[MemoryPhase.FORWARD].device > MIB
    assert meter.context_bytes is None


def test_that_resident_memory_of_a_phase_is_its_own():
    meter = ProcessorMeter()
    with meter.begin():
        meter.enter(MemoryPhase.FORWARD)
        block = torch.ones(128 * MIB, dtype=torch.uint8)
        del block
        meter.enter(MemoryPhase.SAVE)
    forward = meter.phases[MemoryPhase.FORWARD].device
    assert forward > meter.phases[MemoryPhase.SAVE].device + 100 * MIB


@pytest.mark.skipif(resident_file_bytes() is None, reason="reads /proc")
def test_that_a_file_which_was_let_go_again_is_no_memory_of_loading(tmp_path):
    size = 128 * MIB
    (tmp_path / "weights").write_bytes(bytes(size))
    meter = ProcessorMeter()
    with meter.begin():
        lies_there = torch.from_file(
            str(tmp_path / "weights"), shared=False, size=size, dtype=torch.uint8
        )
        assert int(lies_there.max()) == 0
        assert resident_file_bytes() > size
        del lies_there
        meter.enter(MemoryPhase.FORWARD)
    load, forward = meter.phases[MemoryPhase.LOAD], meter.phases[MemoryPhase.FORWARD]
    assert load.device < forward.device + size / 2
