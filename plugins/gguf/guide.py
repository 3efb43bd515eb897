"""The README beside a GGUF file: how it is run, with the names that it has here."""

import re

from .source import Source

NAME = "README.md"
_HEADER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_BASE = re.compile(r"^base_model: *[\"']?([^\"'\n]+?)[\"']?$", re.MULTILINE)


def guide(file: str, form: str, by: str, source: Source, *, has_template: bool) -> str:
    """The text of the README.

    Args:
        file: The GGUF file's name.
        form: Of its weights.
        by: What converted it.
        source: The model that was exported.
        has_template: Whether the Modelfile holds the chat template.
    """
    name = file.removesuffix(".gguf")
    card = source.folder / "README.md"
    told = card.read_text(encoding="utf-8") if card.is_file() else ""
    return "\n".join(
        [
            _header(told),
            f"# {name}",
            "",
            f"One GGUF file with weights as {form}, written by {by}.",
            "It holds the tokenizer and the chat template that it was trained with.",
            "",
            *_ollama(name, has_template=has_template),
            *_llama_cpp(file),
            *_others(name, file, _base_of(told)),
        ]
    )


def _header(card: str) -> str:
    found = _HEADER.match(card)
    if not found:
        return ""
    return re.sub(r"library_name: .*", "library_name: gguf", found[0])


def _base_of(card: str) -> str:
    header = _HEADER.match(card)
    found = _BASE.search(header[0]) if header else None
    return found[1] if found else ""


def _ollama(name: str, *, has_template: bool) -> list[str]:
    said = (
        "`Modelfile` holds the chat template in Ollama’s language, the ends of answers "
        "and the sampling of the base model."
        if has_template
        else "The chat template can’t be said in Ollama’s language, so `Modelfile` "
        "holds the ends of answers and the sampling alone. Compare Ollama’s answers "
        "with those of llama.cpp, which reads the template in the file."
    )
    commands = f"ollama create {name} -f Modelfile\nollama run {name}"
    return ["## Ollama", said, *_code(commands)]


def _llama_cpp(file: str) -> list[str]:
    return [
        "## llama.cpp",
        *_code(
            f"llama-cli -m {file} --jinja -cnv\n"
            f"llama-server -m {file} --jinja --port 8080"
        ),
        "## LM Studio",
        *_code(f"lms import {file}"),
    ]


def _others(name: str, file: str, base: str) -> list[str]:
    tokenizer = f" --tokenizer {base}" if base else ""
    return [
        "## vLLM",
        *_code(f"vllm serve ./{file}{tokenizer} --served-model-name {name}"),
        "## transformers",
        *_code(
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f'tokenizer = AutoTokenizer.from_pretrained(".", gguf_file="{file}")\n'
            f'model = AutoModelForCausalLM.from_pretrained(".", gguf_file="{file}")',
            "python",
        ),
    ]


def _code(text: str, language: str = "sh") -> list[str]:
    return [f"```{language}", text, "```", ""]
