"""The contribution point for attention: which tokens see each other in training.

A plug-in is a folder with a ``plugin.toml`` that names the attention and the module
which holds it; the module is read by the engine alone, when a recipe asks for it.
"""

from typing import Any, Protocol


class AttentionModule(Protocol):
    """What the module of an attention plug-in must hold."""

    @staticmethod
    def attend(  # noqa: PLR0913 - as transformers calls an attention function
        module: Any,  # noqa: ANN401 - torch's, which nothing here imports
        query: Any,  # noqa: ANN401
        key: Any,  # noqa: ANN401
        value: Any,  # noqa: ANN401
        attention_mask: Any,  # noqa: ANN401
        *,
        scaling: float | None = None,
        dropout: float = 0.0,
        **more: Any,  # noqa: ANN401
    ) -> tuple[Any, Any]:
        """Attention in transformers' form.

        Args:
            module: Whose attention it is; ``training`` tells whether it learns.
            query: (batch, heads, tokens, width).
            key: (batch, key heads, tokens, width).
            value: As the keys.
            attention_mask: (batch, tokens), False for padding; None without any.
            scaling: Of the scores.
            dropout: Share of scores that are dropped.
            **more: Whatever else a model tells.

        Returns:
            (batch, tokens, heads, width), and the scores or None.
        """
