"""The formats that weights of a GGUF file can be held in."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from studio.domain.errors import refusal


@dataclass(frozen=True, slots=True)
class Form:
    """A format.

    Attributes:
        name: As ``--form`` names it.
        held_as: What most of the matrices are, in the file's own words.
        most_bits: A weight takes at most, norms and scales counted in.
        from_form: What llama.cpp's quantiser makes it of; empty if the converter
            writes it by itself.
    """

    name: str
    held_as: frozenset[str]
    most_bits: float
    from_form: str = ""


_FINE = ("Q6_K", "Q8_0")  # what words and the matrices that need it are held as
_TABLE = (
    Form("f16", frozenset({"F16"}), 16.1),
    Form("bf16", frozenset({"BF16"}), 16.1),
    # 32 weights of 8 bits share a scale of 16.
    Form("q8_0", frozenset({"Q8_0"}), 8.7),
    # Mixtures: the quantiser takes more bits for the matrices that need them, and for
    # those whose rows don't fill blocks of 256.
    Form("q6_k", frozenset(_FINE), 8.7, "f16"),
    Form("q5_k_m", frozenset({"Q5_K", "Q5_1", *_FINE}), 8.7, "f16"),
    Form("q4_k_m", frozenset({"Q4_K", "Q5_0", *_FINE}), 8.7, "f16"),
)
FORMS: Mapping[str, Form] = MappingProxyType({form.name: form for form in _TABLE})
"""By name; how a block is laid out stands in llama.cpp's ggml-common.h."""


def form_named(name: str) -> Form:
    """A format by its name.

    Raises:
        StudioError: There is no such format.
    """
    if name not in FORMS:
        raise refusal(
            "gguf.form",
            f"“{name}” is no format of GGUF weights that Snugtune writes.",
            fix=f"Give one of {', '.join(FORMS)}.",
            where="--form",
        )
    return FORMS[name]
