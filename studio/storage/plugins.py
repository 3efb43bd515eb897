"""Bundled plug-ins: what each says of itself, read without running any of its code."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import refusal

_MANIFEST = "plugin.toml"
API = 1


@dataclass(frozen=True, slots=True)
class AttentionPlugin:
    """A plug-in that brings a way of attention.

    Attributes:
        name: As a recipe names the attention.
        title: Of the plug-in.
        module: The file that holds it.
    """

    name: str
    title: str
    module: Path


def attention_plugin(root: Path, name: str) -> AttentionPlugin:
    """The plug-in that brings an attention.

    Args:
        root: Holds a folder for each plug-in.
        name: As a recipe names it.

    Raises:
        StudioError: None brings it, or its manifest can't be read.
    """
    for manifest in sorted(root.glob(f"*/{_MANIFEST}")):
        found = _read(manifest)
        if found is not None and found.name == name:
            return found
    raise refusal(
        "plugin.missing",
        f"No plug-in brings the attention “{name}”.",
        fix="Install Snugtune again, or set model.attention to sdpa.",
        where=str(root),
    )


def _read(manifest: Path) -> AttentionPlugin | None:
    """What a manifest says of an attention; None when it brings another thing."""
    try:
        document = tomllib.loads(manifest.read_text(encoding="utf-8"))
        api, attention = document["api"], document.get("attention")
        if attention is None:
            return None
        module = manifest.parent / Path(attention["module"]).name
        found = AttentionPlugin(attention["name"], document["title"], module)
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise refusal(
            "plugin.manifest",
            f"The plug-in {manifest.parent.name} has no usable {_MANIFEST}.",
            why=str(fault),
            fix="Remove its folder, or install it again.",
            where=str(manifest),
        ) from fault
    if api != API:
        raise refusal(
            "plugin.api",
            f"The plug-in {manifest.parent.name} is written for interface {api}; "
            f"this program has {API}.",
            fix="Update the plug-in or Snugtune.",
            where=str(manifest),
        )
    return found
