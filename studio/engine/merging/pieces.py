"""What llama.cpp reads words by, where they are put together as sentencepiece does it.

That is `tokenizer.model`, and the words that were added to it, which its converter
seeks in `tokenizer_config.json`, where transformers 5 no longer writes them. Without,
a word such as `<start_of_turn>` would be split like any other text. Whether a word
begins or ends each text is sought there as well: of a file that doesn't say, llama.cpp
thinks what is usual for its kind.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from studio.engine.tokenizer_loading import Tokenizer

_PIECES, _SETTINGS, _WORDS = (
    "tokenizer.model",
    "tokenizer_config.json",
    "tokenizer.json",
)
_ADDED = "added_tokens_decoder"
_TEXT = "a"


def hand_pieces_on(base: Path, target: Path) -> None:
    """Give a merged model its base's pieces, if it has any.

    Args:
        base: The base's folder.
        target: The merged model's, which holds a tokenizer.

    Raises:
        OSError: The disk refuses.
    """
    if not (base / _PIECES).is_file():
        return
    shutil.copyfile(base / _PIECES, target / _PIECES)
    settings = _settings_of(target)
    if _ADDED not in settings:
        words = json.loads((target / _WORDS).read_text(encoding="utf-8"))
        settings[_ADDED] = {
            str(each["id"]): {key: told for key, told in each.items() if key != "id"}
            for each in words.get("added_tokens", ())
        }
        _write_settings(target, settings)


def tell_what_is_added(tokenizer: Tokenizer, target: Path) -> None:
    """Write down whether a tokenizer begins and ends each text with a word.

    transformers leaves both out when it saves a tokenizer, and passes over them when
    it loads one.

    Args:
        tokenizer: That of the merged model.
        target: The merged model's folder, which holds it.

    Raises:
        OSError: The disk refuses.
    """
    bare = tokenizer(_TEXT, add_special_tokens=False).input_ids
    whole = tokenizer(_TEXT).input_ids
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    added = {
        "add_bos_token": whole[0] == begin and bare[0] != begin,
        "add_eos_token": whole[-1] == end and bare[-1] != end,
    }
    _write_settings(target, {**_settings_of(target), **added})


def _settings_of(target: Path) -> dict[str, object]:
    settings: dict[str, object] = json.loads(
        (target / _SETTINGS).read_text(encoding="utf-8")
    )
    return settings


def _write_settings(target: Path, settings: Mapping[str, object]) -> None:
    text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
    (target / _SETTINGS).write_text(text, encoding="utf-8")
