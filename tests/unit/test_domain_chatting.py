"""Voices, sampling, and what is kept of a talk."""

import pytest

from studio.domain.chatting import (
    Answer,
    Conversation,
    Ended,
    Round,
    Sampling,
    Voice,
    VoiceKind,
    default_voices,
)
from studio.domain.errors import StudioError

BASE, ADAPTER = Voice(VoiceKind.BASE), Voice(VoiceKind.ADAPTER)


@pytest.mark.parametrize(
    ("word", "voice", "title"),
    [
        ("base", BASE, "Base"),
        ("adapter", ADAPTER, "Adapter"),
        ("model", Voice(VoiceKind.MODEL), "Model"),
        ("merged", Voice(VoiceKind.MERGED), "Merged model"),
        ("few-shot-1", Voice(VoiceKind.FEW_SHOT, 1), "Base with 1 example"),
        ("few-shot-8", Voice(VoiceKind.FEW_SHOT, 8), "Base with 8 examples"),
        ("checkpoint-1200", Voice(VoiceKind.CHECKPOINT, 1200), "Step 1,200"),
    ],
)
def test_that_a_voice_is_found_by_its_word_and_says_it(word, voice, title):
    assert Voice.of(word) == voice
    assert voice.word == word
    assert voice.title == title


def test_that_few_shot_without_a_number_takes_three_examples():
    assert Voice.of("few-shot") == Voice(VoiceKind.FEW_SHOT, 3)


@pytest.mark.parametrize(
    "word",
    ["", "Base", "checkpoint", "checkpoint-", "few-shot-0", "few-shot-65", "base-1"],
)
def test_that_other_words_are_refused(word):
    with pytest.raises(StudioError, match="is no voice"):
        Voice.of(word)


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["base", "few-shot", "adapter", "checkpoint-4"], ["base", "adapter"]),
        (["base", "checkpoint-4", "checkpoint-12"], ["base", "checkpoint-12"]),
        (["base", "few-shot", "model", "checkpoint-4"], ["base", "model"]),
        (["base", "few-shot"], ["base"]),
        (["model"], ["model"]),
    ],
)
def test_that_the_base_and_the_furthest_trained_speak_first(words, chosen):
    found = default_voices([Voice.of(word) for word in words])
    assert [voice.word for voice in found] == chosen


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"top_p": 0.0},
        {"top_k": -1},
        {"repetition_penalty": 0.0},
        {"max_new_tokens": 0},
        {"seed": -1},
        {"temperature": float("nan")},
    ],
)
def test_that_a_setting_out_of_bounds_is_refused_by_its_name(wrong):
    with pytest.raises(StudioError) as refused:
        Sampling(**wrong).check()
    assert refused.value.finding.where in wrong


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        (Sampling(), "Greedy, at most 512 tokens"),
        (
            Sampling(temperature=0.7, top_p=0.9, top_k=40, seed=3, max_new_tokens=64),
            "Temperature 0.7, top-p 0.9, top-k 40, seed 3, at most 64 tokens",
        ),
        (
            Sampling(repetition_penalty=1.1),
            "Greedy, repetition penalty 1.1, at most 512 tokens",
        ),
    ],
)
def test_that_settings_are_told_in_a_line(sampling, words):
    assert sampling.in_words() == words


def a_talk():
    talk = Conversation("run-1", "Be brief.")
    first = {BASE: Answer("Feta.", 2), ADAPTER: Answer("Brie.", 2, Ended.LENGTH)}
    talk = talk.with_round(Round("Which?", first, Sampling()))
    second = {BASE: Answer("", refusal="Too long."), ADAPTER: Answer("Aye.", 1)}
    return talk.with_round(Round("Sure?\nReally?", second, Sampling(temperature=1.0)))


def test_that_a_voice_hears_its_own_answers_alone():
    assert a_talk().turns(ADAPTER, "Why?") == [
        ("system", "Be brief."),
        ("user", "Which?"),
        ("assistant", "Brie."),
        ("user", "Sure?\nReally?"),
        ("assistant", "Aye."),
        ("user", "Why?"),
    ]


def test_that_questions_that_were_not_answered_are_left_out():
    assert a_talk().turns(BASE, "Why?") == [
        ("system", "Be brief."),
        ("user", "Which?"),
        ("assistant", "Feta."),
        ("user", "Why?"),
    ]
    other = Voice(VoiceKind.CHECKPOINT, 4)
    assert a_talk().turns(other, "Why?")[1:] == [("user", "Why?")]


def test_that_a_talk_is_told_to_people():
    told = a_talk().as_markdown()
    assert told.startswith("# Answers of run-1\n\nSystem: Be brief.\n\n## 1. Question")
    assert "\n### Adapter\n\nBrie.\n\n*Cut off at the longest answer" in told
    assert "\n> Sure?\n> Really?\n\n*Temperature 1, seed 0, at most 512" in told
    assert "\n### Base\n\n(no answer)\n\n*Too long.*\n" in told


def test_that_a_talk_is_told_to_programs():
    told = a_talk().as_document()
    first, second = told["rounds"]
    assert first["answers"][1] == {
        "voice": "adapter",
        "text": "Brie.",
        "tokens": 2,
        "ended": "length",
    }
    assert second["sampling"]["temperature"] == 1.0
    assert second["answers"][0]["refused"] == "Too long."
