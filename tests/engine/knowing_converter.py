"""A llama.cpp whose converter knows a tokenizer that a test made up."""

import hashlib
import shutil

from studio.engine.tokenizer_loading import load_tokenizer
from studio.storage.plugin_code import code_of
from studio.storage.plugins import exporter_plugin
from studio.system.resources import plugin_root


def make_checkout(package, folder, model):
    """Copy the fetched converter, and list a model's tokenizer in it as GPT-2's kin."""
    shutil.copytree(package, folder)
    source = folder / "conversion" / "base.py"
    plugin = exporter_plugin(plugin_root(), "gguf")
    words = code_of("GGUF", plugin.module.with_name("words.py"), (), "")
    tokens = load_tokenizer(model).encode(words._known(source, 0).line)
    digest = hashlib.sha256(str(tokens).encode()).hexdigest()
    known = f'        if chkhsh == "{digest}":\n            res = "gpt-2"\n'
    text = source.read_text(encoding="utf-8")
    before = "        if res is None:\n            logger.warning"
    assert text.count(before) == 1
    source.write_text(text.replace(before, known + before), encoding="utf-8")
    return folder
