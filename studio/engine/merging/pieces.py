"""What llama.cpp reads words by, where they are put together as sentencepiece does it.

That is `tokenizer.model`, and the words that were added to it, which its converter
seeks in `tokenizer_config.json`, where transformers 5 no longer writes them. Without,
a word such as `<start_of_turn>` would be split like any other text.
"""

import json
import shutil
from pathlib import Path

_PIECES, _SETTINGS, _WORDS = (
    "tokenizer.model",
    "tokenizer_config.json",
    "tokenizer.json",
)
_ADDED = "added_tokens_decoder"


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
    file = target / _SETTINGS
    settings = json.loads(file.read_text(encoding="utf-8"))
    if _ADDED not in settings:
        words = json.loads((target / _WORDS).read_text(encoding="utf-8"))
        settings[_ADDED] = {
            str(each["id"]): {key: told for key, told in each.items() if key != "id"}
            for each in words.get("added_tokens", ())
        }
        text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
        file.write_text(text, encoding="utf-8")
