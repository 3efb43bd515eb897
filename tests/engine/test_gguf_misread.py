"""What transformers would read otherwise than llama.cpp is not read by it."""

import gguf
import numpy as np
import pytest

from studio.domain.errors import StudioError
from studio.engine.parity import gguf_file
from studio.engine.parity.artefacts import GgufArtefact


def write(file, architecture, words, space_prefix=None):
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_tokenizer_model(words)
    if space_prefix is not None:
        writer.add_add_space_prefix(space_prefix)
    writer.add_tensor("token_embd.weight", np.zeros((4, 8), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.mark.parametrize(
    ("architecture", "words", "space_prefix"),
    [
        ("gemma2", "llama", False),
        ("gemma3", "llama", False),
        ("llama", "llama", None),
        ("llama", "llama", True),
    ],
)
def test_that_a_file_that_would_be_misread_is_not_read(
    tmp_path, monkeypatch, architecture, words, space_prefix
):
    monkeypatch.setenv("SNUGTUNE_LLAMA_CPP", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    file = write(tmp_path / "a.gguf", architecture, words, space_prefix)
    for ask in (GgufArtefact(file).look, lambda: gguf_file.load(file)):
        with pytest.raises(StudioError) as refused:
            ask()
        assert refused.value.finding.code == "parity.not-read"
        assert refused.value.finding.why.endswith(".")


@pytest.mark.parametrize(
    ("architecture", "words", "space_prefix"),
    [
        ("llama", "gpt2", None),
        ("llama", "llama", False),
        ("phi3", "llama", None),
        ("qwen2", "gpt2", None),
    ],
)
def test_that_a_file_that_is_read_rightly_is_read(
    tmp_path, architecture, words, space_prefix
):
    file = write(tmp_path / "a.gguf", architecture, words, space_prefix)
    gguf_file.refuse_misread(file)
