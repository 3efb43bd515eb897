"""The codes of findings that can be mended, in the order in which it is done.

What makes rows the same comes before what looks for the same rows.
"""

from typing import Final

LEFT_OUT: Final = (
    "data.unreadable-row",
    "data.row-left-out",
    "data.unknown-role",
    "data.no-answer",
    "data.no-content",
    "data.not-text",
    "data.half-character",
)
"""Of rows that are no examples: no new file has them."""

TEXTS: Final = (
    "data.encoding-damage",
    "data.control-characters",
    "data.personal",
    "data.secret",
)
TURNS: Final = ("data.role-order", "data.empty-turn")
NOT_RENDERED: Final = "data.not-rendered"
"""Of rows that the model's chat template refuses, or writes in other words."""

TOKENS: Final = (NOT_RENDERED, "data.too-long", "data.all-masked")
"""Of what only a model's tokenizer can tell."""

COPIES: Final = ("data.duplicate", "data.overlap")
NEAR: Final = "data.near-duplicate"

MENDED: Final = (*LEFT_OUT, *TEXTS, *TURNS, *TOKENS, *COPIES, NEAR)
