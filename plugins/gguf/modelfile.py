"""What Ollama needs beside a GGUF file: template, ends of answers, sampling."""

from .source import Source
from .templates import Pieces, in_go

NAME = "Modelfile"
# transformers' names and Ollama's.
_SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repeat_penalty",
}
_WHOLE = frozenset({"top_k"})


def modelfile(file: str, source: Source, pieces: Pieces | None) -> str:
    """The text of a Modelfile.

    Args:
        file: The GGUF file's name; it lies beside.
        source: The model that was exported.
        pieces: Of its chat template, without what begins a chat; None where the
            template can't be said in Ollama's language.
    """
    lines = [f"FROM ./{file}", ""]
    if pieces is None:
        lines += [
            "# The chat template can't be said in Ollama's language. Ollama looks",
            "# whether it knows the template in the file; compare its answers.",
        ]
    else:
        lines.append(f'TEMPLATE """{in_go(pieces)}"""')
    lines.append("")
    lines += [f'PARAMETER stop "{end}"' for end in source.ends if _is_plain(end)]
    for name, value in source.sampling.items():
        told = f"{value:.0f}" if name in _WHOLE else f"{value:g}"
        lines.append(f"PARAMETER {_SAMPLING[name]} {told}")
    return "\n".join(lines) + "\n"


def _is_plain(text: str) -> bool:
    return text.isprintable() and '"' not in text
