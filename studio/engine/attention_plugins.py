"""Ways of attention that plug-ins bring, made known to transformers."""

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from studio.domain.errors import refusal
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
    try:
        spec = importlib.util.spec_from_file_location(
            f"snugtune_plugin_{plugin.name}", plugin.module
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        attend = cast("AttentionModule", module).attend
    except Exception as fault:
        raise refusal(
            "plugin.code",
            f"The plug-in {plugin.title} doesn’t work ({type(fault).__name__}).",
            why=str(fault),
            fix="Install it again, or set model.attention to sdpa.",
            where=str(plugin.module),
        ) from fault
    return attend


def _padding(
    *, kv_length: int, attention_mask: torch.Tensor | None = None, **_: object
) -> torch.Tensor | None:
    return None if attention_mask is None else attention_mask[:, -kv_length:]
