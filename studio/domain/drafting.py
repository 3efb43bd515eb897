"""How questions and answers are drafted from passages, and which drafts are refused.

A model is asked for a question about a passage, and then for that question's answer
from the same passage. What it says is tidied and tested by rules that are plain enough
to be told; the test finds drafts that can't be right, not those that are.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

SUPPORT: Final = 0.6
"""The share of an answer's words that the passage must hold."""

QUESTION_TOKENS: Final = 64
ANSWER_TOKENS: Final = 160

_QUESTION_ORDER: Final = "Make one quiz question from this paragraph."
_ANSWER_ORDER: Final = "Answer the question from the text, in one or two sentences."
_LABEL: Final = re.compile(
    r"^\s*(?:[-*#>]+\s*|\d+[.)]\s+)?\**(?:(?:an?\s+|quiz\s+)*(?:question|answer)|q|a)\s*\d*\s*\**\s*[:：]\s*\**",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(r"[?？؟]")
_INTRODUCED: Final = re.compile(r":\s+")
_ANSWER_IS: Final = re.compile(
    r"^\s*the answer(?: to (?:the|this) question)? is\s*:\s*", re.IGNORECASE
)
_SENTENCE: Final = re.compile(r"(?<=[.!?…。！？])(?:[”\"’)]*)\s+|(?<=[。！？])")
_ABOUT_ITSELF: Final = re.compile(
    r"\b(?:the|this) (?:text|passage|paragraph|question)\b", re.IGNORECASE
)
_WORD: Final = re.compile(r"\w+")
_LEAST_LETTERS: Final = 4
_COPIED_WORDS: Final = 5
_LEAST_PART: Final = 250
_ENDS: Final = '.!?…。！？”"’)'
_QUOTES: Final = "\"'“”‘’«»"


Ask = Callable[[Sequence[str], int], Sequence[str]]
"""Asks a model: (prompts, most tokens of an answer) -> an answer for each."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer as a model drafted them.

    Attributes:
        question: Tidied.
        answer: Tidied.
        refused: Why it is no good, as the end of a sentence; empty when it may be.
    """

    question: str
    answer: str
    refused: str = ""


def pairs_about(
    texts: Sequence[str], headings: Sequence[str], questions: int, ask: Ask
) -> list[list[Pair]]:
    """Draft questions and answers about some passages, asked together.

    Args:
        texts: Of the passages.
        headings: What each stands under; may be empty texts.
        questions: How many about each. Each is about another part of the passage, so
            that they differ.
        ask: The model.

    Returns:
        Pairs for each passage, refused ones included.
    """
    places = [place for place in range(len(texts)) for _ in range(questions)]
    parts = [part for text in texts for part in _parts(text, questions)]
    asked = [
        question_prompt(part, headings[place])
        for place, part in zip(places, parts, strict=True)
    ]
    said = [tidy_question(text) for text in ask(asked, QUESTION_TOKENS)]
    told = iter(
        ask(
            [
                answer_prompt(texts[place], headings[place], question)
                for place, question in zip(places, said, strict=True)
                if question
            ],
            ANSWER_TOKENS,
        )
    )
    pairs: list[list[Pair]] = [[] for _ in texts]
    for place, question in zip(places, said, strict=True):
        answer = tidy_answer(next(told)) if question else ""
        why = refusal_of(
            question, answer, texts[place], [pair.question for pair in pairs[place]]
        )
        pairs[place].append(Pair(question, answer, why))
    return pairs


def question_prompt(text: str, heading: str = "") -> str:
    """What asks for a question about a text."""
    # Of several wordings that were tried, the smallest model understood this best.
    about = f"{heading}. " if heading else ""
    return f"Paragraph: {about}{text}\n\n{_QUESTION_ORDER} Write only the question."


def answer_prompt(text: str, heading: str, question: str) -> str:
    """What asks for a question's answer from a text."""
    return (
        f"Here is a text{_under(heading)}:\n\n{text}\n\n{_ANSWER_ORDER}\n\n"
        f"Question: {question}"
    )


def tidy_question(said: str) -> str:
    """The first question in what a model said, without what introduces or follows it.

    Where there is none, the first line is left, which the test then refuses.
    """
    lines = [
        line for each in said.splitlines() if (line := _LABEL.sub("", each).strip())
    ]
    sentences = [sentence for line in lines for sentence in sentences_of(line)]
    asked = next((each for each in sentences if _ASKS.search(each)), "")
    if not asked:
        return lines[0].strip(_QUOTES).strip() if lines else ""
    whole = asked[: next(_ASKS.finditer(asked)).end()]
    return _INTRODUCED.split(whole)[-1].strip(_QUOTES).strip()


def tidy_answer(said: str) -> str:
    """A model's answer without its label, and without a sentence that breaks off."""
    answer = _ANSWER_IS.sub("", _LABEL.sub("", said.strip())).strip()
    if len(answer) > 1 and answer[0] in _QUOTES and answer[-1] in _QUOTES:
        answer = answer[1:-1].strip()
    if not answer or answer[-1] in _ENDS:
        return answer
    sentences = [part for part in _SENTENCE.split(answer) if part]
    whole = sentences[:-1]
    return answer[: answer.rfind(whole[-1]) + len(whole[-1])] if whole else answer


def refusal_of(
    question: str, answer: str, passage: str, earlier: Sequence[str] = ()
) -> str:
    """Why a draft is no good; empty when nothing speaks against it.

    Args:
        question: Tidied.
        answer: Tidied.
        passage: What they shall be about.
        earlier: Questions about the same passage that came before.
    """
    return next(_objections(question, answer, passage, earlier), "")


def is_supported(answer: str, passage: str) -> bool:
    """Whether a passage may be where an answer comes from.

    It may when every number of the answer stands in the passage, and at least `SUPPORT`
    of its words of four letters or more do. Short words decide only where there are no
    longer ones. Texts in Chinese, Japanese or Korean are compared by pairs of letters.
    """
    words = set(_WORD.findall(answer.casefold()))
    there = passage.casefold()
    known = set(_WORD.findall(there))
    if any(word.isdecimal() and word not in known for word in words):
        return False
    long = {word for word in words if len(word) >= _LEAST_LETTERS} or words
    pieces = [piece for word in long for piece in _pieces(word)]
    found = sum(
        piece in known or (_is_dense(piece) and piece in there) for piece in pieces
    )
    return bool(pieces) and found >= SUPPORT * len(pieces)


def sentences_of(text: str) -> list[str]:
    """A text's sentences, by its full stops; none of them empty."""
    return [part.strip() for part in _SENTENCE.split(text) if part and part.strip()]


def _objections(
    question: str, answer: str, passage: str, earlier: Sequence[str]
) -> Iterator[str]:
    if not any(map(str.isalnum, question)):
        yield "has no question"
    if not _ASKS.search(question):
        yield "asks nothing"
    if _repeats_order(question) or _is_copied(question, passage):
        yield "repeats what the model was told instead of asking"
    if _ABOUT_ITSELF.search(question):
        yield "asks about the text instead of what it says"
    if any(_same(question, other) for other in earlier):
        yield "asks what was asked before"
    if not any(map(str.isalnum, answer)):
        yield "has no answer"
    if _repeats_order(answer) or _same(answer, question):
        yield "repeats the question instead of answering"
    if not is_supported(answer, passage):
        yield "has an answer that the passage doesn't support"


def _parts(text: str, count: int) -> list[str]:
    """A text in parts of whole sentences, each long enough to be asked about.

    Parts of a short text overlap; a text with too few sentences stays whole.
    """
    sentences = sentences_of(text)
    if count == 1 or len(sentences) < count:
        return [text] * count
    edges = [round(at * len(sentences) / count) for at in range(count + 1)]
    return [_grown(sentences, start, stop) for start, stop in pairwise(edges)]


def _grown(sentences: Sequence[str], start: int, stop: int) -> str:
    def part() -> str:
        return " ".join(sentences[start:stop])

    while len(part()) < _LEAST_PART and (start or stop < len(sentences)):
        if stop < len(sentences):
            stop += 1
        else:
            start -= 1
    return part()


def _under(heading: str) -> str:
    return f" about {heading}" if heading else ""


def _repeats_order(said: str) -> bool:
    folded = _folded(said)
    orders = (_QUESTION_ORDER, "Write only the question.", _ANSWER_ORDER)
    return any(_folded(order) in folded for order in orders) or folded.startswith(
        _folded("Here is a text")
    )


def _is_copied(question: str, passage: str) -> bool:
    folded = _folded(question)
    return len(folded.split()) >= _COPIED_WORDS and folded in _folded(passage)


def _same(one: str, other: str) -> bool:
    return _folded(one) == _folded(other)


def _folded(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _pieces(word: str) -> list[str]:
    """A word, or its pairs of letters in a script that writes without spaces."""
    if not _is_dense(word) or len(word) == 1:
        return [word]
    return [word[at : at + 2] for at in range(len(word) - 1)]


def _is_dense(text: str) -> bool:
    return any(
        "\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3"
        for letter in text
    )
