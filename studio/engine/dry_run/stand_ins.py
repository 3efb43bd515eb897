"""What training needs beside a model: words to read, and somebody to tell."""

from collections.abc import Sequence, Sized

from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from typing_extensions import override

from studio.domain.method_options import PAIRED_METHODS, Method
from studio.domain.recipe import Recipe
from studio.engine.chat_rendering import TrainingRow
from studio.engine.judged_rows import RatedRow, pair_row
from studio.engine.packing import packed
from studio.engine.session import Session
from studio.engine.wire import Wire

_WORD = "word"
_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


class StandInTokenizer(PreTrainedTokenizerFast):
    """A tokenizer of three tokens: every word is one, and nothing is read back."""

    @override
    def batch_decode(self, sequences: Sized, *_: object, **__: object) -> list[str]:
        return [""] * len(sequences)


def tokenizer() -> StandInTokenizer:
    """A tokenizer by which a text has as many tokens as words."""
    vocabulary = {_WORD: 0, "<end>": 1, "<pad>": 2}
    backend = Backend(models.WordLevel(vocabulary, unk_token=_WORD))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = StandInTokenizer(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=backend, unk_token=_WORD, eos_token="<end>", pad_token="<pad>"
    )
    made.chat_template = _TEMPLATE
    return made


def rows(count: int, tokens: int) -> list[TrainingRow]:
    """Rows of so many tokens, all of which are learnt."""
    row = TrainingRow(input_ids=[0] * tokens, labels=[0] * tokens)
    return [row] * count


def training_rows(recipe: Recipe) -> list[TrainingRow]:
    """A micro-batch of full length; packed rows are two chats each."""
    count, tokens = recipe.train.micro_batch, recipe.train.sequence_length
    if recipe.train.packing:
        half = tokens // 2
        return [packed([*rows(1, half), *rows(1, tokens - half)])] * count
    return judged_rows(recipe, count, tokens)


def judged_rows(recipe: Recipe, count: int, tokens: int) -> list[TrainingRow]:
    """Rows of so many tokens, as the recipe's method takes them.

    Answers to the same question, and those of both verdicts, differ in length.
    """
    whole, shorter = rows(1, tokens)[0], rows(1, tokens - 1)[0]
    if recipe.train.method in PAIRED_METHODS:
        return [pair_row(whole, shorter)] * count
    if recipe.train.method is Method.KTO:
        liked = RatedRow(whole.input_ids, whole.labels)
        disliked = RatedRow(shorter.input_ids, shorter.labels, is_liked=False)
        return [liked, *[disliked] * (count - 1)]
    return [whole] * count


def prompts(count: int, tokens: int) -> Sequence[str]:
    """Prompts of so many tokens."""
    return [" ".join([_WORD] * tokens)] * count


def silent_session() -> Session:
    """A session that nobody listens to."""
    return Session(Wire(None))
