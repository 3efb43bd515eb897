from pathlib import Path

import pytest

from studio.domain.errors import ExitCode
from studio.protocol.answer_events import Generated
from studio.protocol.events import (
    Diagnosed,
    LogLine,
    RunFailed,
    RunFinished,
)
from studio.protocol.export_events import Merged
from studio.services.process_outcome import (
    Ordered,
    ProcessOutcome,
    is_last_word,
    last_line_of,
)

FINISHED = RunFinished(adapter="adapter", steps=40)
FAILED = RunFailed(kind="data.empty", message="No rows.", advice="Add some.")


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (ProcessOutcome(exit_code=0, last_word=FINISHED), "Finished after 40 steps."),
        (
            ProcessOutcome(
                exit_code=0,
                last_word=RunFinished(adapter="adapter", steps=1200, stopped=True),
            ),
            "Stopped after step 1,200.",
        ),
        (
            ProcessOutcome(
                last_word=RunFinished(
                    adapter="adapter", steps=120, waited=3, saved_step=90
                )
            ),
            (
                "Stopped at step 120: no better held-out loss in 3 measurements; the "
                "best, of step 90, is what was saved."
            ),
        ),
        (
            ProcessOutcome(last_word=RunFinished(adapter="", steps=12, waited=1)),
            "Stopped at step 12: no better held-out loss in 1 measurement.",
        ),
        (
            ProcessOutcome(last_word=RunFinished(adapter="", steps=1, saved_step=0)),
            "Finished after 1 step.",
        ),
        (
            ProcessOutcome(last_word=RunFinished(adapter="", steps=40, saved_step=8)),
            "Finished after 40 steps; the best, of step 8, is what was saved.",
        ),
        (ProcessOutcome(exit_code=10, last_word=FAILED), "No rows."),
        (
            ProcessOutcome(exit_code=-9, saved_step=200),
            (
                "The training process ended without a word (signal 9). "
                "Saved up to step 200."
            ),
        ),
        (
            ProcessOutcome(exit_code=1),
            (
                "The training process ended without a word (exit code 1). "
                "Nothing was saved yet."
            ),
        ),
        (
            ProcessOutcome(exit_code=-9, ordered=Ordered.KILL, saved_step=3),
            "The training process was ended by force. Saved up to step 3.",
        ),
        (
            ProcessOutcome(exit_code=-15, ordered=Ordered.TERMINATE),
            "The training process was ended by force. Nothing was saved yet.",
        ),
        (
            ProcessOutcome(ordered=Ordered.LET_GO),
            "Training goes on without the window.",
        ),
        (
            ProcessOutcome(fault="no such program"),
            "The training process could not be followed: no such program.",
        ),
        (
            ProcessOutcome(last_word=Merged(path="/m", dtype="bf16", size_bytes=1)),
            "Done.",
        ),
    ],
)
def test_that_an_exit_is_a_sentence(outcome, sentence):
    assert outcome.sentence() == sentence


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (-9, "memory ran out"),
        (-11, "SIGSEGV"),
        (-6, "SIGABRT"),
        (-4, "another processor"),
        (-15, "Another program"),
        (ExitCode.ORPHANED, "was gone"),
        (1, "KeyError: 'text'"),
        (-40, "KeyError: 'text'"),
    ],
)
def test_that_the_cause_is_told_as_far_as_it_is_known(code, cause):
    finding = ProcessOutcome(exit_code=code, log_tail="KeyError: 'text'").finding()
    assert finding is not None
    assert cause in finding.why


def test_that_a_library_that_ends_the_process_for_its_card_is_understood():
    tail = "Error unspecified launch failure at line 559 in file /src/csrc/ops.cu"
    ended = ProcessOutcome(exit_code=1, log_tail=tail, log_path=Path("log.txt"))
    finding = ended.finding()
    assert finding is not None
    assert finding.why == (
        f"The card stopped answering. Its last words in the log: {tail}"
    )
    assert finding.how_to_fix == (
        "Go on with the run; if that fails, restart the machine first. Its log may say "
        "more."
    )


@pytest.mark.parametrize("code", [-9, ExitCode.ORPHANED, None])
def test_that_a_card_s_fault_in_the_log_explains_no_other_end(code):
    tail = "Error unspecified launch failure at line 559 in file /src/csrc/ops.cu"
    finding = ProcessOutcome(exit_code=code, log_tail=tail).finding()
    assert finding is not None
    assert "card stopped" not in finding.why
    assert not finding.how_to_fix


def test_that_a_crash_after_the_result_is_no_failure():
    outcome = ProcessOutcome(exit_code=-11, last_word=FINISHED)
    assert outcome.succeeded
    assert outcome.finding() is None


def test_that_the_engines_own_words_are_kept():
    finding = ProcessOutcome(exit_code=10, last_word=FAILED).finding()
    assert finding is not None
    assert (finding.code, finding.how_to_fix) == ("data.empty", "Add some.")


def test_that_a_run_that_was_let_go_has_not_failed():
    assert ProcessOutcome(ordered=Ordered.LET_GO).finding() is None


def test_that_the_log_is_named_when_there_is_one(tmp_path):
    finding = ProcessOutcome(exit_code=1, log_path=tmp_path / "log.txt").finding()
    assert finding is not None
    assert finding.where == str(tmp_path / "log.txt")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", ""),
        (b"one\ntwo\n\n  \n", "two"),
        (b"x\n" * 100_000 + b"last", "last"),
        (b"caf\xe9\n", "caf\ufffd"),
    ],
)
def test_that_the_last_line_with_text_is_found(tmp_path, content, line):
    (tmp_path / "log.txt").write_bytes(content)
    assert last_line_of(tmp_path / "log.txt") == line
    assert last_line_of(tmp_path / "none.txt") == ""


def test_that_results_are_last_words_and_remarks_are_not():
    results = [
        FINISHED,
        FAILED,
        Generated(prompt="a", text="b"),
        Diagnosed(check="torch", passed=True, detail=""),
    ]
    assert all(map(is_last_word, results))
    assert not is_last_word(LogLine(level="info", text="x"))
