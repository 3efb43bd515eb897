"""What may be said of a difference, and which answers count as the same."""

import pytest

from studio.domain.dataset import Kind
from studio.domain.evaluation import (
    BASE,
    TUNED,
    Change,
    Compared,
    Evaluation,
    Figure,
    Measure,
    Said,
    Terms,
    Verdict,
    Voice,
    normalised,
    spread,
)
from studio.services.evaluations import figures_document, summary

TERMS = Terms(max_new_tokens=8, lowercase=False)


def evaluation(**figures):
    """One of twenty inputs, with base and tuned figures by measure."""
    voices = [
        Voice(name, name.title(), {Measure(m): pair[at] for m, pair in figures.items()})
        for at, name in enumerate((BASE, TUNED))
    ]
    return Evaluation(
        name="held-out",
        run="run-1",
        data="",
        kind=Kind.CHAT,
        inputs=20,
        of_inputs=20,
        rows=20,
        voices=tuple(voices),
        compared=(),
        findings=(),
        terms=TERMS,
        when=0.0,
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Aye, a fine Brie.", "aye,  a fine\nbrie"),
        ("“Paris”", "paris!"),
        ("ﬁne", "fine"),
        ("Straße", "STRASSE"),
        ("42.", "42"),
    ],
)
def test_that_capitals_spaces_and_outer_punctuation_make_no_other_answer(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"), [("3.14", "314"), ("a, b", "a b"), ("-1", "+1"), ("C", "C++")]
)
def test_that_what_lies_within_an_answer_counts(one, other):
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(
    ("count", "wanted", "places"),
    [
        (10, 0, list(range(10))),
        (3, 5, [0, 1, 2]),
        (10, 5, [0, 2, 4, 6, 8]),
        (7, 3, [0, 2, 4]),
        (5, 1, [0]),
    ],
)
def test_that_chosen_inputs_lie_evenly_over_all(count, wanted, places):
    assert list(spread(count, wanted)) == places


@pytest.mark.parametrize(
    ("measure", "low", "high", "verdict"),
    [
        (Measure.BLEU, 1.0, 3.0, Verdict.BETTER),
        (Measure.BLEU, -3.0, -1.0, Verdict.WORSE),
        (Measure.LOSS, 1.0, 3.0, Verdict.WORSE),
        (Measure.PERPLEXITY, -3.0, -1.0, Verdict.BETTER),
        (Measure.ROUGE_L, -0.1, 3.0, Verdict.NO_DIFFERENCE),
        (Measure.EXACT, 0.0, 0.0, Verdict.NO_DIFFERENCE),
        (Measure.EXACT, None, None, Verdict.TOO_FEW),
    ],
)
def test_that_better_is_said_only_where_the_interval_leaves_out_zero(
    measure, low, high, verdict
):
    assert Change(1.0, low, high).verdict(measure) is verdict


@pytest.mark.parametrize(
    ("measure", "change", "words"),
    [
        (
            Measure.EXACT,
            Change(0.125, 0.05, 0.2),
            "+12.5 (+5.0 to +20.0) points",
        ),
        (Measure.BLEU, Change(-3.21, -4.0, -2.0), "−3.2 (−4.0 to −2.0)"),
        (Measure.LOSS, Change(-0.5), "−0.500"),
        (Measure.EXACT, Change(-0.25), "−25.0 points"),
        (Measure.LOSS, Change(0.0, -0.0001, 0.5), "0.000 (0.000 to +0.500)"),
    ],
)
def test_that_a_difference_is_read_with_its_sign_and_unit(measure, change, words):
    assert change.interval(measure) == words


@pytest.mark.parametrize(
    ("measure", "value", "said"),
    [
        (Measure.PERPLEXITY, 3.2514, "3.251"),
        (Measure.PERPLEXITY, 203.942, "203.9"),
        (Measure.PERPLEXITY, -156.462, "−156.5"),
        (Measure.LOSS, 12.3456, "12.346"),
    ],
)
def test_that_a_high_perplexity_has_one_decimal(measure, value, said):
    assert measure.shown(value) == said


def test_that_a_missing_figure_is_a_dash():
    assert Measure.BLEU.shown(None) == "–"


@pytest.mark.parametrize(
    ("base", "tuned", "gain"),
    [
        (Said(text="a", rouge_l=0.25), Said(text="b", rouge_l=0.75), 0.5),
        (Said(margin=-1.0), Said(margin=2.0), 3.0),
        (Said(loss=3.0), Said(loss=1.0), 2.0),
        (Said(), Said(), 0.0),
    ],
)
def test_that_an_input_tells_by_how_much_the_two_differ(base, tuned, gain):
    row = Compared(
        prompt="?", references=("a",), lines=(1,), said={BASE: base, TUNED: tuned}
    )
    assert row.gain() == gain


def test_that_the_summary_says_what_tells_most():
    loss = (Figure(3.0), Figure(2.0, Change(-1.0, -2.0, -0.5)))
    bleu = (Figure(10.0), Figure(12.0, Change(2.0, -1.0, 5.0)))
    assert summary(evaluation(loss=loss)) == "Loss 3.000 → 2.000, better"
    both = evaluation(loss=loss, bleu=bleu)
    assert summary(both) == "BLEU 10.0 → 12.0, no difference shown"
    assert figures_document(both) == {
        "loss": {"base": 3.0, "tuned": 2.0},
        "bleu": {"base": 10.0, "tuned": 12.0},
    }
