"""What the engine says when it is asked: whole answers, and answers as they grow."""

from studio.protocol.event_parts import Event, Told


class Generated(Event, frozen=True, tag="generated"):
    """An answer, whole."""

    prompt: str
    text: str


class ChatReady(Event, frozen=True, tag="chat-ready"):
    """Questions can be asked.

    Attributes:
        voices: Who can answer, by `studio.domain.chatting.Voice.word`.
        most_tokens: That question and answer may take together; None where the model
            names no limit.
    """

    voices: list[str]
    most_tokens: int | None


class AnswerBegun(Event, frozen=True, tag="answer-begun"):
    """A voice begins to answer.

    Attributes:
        order: Of the question.
        voice: That answers.
        read_tokens: That it reads before its first word.
        examples: That precede the talk, of the few-shot base.
    """

    order: int
    voice: str
    read_tokens: int
    examples: int = 0


class AnswerPiece(Event, frozen=True, tag="answer-piece"):
    """The next piece of an answer."""

    order: int
    voice: str
    text: str


class AnswerEnded(Event, frozen=True, tag="answer-ended"):
    """An answer is whole.

    Attributes:
        order: Of the question.
        voice: That answered.
        text: All of it, without the spaces around it.
        tokens: That it took.
        ended: Why, a `studio.domain.chatting.Ended`.
        seconds: From the first token read to the last one written.
    """

    order: int
    voice: str
    text: str
    tokens: int
    ended: str
    seconds: float


class AnswerRefused(Event, frozen=True, tag="answer-refused"):
    """A voice can't answer this, and why; the others still can."""

    order: int
    voice: str
    finding: Told


class AllAnswered(Event, frozen=True, tag="all-answered"):
    """Every voice that was asked has answered, or was stopped before it began."""

    order: int


ChatEvent = (
    ChatReady | AnswerBegun | AnswerPiece | AnswerEnded | AnswerRefused | AllAnswered
)
