"""What a library says of a card is told apart, whoever hands CUDA's words on."""

import pytest

from studio.domain.card_fault_words import FAULT_WORDS
from studio.domain.card_faults import (
    _ROWS,
    CardFault,
    Told,
    fault_in,
    fault_of_code,
)
from studio.domain.pauses import Cause


@pytest.mark.parametrize(("code", "words", "fault"), _ROWS)
def test_that_a_code_and_its_words_stand_for_the_same(code, words, fault):
    assert fault_of_code(code) is fault
    assert fault_in(f"CUDA error: {words}\nSearch for more.") == Told(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("CUDA driver error: out of memory", CardFault.FULL),
        (
            "Triton Error [CUDA]: an illegal memory access was encountered",
            CardFault.CRASHED,
        ),
        ("Triton Error [CUDA]: device kernel image is invalid", CardFault.UNSUITED),
        (
            "Error unspecified launch failure at line 559 in file /src/csrc/ops.cu",
            CardFault.LOST,
        ),
        (
            "[W] CUDA warning: device-side assert triggered (function destroyEvent)",
            CardFault.ASSERTED,
        ),
        (
            (
                "Caught AcceleratorError in pin memory thread for device 0.\n"
                "Original Traceback (most recent call last):\n"
                "torch.AcceleratorError: CUDA error: device-side assert triggered\n"
            ),
            CardFault.ASSERTED,
        ),
    ],
)
def test_that_cuda_s_words_are_known_whoever_hands_them_on(text, fault):
    assert fault_in(text) == Told(fault)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            (
                "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx("
                " handle, opa, opb, m, n, k)`"
            ),
            CardFault.CRASHED,
        ),
        (
            (
                "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling "
                "`cublasCreate(handle)`"
            ),
            CardFault.FULL,
        ),
        (
            (
                "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling "
                "`cublasCreate(handle)`"
            ),
            CardFault.FULL,
        ),
        ("CUDA error: CUBLAS_STATUS_ARCH_MISMATCH when …", CardFault.UNSUITED),
        ("CUDA error: CUBLAS_STATUS_INVALID_VALUE when …", CardFault.MISUSED),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", CardFault.CRASHED),
        (
            "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
            CardFault.FULL,
        ),
        ("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error …", CardFault.MISUSED),
        (
            "cusolver error: CUSOLVER_STATUS_INTERNAL_ERROR, when calling `…`. ",
            CardFault.CRASHED,
        ),
        ("cublasLt ran into an error!\n\tshapeA=(1, 2)", CardFault.CRASHED),
    ],
)
def test_that_what_a_library_says_of_a_card_is_a_symptom(text, fault):
    assert fault_in(text) == Told(fault, is_symptom=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
        "an illegal memory access was encountered",  # nobody who would know says it
        "Error reading the file at line 3",
        "CUDA error: what no version of it says",
        "KeyError: 'unknown error'",
    ],
)
def test_that_other_words_say_nothing_of_a_card(text):
    assert fault_in(text) is None


def test_that_a_code_that_was_never_met_stands_for_nothing():
    assert fault_of_code(12345) is None


def test_that_nothing_is_read_where_the_context_is_broken_or_the_card_gone():
    assert {fault for fault in CardFault if fault.leaves_memory} == {
        CardFault.FULL,
        CardFault.UNSUITED,
        CardFault.OUTDATED,
        CardFault.MISUSED,
    }


def test_that_what_may_pass_is_told_as_a_pause_and_nothing_else_is():
    pauses = {cause.value for cause in Cause}
    for fault, words in FAULT_WORDS.items():
        assert (words.kind in pauses) is fault.may_pass
    assert set(CardFault) - set(FAULT_WORDS) == {CardFault.FULL, CardFault.MISUSED}
