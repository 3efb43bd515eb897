"""A fault of a card says what happened; only what may pass pauses a run."""

import threading

import pytest
import torch

from studio.domain.card_faults import CardFault
from studio.domain.errors import ExitCode
from studio.engine import card_faults
from studio.engine.card_faults import card_fault
from studio.engine.failures import is_out_of_memory, put_into_words
from studio.engine.pausing import is_pause, keep

CREATING = "when calling `cublasCreate(handle)`"
MULTIPLYING = (
    "when calling `cublasGemmEx( handle, opa, opb, m, n, k, alpha_ptr, a, CUDA_R_16BF, "
    "lda, b, CUDA_R_16BF, ldb, beta_ptr, c, std::is_same_v<C_Dtype, float>)`"
)


def of_torch(words, code, name="cudaErrorX"):
    """As torch makes one: its words, then its code from outside."""
    fault = torch.AcceleratorError(
        f"CUDA error: {words}\nSearch for `{name}' in the documents.\n"
        "CUDA kernel errors might be asynchronously reported at some other API call, "
        "so the stacktrace below might be incorrect.\n"
    )
    fault.error_code = code
    return fault


@pytest.mark.parametrize(
    ("fault", "kind", "pauses", "words"),
    [
        (
            of_torch("unspecified launch failure", 719),
            "card.lost",
            True,
            "The card stopped answering: CUDA error: unspecified launch failure.",
        ),
        (
            of_torch("uncorrectable ECC error encountered", 214),
            "card.lost",
            True,
            (
                "The card stopped answering: CUDA error: uncorrectable ECC error "
                "encountered."
            ),
        ),
        (
            of_torch("a word of a later CUDA", 1234),
            "card.lost",
            True,
            "The card stopped answering: CUDA error: a word of a later CUDA.",
        ),
        (
            of_torch("CUDA-capable device(s) is/are busy or unavailable", 46),
            "card.busy",
            True,
            (
                "The card could not be had: CUDA error: CUDA-capable device(s) is/are "
                "busy or unavailable."
            ),
        ),
        (
            of_torch("an illegal memory access was encountered", 700),
            "card.crashed",
            True,
            (
                "A computation crashed on the card: CUDA error: an illegal memory "
                "access was encountered."
            ),
        ),
        (
            RuntimeError(f"CUDA error: CUBLAS_STATUS_EXECUTION_FAILED {MULTIPLYING}"),
            "card.crashed",
            True,
            (
                "A computation crashed on the card: CUDA error: "
                "CUBLAS_STATUS_EXECUTION_FAILED."
            ),
        ),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
            "card.crashed",
            True,
            (
                "A computation crashed on the card: cuDNN error: "
                "CUDNN_STATUS_EXECUTION_FAILED."
            ),
        ),
        (
            of_torch("device-side assert triggered", 710),
            "card.index",
            False,
            (
                "A computation on the card refused a number that is out of its range: "
                "CUDA error: device-side assert triggered. Usually it is a token's "
                "number beyond the model's table of embeddings. Going on would meet it "
                "again."
            ),
        ),
        (
            of_torch("no kernel image is available for execution on the device", 209),
            "card.unsuited",
            False,
            (
                "There is no code here for this card's architecture: CUDA error: no "
                "kernel image is available for execution on the device. The installed "
                f"build is torch {torch.__version__}."
            ),
        ),
        (
            of_torch(
                "system has unsupported display driver / cuda driver combination", 803
            ),
            "card.driver",
            False,
            (
                "The card's driver doesn't go with the installed build of torch: CUDA "
                "error: system has unsupported display driver / cuda driver "
                "combination."
            ),
        ),
        (
            of_torch("invalid argument", 1),
            "internal",
            False,
            (
                "The engine met a fault it doesn't know (AcceleratorError: CUDA error: "
                "invalid argument)."
            ),
        ),
        (
            RuntimeError(f"CUDA error: CUBLAS_STATUS_INVALID_VALUE {CREATING}"),
            "internal",
            False,
            (
                "The engine met a fault it doesn't know (RuntimeError: CUDA error: "
                "CUBLAS_STATUS_INVALID_VALUE when calling `cublasCreate(handle)`)."
            ),
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, Exception) else "",
)
def test_that_a_card_s_fault_has_its_words_and_pauses_where_it_may_pass(
    fault, kind, pauses, words
):
    failure = put_into_words(fault)
    assert (failure.word.kind, failure.word.message) == (kind, words)
    assert failure.exit_code is ExitCode.FAILED
    assert not failure.is_foreseen  # the log gets the traceback
    assert is_pause(fault) is pauses
    assert not is_out_of_memory(fault)


@pytest.mark.parametrize(
    "fault",
    [
        of_torch("out of memory", 2),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError(f"CUDA error: CUBLAS_STATUS_ALLOC_FAILED {CREATING}"),
        RuntimeError(f"CUDA error: CUBLAS_STATUS_NOT_INITIALIZED {CREATING}"),
    ],
    ids=lambda fault: str(fault)[:40],
)
def test_that_memory_that_a_card_refuses_is_no_lost_card(fault):
    failure = put_into_words(fault)
    assert failure.word.kind == "out-of-memory"
    assert failure.exit_code is ExitCode.OUT_OF_MEMORY
    assert is_pause(fault)
    assert is_out_of_memory(fault)
    assert card_fault(fault).leaves_memory


def test_that_the_code_counts_where_the_words_say_something_else():
    fault = of_torch("unknown error", 710)
    assert card_fault(fault) is CardFault.ASSERTED


def test_that_an_error_made_anew_from_its_words_is_known_by_them():
    words = "CUDA error: device-side assert triggered"
    fault = torch.AcceleratorError(f"Caught AcceleratorError in a thread.\n{words}\n")
    assert card_fault(fault) is CardFault.ASSERTED
    assert card_fault(torch.AcceleratorError("")) is CardFault.LOST


@pytest.mark.parametrize(
    "fault",
    [
        ValueError("CUDA error: unknown error"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
    ],
)
def test_that_other_faults_are_none_of_a_card(fault):
    assert card_fault(fault) is None
    assert not is_pause(fault)


@pytest.mark.parametrize(
    ("advice", "code"),
    [
        ("restart the machine", 999),
        ("wait", 46),
        ("at the same step again", 700),
        ("tokenizer belongs to the model", 710),
        ("python3 installer/start.py", 209),
        ("Update the NVIDIA driver", 803),
    ],
)
def test_that_each_fault_says_what_to_do(advice, code):
    said = put_into_words(of_torch("said", code)).word.advice
    assert advice in said
    assert ("Go on with the run" in said or "go on with the run" in said) is (
        code in {999, 46, 700}
    )


def test_that_a_build_without_the_card_s_code_is_told_with_both(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80"])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (6, 1))
    said = put_into_words(of_torch("invalid device function", 98)).word.message
    assert "is built for sm_75, sm_80; the card is sm_61." in said


@pytest.fixture
def answers(monkeypatch):
    """Let a card answer a question for its free memory; counts the questions."""
    asked = []

    def play(answer):
        def mem_get_info(device):
            asked.append(device)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
        return asked

    return play


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (of_torch("device-side assert triggered", 710), "card.index"),
        (of_torch("unknown error", 999), "card.lost"),
        (of_torch("an illegal memory access was encountered", 700), "card.crashed"),
    ],
    ids=["asserted", "lost", "crashed"],
)
@pytest.mark.parametrize(
    "status", ["EXECUTION_FAILED", "NOT_INITIALIZED", "ALLOC_FAILED", "INVALID_VALUE"]
)
def test_that_behind_a_library_s_status_the_card_s_own_fault_counts(
    status, answer, kind, answers
):
    answers(answer)
    fault = RuntimeError(f"CUDA error: CUBLAS_STATUS_{status} {CREATING}")
    assert put_into_words(fault).word.kind == kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [("NOT_INITIALIZED", "out-of-memory"), ("EXECUTION_FAILED", "card.crashed")],
)
def test_that_a_status_counts_where_the_card_is_well(status, kind, answers):
    asked = answers((1 << 20, 1 << 33))
    fault = RuntimeError(f"CUDA error: CUBLAS_STATUS_{status} {CREATING}")
    assert put_into_words(fault).word.kind == kind
    assert is_pause(fault)
    assert asked == [0]  # once, however often it is wanted


def test_that_only_a_symptom_makes_anybody_ask(answers):
    asked = answers((0, 0))
    put_into_words(of_torch("unknown error", 999))
    put_into_words(torch.OutOfMemoryError("CUDA out of memory."))
    assert not asked


def test_that_a_card_that_never_answers_is_lost(monkeypatch):
    monkeypatch.setattr(card_faults, "PATIENCE_S", 0.01)
    hangs, came = threading.Event(), threading.Event()

    def mem_get_info(_):
        hangs.wait()
        came.set()
        return 0, 0

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
    fault = RuntimeError(f"CUDA error: CUBLAS_STATUS_EXECUTION_FAILED {MULTIPLYING}")
    try:
        assert card_fault(fault) is CardFault.LOST
    finally:
        hangs.set()
        assert came.wait(10)


class Run:
    """Of a run, what keeping asks for; saving is noted."""

    def __init__(self):
        self.keeper, self.whole_step, self.saved = self, 7, []

    def save(self, step):
        self.saved.append(step)

    def whole(self):
        raise RuntimeError("nothing more of it is played")


@pytest.mark.parametrize(
    ("fault", "saved"),
    [
        (of_torch("out of memory", 2), [7]),
        (RuntimeError(f"CUDA error: CUBLAS_STATUS_ALLOC_FAILED {CREATING}"), [7]),
        (of_torch("unknown error", 999), []),
        (of_torch("an illegal memory access was encountered", 700), []),
        (of_torch("device-side assert triggered", 710), []),
        (of_torch("CUDA-capable device(s) is/are busy or unavailable", 46), []),
        (RuntimeError(f"CUDA error: CUBLAS_STATUS_EXECUTION_FAILED {MULTIPLYING}"), []),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), []),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, Exception) else "",
)
def test_that_nothing_is_read_back_from_a_broken_context(fault, saved):
    run = Run()
    run.session = None
    keep(run, fault)
    assert run.saved == saved
