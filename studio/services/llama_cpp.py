"""What of a llama.cpp of the user's own is found on this machine."""

from studio.system.llama_cpp import find_llama_cpp


def llama_cpp_words() -> str:
    """What was found of it, and what that is used for, in sentences."""
    found = find_llama_cpp()
    uses = [
        ("its converter writes GGUF files", found.script),
        ("llama-quantize makes K-quants of them", found.quantizer),
        ("llama-server proves them", found.server),
    ]
    told = [what for what, where in uses if where is not None]
    if not told:
        return (
            "None is found. GGUF files are written by a converter that is fetched "
            "once, without K-quants, and proven by transformers."
        )
    return f"Found: {'; '.join(told)}."
