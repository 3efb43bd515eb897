"""What a GGUF file says of itself, as one JSON document on stdout.

A program of its own: a malformed file may bring its reader down.
"""

import hashlib
import json
import sys

import gguf

# Values of the file's fields that are told as they are; lists are told by digest.
_MOST_TEXT = 1 << 20


def told_of(path: str) -> dict[str, object]:
    """Fields, tensors and vocabulary of a file.

    Args:
        path: Of the file.
    """
    reader = gguf.GGUFReader(path)
    fields = {
        name: field.contents()
        for name, field in reader.fields.items()
        if len(field.types) == 1 and not name.startswith("GGUF.")
    }
    return {
        "fields": {name: _plain(value) for name, value in fields.items()},
        "tensors": [
            [each.name, each.tensor_type.name, [int(size) for size in each.shape]]
            for each in reader.tensors
        ],
        "words": _words(reader),
    }


def _words(reader: gguf.GGUFReader) -> dict[str, object]:
    tokens = reader.get_field("tokenizer.ggml.tokens")
    texts = tokens.contents() if tokens else []
    scores = reader.get_field("tokenizer.ggml.scores")
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    ends = {}
    for kind in ("bos", "eos", "eot", "eom"):
        field = reader.get_field(f"tokenizer.ggml.{kind}_token_id")
        place = int(field.contents()) if field else -1
        if 0 <= place < len(texts):
            ends[kind] = texts[place]
    return {
        "count": len(texts),
        "sha256": digest.hexdigest(),
        "special": ends,
        "scores": len(set(scores.contents())) if scores else None,
    }


def _plain(value: object) -> object:
    if isinstance(value, str):
        return value[:_MOST_TEXT]
    return value if isinstance(value, bool | int | float) else str(value)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(told_of(sys.argv[1])))
