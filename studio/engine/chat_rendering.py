"""Chats become tokens, and the assistant's part of them becomes labels.

What the assistant says is learnt, up to and including the token that ends its turn: of
all turns, or of the last; or the whole chat, if the recipe asks for it. Chat templates
rarely mark the assistant's part, so it is found in the rendered text
(`studio.engine.answer_places`). No template is changed, so what is trained is what is
rendered later.

Training, inspection and the view of one row all go through `RowMaker`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from studio.domain.data_checks.mended_codes import NOT_RENDERED
from studio.domain.data_options import LossOn
from studio.domain.dataset import Chat, RowError, Turn
from studio.domain.errors import StudioError
from studio.engine.answer_places import AnswerFinder, RenderedPlaces, Span
from studio.engine.chat_shapes import ChatShapes
from studio.engine.render_limits import RenderLimits

if TYPE_CHECKING:
    from studio.engine.tokenizer_loading import Tokenizer

IGNORED = -100
AT_ONCE = 256
"""Chats that are best made at once: enough for a tokenizer's threads, few to hold."""
_LIMITS = RenderLimits()


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One chat as the trainer takes it.

    Attributes:
        input_ids: Its tokens.
        labels: The same, `IGNORED` where nothing is learnt.
        ends: Whether every answer is followed by a token that ends it.
    """

    input_ids: list[int]
    labels: list[int]
    ends: bool = True

    @property
    def trained_tokens(self) -> int:
        """Tokens that are learnt; the first of a row is never predicted."""
        return sum(label != IGNORED for label in self.labels[1:])

    @property
    def width(self) -> int:
        """Tokens that it takes in a batch."""
        return len(self.input_ids)

    def is_longer(self, length: int) -> bool:
        """Whether `cut` would take something away."""
        return self.width > length

    def cut(self, length: int) -> "TrainingRow":
        """The first `length` tokens of it."""
        return TrainingRow(self.input_ids[:length], self.labels[:length], self.ends)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One chat as tokens.

    Attributes:
        ids: Its tokens.
        offsets: Where each stands in the text, in characters, (start, stop).
        trained: The stretches of tokens that are learnt, (start, stop), in order.
        ends: Whether every answer is followed by a token that ends it.
        text: What was tokenised.
    """

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]
    trained: Sequence[tuple[int, int]]
    ends: bool
    text: str

    def trained_within(self, length: int) -> int:
        """How many of the first `length` tokens are learnt.

        The first token of a row is never predicted.
        """
        return sum(
            max(0, min(stop, length) - max(start, 1)) for start, stop in self.trained
        )

    def training_row(self) -> TrainingRow:
        """The row for the trainer."""
        labels = [IGNORED] * len(self.ids)
        for start, stop in self.trained:
            labels[start:stop] = self.ids[start:stop]
        return TrainingRow(list(self.ids), labels, self.ends)


@dataclass(frozen=True, slots=True)
class RenderedRow:
    """One chat as text.

    Attributes:
        text: As the model's template renders it; a plain text itself.
        spans: What the assistant says in a chat, as far as it counts; None for a plain
            text.
    """

    text: str
    spans: Sequence[Span] | None

    @property
    def ends(self) -> bool:
        """Whether every answer is followed by a token that ends it."""
        return all(span.ends for span in self.spans or ())


def render(
    tokenizer: "Tokenizer",
    turns: Sequence[Turn],
    *,
    asks: bool = False,
    tools: Sequence[Mapping[str, object]] = (),
) -> str:
    """A chat as text, by the model's own template.

    Args:
        tokenizer: Holds the template.
        turns: The chat.
        asks: End with the words after which the model answers.
        tools: That the assistant may call.

    Raises:
        RowError: The template refuses this chat.
        StudioError: The template takes more time or memory than any honest one.
    """
    messages: Any = [turn.as_message() for turn in turns]
    offered: Any = list(tools) or None

    def rendered() -> str:
        return str(
            tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=asks,
                tools=offered,
            )
        )

    try:
        return _LIMITS.run(rendered)
    except StudioError:
        raise
    except Exception as fault:
        # A template is a program: it may refuse, add a number to a word, or recurse.
        why = str(fault).strip() or type(fault).__name__
        raise RowError(
            f"is refused by the chat template: {why}", NOT_RENDERED
        ) from fault


def training_row(tokenizer: "Tokenizer", chat: Chat) -> TrainingRow:
    """Render a chat and label what the assistant says in it; of a text, all.

    For many chats a `RowMaker` is faster, and makes the same of them.

    Raises:
        RowError: The template refuses the chat, or rewrites an answer.
        StudioError: The template takes more time or memory than any honest one.
    """
    return RowMaker(tokenizer).row(chat).training_row()


class RowMaker:
    """Makes tokens of one chat after the other, and remembers what they share."""

    def __init__(
        self,
        tokenizer: "Tokenizer",
        loss_on: LossOn = LossOn.ANSWERS,
        *,
        remembers: bool = True,
    ) -> None:
        """Prepare for a tokenizer.

        Args:
            tokenizer: Of the model.
            loss_on: Which tokens of a chat are learnt.
            remembers: Whether chats of one shape are rendered once each; the result
                is the same without.
        """
        self._tokenizer = tokenizer
        self._loss_on = loss_on
        added = tokenizer.added_tokens_decoder.values()
        names = {token.content for token in added if token.special and token.content}
        self._finder = AnswerFinder.of(sorted(names))
        template = tokenizer.chat_template if remembers else None
        self._shapes = ChatShapes.of(template)

    def row(self, chat: Chat) -> TokenRow:
        """One chat as tokens.

        Raises:
            RowError: The template refuses the chat, or rewrites an answer.
            StudioError: The template takes more time or memory than any honest one.
        """
        return next(self._tokenised([self.rendered(chat)]))

    def rows(self, chats: Sequence[Chat]) -> list[TokenRow | RowError]:
        """Several chats as tokens, or why one is none, in their order.

        Raises:
            StudioError: The template takes more time or memory than any honest one.
        """
        return self.tokenised(self.rendered_rows(chats))

    def rendered_rows(self, chats: Sequence[Chat]) -> list[RenderedRow | RowError]:
        """The first half of `rows`; only the main thread can keep a template's limits.

        Raises:
            StudioError: The template takes more time or memory than any honest one.
        """
        return [self._rendered_or_not(chat) for chat in chats]

    def tokenised(
        self, found: Sequence[RenderedRow | RowError]
    ) -> list[TokenRow | RowError]:
        """The second half of `rows`; any one thread may do it."""
        rendered = [each for each in found if isinstance(each, RenderedRow)]
        tokenised = self._tokenised(rendered)
        return [
            next(tokenised) if isinstance(each, RenderedRow) else each for each in found
        ]

    def rendered(self, chat: Chat) -> RenderedRow:
        """One chat as text, with what is learnt of it.

        Raises:
            RowError: The template refuses the chat, or rewrites an answer.
            StudioError: The template takes more time or memory than any honest one.
        """
        if chat.is_liked is False:
            raise RowError(
                "is rated as bad, and nothing shall be learnt from it", "data.rated-bad"
            )
        if chat.text:
            return RenderedRow(chat.text, None)
        text = render(self._tokenizer, chat.turns, tools=chat.tools)
        spans = self._answers(chat, text)
        only_last = self._loss_on is LossOn.LAST_ANSWER
        return RenderedRow(text, spans[-1:] if only_last else spans)

    def _rendered_or_not(self, chat: Chat) -> RenderedRow | RowError:
        try:
            return self.rendered(chat)
        except RowError as fault:
            return fault

    def _answers(self, chat: Chat, text: str) -> list[Span]:
        known = self._shapes.known(chat, text)
        if known is not None and not known.shape.is_due():
            return self._finder.answers(chat, text, known)

        def begin(turns: int, asks: bool) -> str:
            some = chat.turns[:turns]
            return render(self._tokenizer, some, asks=asks, tools=chat.tools)

        places = RenderedPlaces(chat, text, begin, {}, {})
        try:
            spans = self._finder.answers(chat, text, places)
        except RowError:
            if known is not None:
                self._shapes.distrust()
            raise
        if known is None:
            self._shapes.learn(chat, places)
        elif self._finder.answers(chat, text, known) != spans:
            self._shapes.distrust()
        return spans

    def _tokenised(self, rows: Sequence[RenderedRow]) -> Iterator[TokenRow]:
        chats = [row for row in rows if row.spans is not None]
        texts = [row for row in rows if row.spans is None]
        of_chats = self._encoded(chats, special=False)
        of_texts = self._encoded(texts, special=True)
        for row in rows:
            if row.spans is None:
                yield self._whole(*next(of_texts), row.text)
            else:
                ids, offsets = next(of_chats)
                trained = [(0, len(ids))]
                if self._loss_on is not LossOn.EVERYTHING:
                    trained = list(_stretches(offsets, row.spans))
                yield TokenRow(ids, offsets, trained, row.ends, row.text)

    def _encoded(
        self, rows: Sequence[RenderedRow], *, special: bool
    ) -> Iterator[tuple[list[int], list[tuple[int, int]]]]:
        if not rows:
            return
        encoded = self._tokenizer(
            [row.text for row in rows],
            add_special_tokens=special,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        yield from zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)

    def _whole(
        self, ids: list[int], offsets: list[tuple[int, int]], text: str
    ) -> TokenRow:
        end = self._tokenizer.eos_token_id
        if end is not None and ids[-1:] != [end]:
            ids, offsets = [*ids, end], [*offsets, (len(text), len(text))]
        return TokenRow(ids, offsets, [(0, len(ids))], end is not None, text)


def _stretches(
    offsets: Sequence[tuple[int, int]], spans: Sequence[Span]
) -> Iterator[tuple[int, int]]:
    """The tokens that lie within the spans, those without a character left out."""
    at = 0
    for span in spans:
        first = bisect_left(offsets, (span.start, -1), at)
        at = bisect_right(offsets, span.stop, first, key=itemgetter(1))
        begin = first
        for token in range(first, at):
            if offsets[token][0] >= offsets[token][1]:
                if begin < token:
                    yield begin, token
                begin = token + 1
        if begin < at:
            yield begin, at
