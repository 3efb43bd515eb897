"""What a card's kernels take beside their results, reckoned by their source."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from studio.domain.memory.allocator import Allocation
from studio.domain.memory.estimate import MemoryPhase
from studio.domain.memory.part_names import ATTENTION, DEQUANTIZED, WORKSPACES
from studio.engine.dry_run.attention import Kernel, kernel_for
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.card_functions import as_on
from studio.engine.dry_run.corrections import CardKernels
from studio.engine.dry_run.recorder import Recorder

TURING = Card((7, 5), 16 << 30, has_triton=True)
ADA = Card((8, 9), 24 << 30, has_triton=True)
HOPPER = Card((9, 0), 80 << 30, has_triton=True)


def allocations(program, card=ADA, phase=MemoryPhase.FORWARD):
    """(what, bytes) of everything that a program allocates."""
    recorder = Recorder(CardKernels(card))
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        as_on(card, recorder, expands_keys=False),
        recorder,
    ):
        recorder.enter_phase(phase)
        program()
    entries = recorder.recording.entries
    return [
        (entries[event.tensor].what, event.size)
        for event in recorder.recording.trace
        if isinstance(event, Allocation)
    ]


def sizes(program, what, card=ADA):
    return [size for name, size in allocations(program, card) if name == what]


def queries(heads, keys, width=64, dtype=torch.bfloat16, rows=512):
    make = torch.empty
    return (
        make(2, heads, rows, width, dtype=dtype, requires_grad=True),
        make(2, keys, rows, width, dtype=dtype, requires_grad=True),
        make(2, keys, rows, width, dtype=dtype, requires_grad=True),
    )


@pytest.mark.parametrize(
    ("card", "dtype", "keys", "masked", "kernel"),
    [
        (ADA, torch.bfloat16, 2, False, Kernel.FLASH),
        (ADA, torch.bfloat16, 8, True, Kernel.EFFICIENT),
        (ADA, torch.float32, 8, False, Kernel.EFFICIENT),
        (ADA, torch.float32, 2, False, Kernel.MATH),
        (TURING, torch.float16, 8, False, Kernel.EFFICIENT),
        (TURING, torch.float16, 2, False, Kernel.MATH),
        (TURING, torch.bfloat16, 8, False, Kernel.MATH),
    ],
)
def test_that_the_attention_kernel_is_the_one_that_torch_picks(
    card, dtype, keys, masked, kernel
):
    query, key, value = queries(8, keys, dtype=dtype)
    mask = torch.ones(2, 1, 512, 512, dtype=torch.bool) if masked else None
    assert kernel_for(card, query, key, value, mask) is kernel


def test_that_flash_attention_sums_query_gradients_in_fp32():
    def program():
        inputs = queries(8, 2)
        functional.scaled_dot_product_attention(
            *inputs, is_causal=True, enable_gqa=True
        ).sum().backward()

    rows = 2 * 8 * 512
    groups = 4 * 2 * 2 * 512 * 64 * 2
    assert sizes(program, ATTENTION)[:4] == [4 * rows, 4 * rows * 64, groups, groups]


def test_that_the_plain_kernel_holds_every_score_in_fp32():
    def program():
        inputs = queries(8, 2, dtype=torch.float16)
        functional.scaled_dot_product_attention(
            *inputs, is_causal=True, enable_gqa=True
        )

    scores = 4 * 2 * 8 * 512 * 512
    assert scores in [size for _, size in allocations(program, TURING)]
    assert scores not in [size for _, size in allocations(program, ADA)]


def test_that_the_softmax_backward_has_a_temporary_of_all_scores():
    def program():
        scores = torch.empty(2, 4, 64, 64, requires_grad=True)
        functional.softmax(scores, dim=-1).sum().backward()

    assert 4 * 2 * 4 * 64 * 64 in sizes(program, ATTENTION)


def test_that_fp16_scores_become_fp32_probabilities_without_a_copy():
    def program():
        scores = torch.empty(2, 4, 64, 64, dtype=torch.float16)
        functional.softmax(scores, dim=-1, dtype=torch.float32)

    entries = 2 * 4 * 64 * 64
    assert [size for _, size in allocations(program)] == [2 * entries, 4 * entries]


def test_that_dropout_keeps_a_mask_of_bytes():
    def program():
        functional.dropout(torch.empty(64, 64), 0.1, training=True)

    assert sorted(size for _, size in allocations(program)) == [4096, 16384, 16384]


def attended_plainly(dropout):
    def program():
        inputs = queries(8, 2, dtype=torch.float16)
        functional.scaled_dot_product_attention(
            *inputs, dropout_p=dropout, is_causal=True, enable_gqa=True
        )

    return allocations(program, TURING)


def test_that_the_plain_kernel_drops_scores_by_a_mask_of_bytes_as_well():
    entries = 2 * 8 * 512 * 512
    more = [size for what, size in attended_plainly(0.1) if what == "native_dropout"]
    assert more == [4 * entries, entries]
    assert len(attended_plainly(0.1)) == len(attended_plainly(0.0)) + 2


def test_that_the_plain_kernel_writes_its_shares_twice():
    entries = 2 * 8 * 512 * 512
    found = [size for what, size in attended_plainly(0.0) if what == ATTENTION]
    assert found == [4 * entries, entries]


def test_that_dropout_outside_a_dry_run_is_as_it_was():
    attended_plainly(0.1)
    dropped = functional.dropout(torch.ones(64, requires_grad=True), 0.5)
    assert type(dropped.grad_fn).__name__ == "MulBackward0"


@pytest.mark.parametrize(("rows", "unpacks"), [(2048, True), (16, False)])
def test_that_a_4_bit_product_of_many_rows_unpacks_the_weight(rows, unpacks):
    def program():
        torch.ops.bitsandbytes.gemm_4bit(
            torch.empty(rows, 256, dtype=torch.bfloat16),
            torch.empty(512 * 128, 1, dtype=torch.uint8),
            [512, 256],
            torch.empty(8),
            64,
            "nf4",
            absmax_8bit=torch.empty(2048, dtype=torch.uint8),
            absmax_code=torch.empty(256),
            absmax_offset=torch.empty(()),
        )

    unpacked = [4 * 2048, 4 * 2048, 512 * 256 * 2]
    assert sizes(program, DEQUANTIZED) == (unpacked if unpacks else [])


@pytest.mark.parametrize(("card", "size"), [(ADA, 8_519_680), (HOPPER, 33_554_432)])
def test_that_each_thread_that_multiplies_gets_one_workspace(card, size):
    recorder = Recorder(CardKernels(card))
    with FakeTensorMode(), recorder:
        for phase in (MemoryPhase.FORWARD, MemoryPhase.BACKWARD, MemoryPhase.FORWARD):
            recorder.enter_phase(phase)
            torch.empty(8, 8) @ torch.empty(8, 8)
    entries = recorder.recording.entries
    held = [
        event.size
        for event in recorder.recording.trace
        if isinstance(event, Allocation) and entries[event.tensor].what == WORKSPACES
    ]
    assert held == [size, size]
