"""What a running engine is told, one JSON line each, on stdin or in its post box."""

import msgspec


class Command(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="command",
    forbid_unknown_fields=True,
):
    """Anything that a running engine can be told."""


class Stop(Command, frozen=True, tag="stop"):
    """End after the step under way; with `save`, write the adapter first."""

    save: bool = True


class Pause(Command, frozen=True, tag="pause"):
    """Write a checkpoint after the step under way, then end, so the card is free."""


class SaveNow(Command, frozen=True, tag="save-now"):
    """Write a checkpoint after the step under way."""


class SampleNow(Command, frozen=True, tag="sample-now"):
    """Answer the sample prompts after the step under way."""


class KeepRunning(Command, frozen=True, tag="keep-running"):
    """The window is about to close and the run shall go on without it.

    The engine then takes neither the end of its input nor its parent's death as an
    order to stop.
    """


class Cancel(Command, frozen=True, tag="cancel"):
    """That somebody ends a process at once; a note, for it has no time to obey.

    Attributes:
        pid: Of the engine.
        started_at: When that began, in seconds since the epoch; a pid may come again.
    """

    pid: int
    started_at: float


class ShowRow(Command, frozen=True, tag="show-row"):
    """Tell the tokens of a row.

    Attributes:
        order: Comes back with the answer.
        line: As `studio.storage.tables.table.RawRow.line` has it.
        length: The sequence length that cuts it, in tokens.
        file: The name of its file within a folder; empty for a single file.
        place: As `RawRow.place` has it; None to look for the line.
    """

    order: int
    line: int
    length: int
    file: str = ""
    place: int | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One voice, and the talk that it is to answer.

    Attributes:
        voice: By `studio.domain.chatting.Voice.word`.
        turns: (role, text) in order; the last is the user's.
    """

    voice: str
    turns: list[tuple[str, str]]


class Ask(Command, frozen=True, tag="ask"):
    """Answer, one voice after the other; see `studio.domain.chatting.Sampling`.

    Attributes:
        order: Comes back with each answer; higher than that of any question before.
        asked: The voices.
    """

    order: int
    asked: list[Asked]
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    max_new_tokens: int = 512
    seed: int = 0


class StopAnswer(Command, frozen=True, tag="stop-answer"):
    """End the answers to a question, and to those before it, where they are."""

    order: int


EngineCommand = (
    Stop
    | Pause
    | SaveNow
    | SampleNow
    | KeepRunning
    | Cancel
    | ShowRow
    | Ask
    | StopAnswer
)
