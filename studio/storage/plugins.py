"""Bundled plug-ins: what each says of itself, read without running any of its code."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding

_MANIFEST = "plugin.toml"
_MERGED = "merged"
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


@dataclass(frozen=True, slots=True)
class ExporterPlugin:
    """A plug-in that writes merged models in another form.

    Attributes:
        name: As ``--to`` names it.
        title: For lists.
        forms: That it can write; the first is taken unless another is asked for.
        uses: What each of them is for, in a few words; empty where it isn't told.
        check: The file that looks before anything is done.
        module: The file that exports.
    """

    name: str
    title: str
    forms: tuple[str, ...]
    uses: tuple[str, ...]
    check: Path
    module: Path

    def form_named(self, form: str) -> str:
        """The form that was asked for; the first where none was.

        Raises:
            StudioError: It has no such form.
        """
        if form and form not in self.forms:
            raise refusal(
                "export.form",
                f"{self.title} has no form “{form}”.",
                fix=f"Give one of {', '.join(self.forms)}.",
                where="--form",
            )
        return form or self.forms[0]


def attention_plugin(root: Path, name: str) -> AttentionPlugin:
    """The plug-in that brings an attention.

    Args:
        root: Holds a folder for each plug-in.
        name: As a recipe names it.

    Raises:
        StudioError: None brings it, or its manifest can't be read.
    """
    for manifest in _manifests(root):
        found = _attention(manifest)
        if found is not None and found.name == name:
            return found
    raise refusal(
        "plugin.missing",
        f"No plug-in brings the attention “{name}”.",
        fix="Install Snugtune again, or set model.attention to sdpa.",
        where=str(root),
    )


def exporter_plugins(
    root: Path,
) -> tuple[tuple[ExporterPlugin, ...], tuple[Finding, ...]]:
    """All plug-ins that export.

    Args:
        root: Holds a folder for each plug-in.

    Returns:
        Those that can be used, by name, and what is wrong with the others.
    """
    usable, wrong = [], []
    for manifest in _manifests(root):
        try:
            found = _exporter(manifest)
        except StudioError as refused:
            wrong.append(refused.finding)
        else:
            usable += [found] if found else []
    return tuple(sorted(usable, key=lambda each: each.name)), tuple(wrong)


def exporter_plugin(root: Path, name: str) -> ExporterPlugin:
    """The plug-in that brings an exporter.

    Args:
        root: Holds a folder for each plug-in.
        name: As ``--to`` names it.

    Raises:
        StudioError: None brings it.
    """
    usable, wrong = exporter_plugins(root)
    for plugin in usable:
        if plugin.name == name:
            return plugin
    others = ", ".join(["adapter", "merged", *(each.name for each in usable)])
    raise refusal(
        "export.no-exporter",
        f"No plug-in that exports to {name} is installed.",
        why=" ".join(each.sentence() for each in wrong),
        fix=f"Export to one of {others}.",
        where="--to",
    )


def _manifests(root: Path) -> Iterator[Path]:
    yield from sorted(root.glob(f"*/{_MANIFEST}"))


def _attention(manifest: Path) -> AttentionPlugin | None:
    told = _read(manifest, "attention")
    if told is None:
        return None
    title, table = told
    try:
        return AttentionPlugin(table["name"], title, _beside(manifest, table["module"]))
    except (KeyError, TypeError) as fault:
        raise _unusable(manifest, str(fault)) from fault


def _exporter(manifest: Path) -> ExporterPlugin | None:
    told = _read(manifest, "exporter")
    if told is None:
        return None
    _, table = told
    try:
        forms = tuple(str(form) for form in table["forms"])
        uses = dict(table.get("uses", {}))
        found = ExporterPlugin(
            str(table["name"]),
            str(table["title"]),
            forms,
            tuple(str(uses.get(form, "")) for form in forms),
            _beside(manifest, table["check"]),
            _beside(manifest, table["module"]),
        )
        starts_from = table["starts_from"]
    except (KeyError, TypeError, ValueError) as fault:
        raise _unusable(manifest, str(fault)) from fault
    if starts_from != _MERGED or not found.forms:
        raise _unusable(manifest, "An exporter starts from merged, and has a form.")
    return found


def _read(manifest: Path, kind: str) -> tuple[str, dict[str, Any]] | None:
    """A plug-in's title and what it says of a kind; None when it brings another."""
    try:
        document = tomllib.loads(manifest.read_text(encoding="utf-8"))
        api, table = document["api"], document.get(kind)
        title = str(document["title"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise _unusable(manifest, str(fault)) from fault
    if table is None:
        return None
    if api != API:
        raise refusal(
            "plugin.api",
            f"The plug-in {manifest.parent.name} is written for interface {api}; "
            f"this program has {API}.",
            fix="Update the plug-in or Snugtune.",
            where=str(manifest),
        )
    return title, table


def _beside(manifest: Path, file: str) -> Path:
    return manifest.parent / Path(file).name


def _unusable(manifest: Path, why: str) -> StudioError:
    return refusal(
        "plugin.manifest",
        f"The plug-in {manifest.parent.name} has no usable {_MANIFEST}.",
        why=why,
        fix="Remove its folder, or install it again.",
        where=str(manifest),
    )
