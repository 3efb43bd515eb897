"""The words of evaluations in the window."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.domain.evaluation import (
    BASE,
    TUNED,
    Compared,
    Figure,
    Measure,
    Said,
    Seen,
)
from studio.protocol.events import PhaseChanged, Progress
from studio.ui.pages.evaluation.view_model import (
    EvaluationOrder,
    Sorting,
    about,
    going_on,
    input_rows,
    is_judged,
    measure_rows,
    reference_words,
    said_words,
    score_words,
)
from studio.ui.tokens import Tone
from tests.unit.test_domain_evaluation import evaluation

LOSS = (Figure(3.0), Figure(None))
JUDGED = (Figure(0.5), Figure(0.9))


def of(base, tuned, **more):
    told = {"prompt": "Why?\nSo?", "references": ("a", "b"), "lines": (1,)}
    return Compared(**told, said={BASE: base, TUNED: tuned}, **more)


def test_that_an_order_becomes_the_engines_arguments():
    order = EvaluationOrder(run=Path("/runs/one"), data=" rows.csv ", rows=5)
    assert order.arguments() == [
        *("/runs/one", "--data", "rows.csv"),
        *("--rows", "5", "--max-new-tokens", "128"),
    ]


def test_that_a_figure_that_is_missing_is_a_dash_and_not_judged():
    (row,) = measure_rows(evaluation(loss=LOSS))
    assert (row.base, row.tuned, row.change) == ("3.000", "–", "–")
    assert row.mark.words == "Too few rows to tell"
    assert row.help == Measure.LOSS.help


def test_that_judgements_show_both_answers_and_margins():
    pair = of(Said(margin=0.0), Said(margin=-1.25))
    told = replace(evaluation(judged=JUDGED), compared=(pair,))
    assert is_judged(told)
    assert reference_words(pair, is_judged=True) == "Better: a\n\nWorse: b"
    assert said_words(pair.said[TUNED]) == "−1.25 nats for the better answer"
    (row,) = input_rows(told, Sorting.LOST)
    assert (row.base, row.tuned, row.gain) == ("0 nats", "−1.25 nats", "−1.25")
    assert row.tone is Tone.DANGER


def test_that_losses_alone_are_told_so():
    text = of(Said(loss=3.0), Said(loss=2.0), seen=Seen.QUESTION)
    told = replace(evaluation(loss=LOSS), compared=(text,))
    (row,) = input_rows(told, Sorting.GAINED)
    assert (row.base, row.tuned, row.gain) == ("3.000 nats", "2.000 nats", "+1.00")
    assert (row.asked, row.seen) == ("Why? So?", "question trained on")
    assert row.tone is Tone.SUCCESS
    assert said_words(text.said[BASE]) == "Not asked; its loss is 3.000 nats a token."
    assert score_words(text.said[BASE]) == ""
    assert reference_words(text, is_judged=False) == "a\n\nb"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "On its own held-out rows: 20 inputs"),
        ({"data": "/data/rows.csv", "of_inputs": 90}, "On rows.csv: 20 of 90 inputs"),
        ({"inputs": 1, "of_inputs": 1}, "On its own held-out rows: 1 input"),
    ],
)
def test_that_it_says_on_what_it_was_measured(changes, words):
    assert about(replace(evaluation(loss=LOSS), **changes)) == words


def test_that_progress_is_told_in_words():
    assert going_on(PhaseChanged(phase="evaluating"))[1] == -1.0
    told = Progress(stage="Base: answers", done=1, total=4, unit="answers")
    assert going_on(told) == ("Base: answers: 1 of 4 answers", 0.25)
