"""Scores of answers, and how sure their differences are."""

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from studio.domain.evaluation import FEWEST, Measure, Verdict
from studio.engine.evaluating.intervals import figures_of
from studio.engine.evaluating.scores import AnyScript, Scores

SAID = [
    "The Eagle is a cheap coffee shop.",
    "the cricketers serves Fast food near the river",
    "",
    "One two three four five six.",
]
REFERENCES = [
    ["The Eagle is a coffee shop. It is cheap.", "A cheap coffee shop: The Eagle."],
    ["The Cricketers serves fast food by the river."],
    ["Nothing was said."],
    ["One two three four five six.", "Six.", "Five six"],
]


def refuse(_):
    raise AssertionError


def share(rows):
    return {Measure.EXACT: [[float(row), 1.0] for row in rows]}


def change(ours, base, measure=Measure.EXACT):
    return figures_of(ours, base, refuse)[measure].change


@pytest.mark.parametrize("lowercase", [False, True])
def test_that_counts_add_up_to_sacrebleus_own_corpus_score(lowercase):
    scores = Scores(lowercase=lowercase)
    counts = [
        scores.bleu_counts(said, references)
        for said, references in zip(SAID, REFERENCES, strict=True)
    ]
    streams = [
        [refs[at] if at < len(refs) else None for refs in REFERENCES] for at in range(3)
    ]
    whole = sacrebleu.corpus_bleu(SAID, streams, lowercase=lowercase)
    summed = [sum(each) for each in zip(*counts, strict=True)]
    assert scores.bleu(summed) == pytest.approx(whole.score, abs=1e-9)
    assert 10 < whole.score < 100


def test_that_the_signature_says_how_bleu_was_taken():
    assert "nrefs:var|case:mixed" in Scores(lowercase=False).signature(REFERENCES)
    assert "nrefs:1|case:lc" in Scores(lowercase=True).signature([["a"], ["b"]])


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_that_english_has_the_words_that_rouge_score_sees(text):
    assert AnyScript().tokenize(text) == DefaultTokenizer().tokenize(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ένα φτηνό καφέ.", ["ένα", "φτηνό", "καφέ"]),
        ("Ein Café für Öl", ["ein", "café", "für", "öl"]),
        ("我爱北京。", ["我", "爱", "北", "京"]),
        ("東京タワーへ3回", ["東", "京", "タ", "ワ", "ー", "へ", "3", "回"]),
        ("don't_stop", ["don", "t", "stop"]),
    ],
)
def test_that_every_script_has_words(text, words):
    assert AnyScript().tokenize(text) == words


def test_that_rouge_l_is_of_the_closest_reference():
    scores = Scores(lowercase=False)
    assert scores.rouge_l("Ένα καφέ", ["τίποτα", "ένα φτηνό καφέ"]) == pytest.approx(
        0.8
    )
    assert scores.rouge_l("", ["a"]) == 0.0
    assert scores.rouge_l("…", ["…"]) == 0.0


def test_that_an_exact_answer_matches_any_reference():
    scores = Scores(lowercase=False)
    assert scores.is_exact("SIX", REFERENCES[3])
    assert not scores.is_exact("seven", REFERENCES[3])


def test_that_the_same_answers_show_no_difference():
    rows = share([1, 0] * 20)
    found = change(rows, rows)
    assert (found.difference, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.verdict(Measure.EXACT) is Verdict.NO_DIFFERENCE


def test_that_too_few_inputs_have_no_interval():
    few = FEWEST - 1
    found = change(share([1] * few), share([0] * few))
    assert found.difference == 1.0
    assert found.low is None
    enough = change(share([1] * FEWEST), share([0] * FEWEST))
    assert (enough.low, enough.high) == (1.0, 1.0)


def test_that_an_interval_is_the_same_every_time():
    ours, base = share([1, 0, 1] * 20), share([0, 0, 1] * 20)
    assert change(ours, base) == change(ours, base)


def test_that_losses_weigh_by_their_tokens():
    ours = {Measure.LOSS: [[10.0, 10.0], [0.0, 30.0]]}
    base = {Measure.LOSS: [[20.0, 10.0], [20.0, 30.0]]}
    found = figures_of(ours, base, refuse)[Measure.LOSS]
    assert found.value == 0.25
    assert found.change.difference == -0.75


@pytest.mark.parametrize("sums", [[[0.0, 0.0]], [[float("inf"), 3.0]]])
def test_that_what_is_no_number_is_no_figure(sums):
    found = figures_of({Measure.LOSS: sums}, {Measure.LOSS: sums}, refuse)
    assert found[Measure.LOSS].value is None
    assert found[Measure.LOSS].change is None


def test_that_what_both_find_hard_doesnt_widen_the_interval():
    chance = np.random.default_rng(0)
    hardness = chance.normal(0, 10, 200)
    base = {Measure.LOSS: [[float(h), 1.0] for h in hardness]}
    ours = {Measure.LOSS: [[float(h) - 0.5, 1.0] for h in hardness]}
    found = change(ours, base, Measure.LOSS)
    assert found.high - found.low < 1e-6
    assert found.verdict(Measure.LOSS) is Verdict.BETTER


def test_that_intervals_hold_the_true_difference_about_as_often_as_they_claim():
    chance = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        base = chance.random(FEWEST) < 0.3
        ours = np.where(chance.random(FEWEST) < 0.5, base, chance.random(FEWEST) < 0.7)
        found = change(share(ours), share(base))
        # Half of them are drawn anew with 0.7, the others stay as they are.
        hits += found.low <= 0.2 <= found.high
    assert hits >= 0.88 * 200
