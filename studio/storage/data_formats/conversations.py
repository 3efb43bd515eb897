"""Whole chats in one column: OpenAI's messages, and ShareGPT's conversations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from studio.domain.data_mapping import ColumnMapping
from studio.domain.dataset import Chat, Kind, RowError, Turn
from studio.plugin_api.data_formats import Part, Recognition, Row, RowReader
from studio.storage.data_formats.values import (
    CERTAIN,
    NO_CONTENT,
    holding_messages,
    learnable,
    optional_text,
    sources_of,
    turns_of,
)


@dataclass(frozen=True, slots=True)
class Conversations:
    """Lists of messages, each an object with a speaker and words.

    Attributes:
        name: Of the format.
        title: For lists.
        column: The usual name of the column.
        speaker: The key of who speaks.
        words: The key of what is said.
    """

    name: str
    title: str
    column: str
    speaker: str
    words: str
    kind: Kind = Kind.CHAT
    parts: tuple[Part, ...] = (
        Part("messages", "Messages"),
        Part("system", "System message", is_required=False),
        Part("tools", "Tools", is_required=False),
    )

    def recognise(self, rows: Sequence[Row]) -> Recognition | None:
        """Rows with a list of messages in any column."""
        column = holding_messages(rows, self.speaker, self.words)
        if not column and self.name == "chat" and "messages" in rows[0]:
            column = "messages"  # so that empty or broken lists are told as such
        if not column:
            return None
        mapping = {"messages": column}
        extras = [each for each in ("system", "tools") if each != column]
        mapping |= {each: each for each in extras if any(r.get(each) for r in rows)}
        return Recognition(CERTAIN, mapping, f"Chat rows under “{column}”")

    def reader(self, mapping: ColumnMapping) -> RowReader:
        """A reader of these messages."""
        sources = sources_of(mapping, self.parts)
        messages, system = sources["messages"], sources.get("system")
        tools = sources.get("tools")

        def read(row: Row, line: int) -> Chat:
            found = messages.read(row)
            if found is None:
                raise RowError(f"has nothing under “{mapping['messages']}”", NO_CONTENT)
            turns = turns_of(found, self.speaker, self.words)
            opening = optional_text(row, system)
            if opening and turns[0].role != "system":
                turns = (Turn("system", opening), *turns)
            chat = Chat(learnable(turns), line)
            offered = None if tools is None else tools.read(row)
            return replace(chat, tools=_tools(offered)) if offered else chat

        return read


def _tools(offered: object) -> tuple[Mapping[str, object], ...]:
    if isinstance(offered, list | tuple) and all(
        isinstance(tool, Mapping) for tool in offered
    ):
        return tuple(offered)
    raise RowError("has tools that are no list of objects")


CHAT = Conversations("chat", "Chat messages", "messages", "role", "content")
SHAREGPT = Conversations(
    "sharegpt", "ShareGPT conversations", "conversations", "from", "value"
)
