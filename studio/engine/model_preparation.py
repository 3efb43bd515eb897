"""A model that comes as GGUF becomes safetensors in the user's cache, once.

The weights are kept in fp32: a Q4_1 weight is scale x 4 bits + minimum, both in 16
bits, which needs more digits than bf16 (off by up to 0.4 %) or fp16 (0.05 %) has, while
fp32 holds the file's own numbers. Every later format starts from those.
"""

from pathlib import Path

import gguf
import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio.domain.run import Phase
from studio.engine.model_loading import Model
from studio.engine.progress_bars import reported
from studio.engine.session import Session
from studio.engine.staging import need_space, whole_folder
from studio.engine.tokenizer_loading import Tokenizer
from studio.storage.models import ModelPlace, ModelState, is_model_folder

_FP32_BYTES = 4
_TOKENIZER_BYTES = 16 << 20
# Tokenizers that split digits before anything else; transformers' reader doesn't look
# at this key of the file, and would read "\n\n1" in other tokens than the model knows.
_DIGIT_SPLITTERS = frozenset({"smollm"})


def prepared_folder(session: Session, place: ModelPlace) -> Path:
    """The folder of a model that can be loaded, converted first when it must be.

    Args:
        session: Told of the conversion.
        place: A model that is ready or convertible.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    folder = place.folder
    assert folder is not None
    if place.state is ModelState.CONVERTIBLE and not is_model_folder(folder):
        assert place.gguf is not None
        session.enter(Phase.PREPARING_MODEL)
        need_space(folder.parent, _space_for(place), f"The model {place.title}")
        _convert(session, place.gguf, folder)
    return folder


def _space_for(place: ModelPlace) -> int:
    return place.parameters * _FP32_BYTES + _TOKENIZER_BYTES


def _convert(session: Session, file: Path, folder: Path) -> None:
    with reported(session, "Converting the weights"):
        model = _read_weights(file)
    tokenizer = read_tokenizer(file, model.config.max_position_embeddings)
    with whole_folder(folder, replace=True) as draft:
        with reported(session, "Writing the weights", "files"):
            model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)


def _read_weights(file: Path) -> Model:
    read: Model = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=torch.float32,
        trust_remote_code=False,
        local_files_only=True,
    )
    # What was read calls itself quantised and refuses to be saved as what it is.
    config = read.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(key, None)
    with torch.device("meta"):
        model = type(read)(type(read.config).from_dict(config))
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = read.generation_config
    return model


def read_tokenizer(file: Path, context: int) -> Tokenizer:
    """The tokenizer that a GGUF file holds.

    Args:
        file: Of the model.
        context: Most tokens that the model reads.
    """
    tokenizer: Tokenizer = AutoTokenizer.from_pretrained(
        file.parent,
        gguf_file=file.name,
        trust_remote_code=False,
        local_files_only=True,
    )
    tokenizer.model_max_length = context
    if _pre_tokenizer_of(file) in _DIGIT_SPLITTERS:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    return tokenizer


def _pre_tokenizer_of(file: Path) -> str:
    field = gguf.GGUFReader(file).get_field("tokenizer.ggml.pre")
    return str(field.contents()) if field else ""
