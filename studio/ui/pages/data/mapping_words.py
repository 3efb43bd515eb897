"""The mapping form's words: formats, the first rows as they would be read, refusals."""

from collections.abc import Mapping
from typing import Final

from studio.domain.data_mapping import words_of
from studio.domain.finding import Finding
from studio.services.mapping_previewer import FORMATS, MappingPreview, PreviewRow
from studio.ui.pages.data.view_model import ShownTurn, one_line, shown_turns

RECOGNISE: Final = ""
"""The format that is none: let the rows tell."""
HINT: Final = (
    "A column, a place within one such as instances[0].output, or a text with columns "
    "in braces: Describe {name} in {area}."
)
_LONGEST: Final = 600  # characters of a turn that are shown
_LONGEST_VALUE: Final = 90


def format_choices() -> list[tuple[str, str]]:
    """The formats to choose from, by name and title."""
    formats = [(each.name, each.title) for each in FORMATS]
    return [(RECOGNISE, "Recognised by the rows themselves"), *formats]


def chosen_words(sources: Mapping[str, str]) -> tuple[str, ...]:
    """What was typed as a recipe keeps it; parts without a source are left out."""
    filled = {part: source.strip() for part, source in sources.items()}
    return words_of({part: source for part, source in filled.items() if source})


def preview_turns(answer: MappingPreview) -> list[ShownTurn]:
    """The first rows, turn by turn."""
    return [turn for row in answer.rows for turn in _turns_of(row)]


def preview_note(answer: MappingPreview) -> str:
    """How many of the first rows could be learnt from."""
    read = sum(row.chat is not None for row in answer.rows)
    if not answer.rows:
        return ""
    return f"{read} of the first {len(answer.rows)} rows can be trained on"


def first_row(answer: MappingPreview) -> str:
    """The file's first row, a column a line."""
    return "\n".join(f"{name}: {_short(value)}" for name, value in answer.first)


def refusal_words(answer: MappingPreview) -> str:
    """Why the choice can't be taken; empty when it can."""
    if answer.refusal is not None:
        return said(answer.refusal)
    if any(row.chat is not None for row in answer.rows):
        return ""
    if not answer.rows:
        return "The file holds no rows."
    return f"None of the first rows can be read so: row {_fault(answer.rows[0])}."


def said(finding: Finding) -> str:
    """A finding in one line of a form."""
    return " ".join(part for part in (finding.what, finding.why) if part)


def _turns_of(row: PreviewRow) -> list[ShownTurn]:
    if row.chat is None:
        words = f"It {row.fault}."
        return [ShownTurn(f"Row {row.line:,}", words, "left out", trained=False)]
    turns = shown_turns(row.chat, held_out=False)
    return [
        ShownTurn(
            f"Row {row.line:,}: {turn.speaker}" if not number else turn.speaker,
            turn.text if len(turn.text) <= _LONGEST else f"{turn.text[:_LONGEST]}…",
            turn.use,
            turn.trained,
        )
        for number, turn in enumerate(turns)
    ]


def _fault(row: PreviewRow) -> str:
    return f"{row.line:,} {row.fault}"


def _short(value: str) -> str:
    text = one_line(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
