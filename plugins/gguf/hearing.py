"""The file is heard beside the model that it was made of."""

from pathlib import Path

from studio.plugin_api.exporting import Proof, Tell


def heard(source: Path, file: Path, tell: Tell) -> Proof:
    """Compare what both expect, and what they answer.

    Args:
        source: The merged model's folder.
        file: The GGUF file made of it.
        tell: Is told how far it is.
    """
    # The engine's, for it needs torch; it is loaded when a file is there to be heard.
    from studio.engine.parity.converted import compare

    return compare(source, file, tell)
