"""Every fault has its word and its exit code."""

import pytest
import torch

from studio.domain.errors import ExitCode, refusal
from studio.engine.failures import put_into_words


@pytest.mark.parametrize(
    ("fault", "kind", "code", "foreseen"),
    [
        (refusal("data.empty", "Empty."), "data.empty", ExitCode.BAD_INPUT, True),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
            "out-of-memory",
            ExitCode.OUT_OF_MEMORY,
            False,
        ),
        (MemoryError(), "out-of-memory", ExitCode.OUT_OF_MEMORY, False),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            "out-of-memory",
            ExitCode.OUT_OF_MEMORY,
            False,
        ),
        (
            torch.AcceleratorError("CUDA error: unknown error\nSearch for more."),
            "card.lost",
            ExitCode.FAILED,
            False,
        ),
        (RuntimeError("CUDA error: unknown error"), "card.lost", 1, False),
        (RuntimeError("shapes cannot be multiplied"), "internal", 1, False),
        (ImportError("No module named 'peft'"), "engine.library", 1, False),
        (ZeroDivisionError("division by zero"), "internal", ExitCode.FAILED, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_that_a_fault_has_its_kind_and_exit_code(fault, kind, code, foreseen):
    failure = put_into_words(fault)
    assert failure.word.kind == kind
    assert failure.exit_code == code
    assert failure.is_foreseen is foreseen
    assert failure.word.message.endswith(".")


def test_that_too_little_memory_is_answered_with_options_of_the_recipe():
    advice = put_into_words(torch.OutOfMemoryError("full")).word.advice
    for key in ("train.micro_batch", "train.checkpointing", "model.precision"):
        assert key in advice


def test_that_a_refusal_keeps_its_place_and_its_remedy():
    fault = refusal("x", "Wrong.", why="So.", fix="Mend it.", where="file, line 3")
    word = put_into_words(fault).word
    assert word.message == "file, line 3: Wrong. So."
    assert word.advice == "Mend it."


def test_that_an_unknown_fault_names_itself_and_the_log():
    word = put_into_words(ZeroDivisionError("division by zero")).word
    assert "ZeroDivisionError: division by zero" in word.message
    assert "log" in word.advice
