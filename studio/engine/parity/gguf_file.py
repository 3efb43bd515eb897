"""A GGUF file, run by transformers: it unpacks the weights and computes in fp32.

What llama.cpp does with the same file differs by its own kernels' rounding. What its
reader leaves out is put in here: positions that are scaled, and digits that some
tokenizers split.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.errors import StudioError, refusal
from studio.engine.model_loading import Model
from studio.engine.model_preparation import read_tokenizer
from studio.engine.parity.misread import misread
from studio.engine.tokenizer_loading import Tokenizer, unloadable

READER = "transformers’ reader of GGUF"
_FORMATS = {
    "F32": "fp32",
    "F16": "f16",
    "BF16": "bf16",
    "Q8_0": "q8_0",
    "Q6_K": "q6_k",
    "Q5_K": "q5_k_m",
    "Q4_K": "q4_k_m",
}


@dataclass(frozen=True, slots=True)
class _Mixture:
    """A format of llama-quantize, and what most matrices may be held as."""

    name: str
    held_as: frozenset[str]


# By llama.cpp's number of file types (llama.h); what takes the place of a format whose
# blocks don't fit stands in its llama-quant.cpp. Of a small model most weights are
# words', which are held finer.
_FINE = ("Q6_K", "Q8_0")
_MIXTURES = {
    15: _Mixture("q4_k_m", frozenset({"Q4_K", "Q5_0", *_FINE})),
    17: _Mixture("q5_k_m", frozenset({"Q5_K", "Q5_1", *_FINE})),
    18: _Mixture("q6_k", frozenset(_FINE)),
}
# Ends of answers that llama.cpp knows by their texts (llama-vocab.cpp).
_KNOWN_ENDS = frozenset(
    {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|return|>",
        "<|call|>",
        "<|flush|>",
        "<|calls|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "</s>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "[EOT]",
        "[EOS]",
        "<|end_of_text|>",
        "<end_of_utterance>",
        "<eos>",
        "<turn|>",
        "<|tool_response>",
        "<｜end▁of▁sentence｜>",
        "[e~[",
    }
)
_END_KINDS = ("eos", "eot", "eom")


def format_of(file: Path) -> str:
    """What most entries of its matrices are held as: a key of the limits.

    A mixture is known by the file's own field: of matrices whose rows don't fill its
    blocks of 256, most are held as something else. The field is believed where what
    they are held as is of that mixture.

    Raises:
        StudioError: It is no GGUF file, or of a format that isn't judged.
    """
    held: Counter[str] = Counter()
    reader = _reader(file)
    for tensor in reader.tensors:
        if len(tensor.shape) > 1:
            held[tensor.tensor_type.name] += int(tensor.n_elements)
    most = held.most_common(1)[0][0] if held else ""
    told = _MIXTURES.get(_field(reader, "general.file_type"))
    if told is not None and most in told.held_as:
        return told.name
    if most not in _FORMATS:
        raise refusal(
            "parity.format",
            f"GGUF files that are mostly {most or 'empty'} are not judged.",
            fix=f"Export it as one of {', '.join(dict.fromkeys(_FORMATS.values()))}.",
            where=str(file),
        )
    return _FORMATS[most]


def tokenizer_of(file: Path) -> Tokenizer:
    """The tokenizer that a file describes, with its chat template.

    Raises:
        StudioError: transformers makes nothing of it.
    """
    context = _number(_reader(file), "context_length") or 0
    try:
        tokenizer = read_tokenizer(file, context)
    except (OSError, ValueError, KeyError) as fault:
        raise unloadable(file, fault) from fault
    if not tokenizer.chat_template:
        # So that a chat of it is none that any run was trained on.
        tokenizer.chat_template = "{{ messages[-1]['content'] }}"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def load(file: Path) -> Model:
    """The model of a file in fp32, on the processor.

    Raises:
        StudioError: transformers doesn't read such files.
    """
    place: dict[str, Any] = {
        "gguf_file": file.name,
        "trust_remote_code": False,
        "local_files_only": True,
    }
    refuse_misread(file)
    reader = _reader(file)
    try:
        config = AutoConfig.from_pretrained(file.parent, **place)
        _scale_positions(config, reader)
        read: Any = AutoModelForCausalLM.from_pretrained(
            file.parent,
            config=config,
            dtype=torch.float32,
            output_loading_info=True,
            **place,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as fault:
        raise _not_read(file, str(fault)) from fault
    model: Model = read[0]
    missing = read[1]["missing_keys"]
    if missing:
        # A mixture of Llama's kin is taken for a plain Llama, and half of it made up.
        raise _not_read(file, f"It finds no {min(missing)} in it.")
    _slow_positions(model, reader)
    if model.generation_config is not None:
        model.generation_config.eos_token_id = sorted(ends_of(file)) or None
    return model


def refuse_misread(file: Path) -> None:
    """Refuse a file that transformers would read otherwise than llama.cpp does.

    Raises:
        StudioError: It is one, or no GGUF file.
    """
    if why := misread(_reader(file)):
        raise _not_read(file, why)


def _not_read(file: Path, why: str) -> StudioError:
    return refusal(
        "parity.not-read",
        "transformers doesn’t read GGUF files of this kind rightly, so what this one "
        "says isn’t known here.",
        why=_sentence(why),
        fix="Try it in llama.cpp, beside the merged model.",
        where=str(file),
    )


def ends_of(file: Path) -> set[int]:
    """Tokens that end an answer, by the file's fields and by llama.cpp's knowledge.

    A file that names no end has none: what llama.cpp knows beside is a help for models
    of several ends, and other programs don't share it.
    """
    reader = _reader(file)
    keys = [f"tokenizer.ggml.{kind}_token_id" for kind in _END_KINDS]
    fields = [reader.get_field(key) for key in keys]
    named = {int(field.contents()) for field in fields if field is not None}
    tokens = reader.get_field("tokenizer.ggml.tokens")
    if not named or tokens is None:
        return named
    texts = tokens.contents()
    return named | {at for at, text in enumerate(texts) if text in _KNOWN_ENDS}


def _reader(file: Path) -> gguf.GGUFReader:
    try:
        return gguf.GGUFReader(file)
    except (OSError, ValueError, IndexError, KeyError) as fault:
        raise refusal(
            "parity.no-gguf",
            "This is no whole GGUF file.",
            why=_sentence(str(fault)),
            fix="Export it again.",
            where=str(file),
        ) from fault


def _sentence(said: str) -> str:
    """The first line of what a library says, with an end."""
    line = said.strip().partition("\n")[0]
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _field(reader: gguf.GGUFReader, key: str) -> int:
    """A field's number; -1 without it."""
    field = reader.get_field(key)
    told = field.contents() if field is not None else None
    return told if isinstance(told, int) else -1


def _number(reader: gguf.GGUFReader, key: str) -> int | None:
    found = _told(reader, key)
    return int(found) if isinstance(found, int | float) else None


def _told(reader: gguf.GGUFReader, key: str) -> object:
    """A value under the architecture's own prefix."""
    architecture = reader.get_field("general.architecture")
    if architecture is None:
        return None
    field = reader.get_field(f"{architecture.contents()}.{key}")
    return field.contents() if field is not None else None


def _scale_positions(config: Any, reader: gguf.GGUFReader) -> None:  # noqa: ANN401
    """Positions that are drawn closer together, which the reader passes over."""
    factor = _told(reader, "rope.scaling.factor")
    if _told(reader, "rope.scaling.type") != "linear" or factor is None:
        return
    told = dict(getattr(config, "rope_parameters", None) or {})
    told |= {"rope_type": "linear", "factor": float(str(factor))}
    config.rope_parameters = told


def _slow_positions(model: Model, reader: gguf.GGUFReader) -> None:
    """Frequencies that are slowed down one by one, as Llama 3 has them."""
    slowed = next((t for t in reader.tensors if t.name == "rope_freqs.weight"), None)
    if slowed is None:
        return
    by = torch.from_numpy(slowed.data.copy()).float()
    for module in model.modules():
        frequencies = getattr(module, "inv_freq", None)
        if isinstance(frequencies, torch.Tensor) and frequencies.shape == by.shape:
            frequencies.div_(by)
