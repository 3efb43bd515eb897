"""GGUF files that transformers reads, but not as llama.cpp means them.

What it then says would speak against sound files, or for wrong ones, so such files are
not read by it.
"""

from typing import Protocol

import gguf

_WEIGHTS = {
    # transformers/integrations/ggml.py passes over how llama.cpp scales attention
    # (gemma2.cpp, gemma3.cpp: by the heads' width, or in the largest by another one)
    # and over what caps its scores, and takes the defaults of one size for all.
    "gemma2": "how its attention is scaled, and what caps its scores",
    "gemma3": "how its attention is scaled, and where its window slides",
}
# transformers/integrations/gguf/gguf_tokenizer_mapping.py has a builder of its own for
# these, and says of the others that a file doesn't tell which way they need.
_OWN_PIECES = frozenset({"gemma", "gemma2", "gemma3", "phi3"})


class Reader(Protocol):
    """Of a file's fields."""

    def get_field(self, key: str) -> gguf.ReaderField | None:
        """One of them."""


def misread(reader: Reader) -> str:
    """What transformers takes otherwise than llama.cpp does; empty when nothing known.

    Args:
        reader: Of the file.
    """
    architecture = _text(reader, "general.architecture")
    if lost := _WEIGHTS.get(architecture):
        return f"Of {architecture} it doesn’t read {lost}."
    if _text(reader, "tokenizer.ggml.model") != "llama":
        return ""
    field = reader.get_field("tokenizer.ggml.add_space_prefix")
    if architecture in _OWN_PIECES or (field is not None and not field.contents()):
        return ""
    return (
        "It puts no space before what follows a word such as <s>, as llama.cpp does "
        "with words that are put together of pieces."
    )


def _text(reader: Reader, key: str) -> str:
    field = reader.get_field(key)
    return str(field.contents()) if field is not None else ""
