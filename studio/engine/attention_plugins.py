"""Ways of attention that plug-ins bring, made known to transformers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from studio.storage.plugin_code import code_of
from studio.storage.plugins import AttentionPlugin, attention_plugin
from studio.system.resources import plugin_root

if TYPE_CHECKING:
    from studio.plugin_api.attention import AttentionModule


def register_attention(name: str) -> None:
    """Have transformers know an attention by the name that a recipe gives it.

    The attention is handed the mask of padding alone, (batch, tokens).

    Raises:
        StudioError: No plug-in brings it, or its code fails.
    """
    if name in AttentionInterface._global_mapping:
        return
    plugin = attention_plugin(plugin_root(), name)
    AttentionInterface.register(name, _attend_of(plugin))
    AttentionMaskInterface.register(name, _padding)


def _attend_of(plugin: AttentionPlugin) -> Callable[..., tuple[Any, Any]]:
    fix = "Install it again, or set model.attention to sdpa."
    module = code_of(plugin.title, plugin.module, ("attend",), fix)
    return cast("AttentionModule", module).attend


def _padding(
    *, kv_length: int, attention_mask: torch.Tensor | None = None, **_: object
) -> torch.Tensor | None:
    return None if attention_mask is None else attention_mask[:, -kv_length:]
