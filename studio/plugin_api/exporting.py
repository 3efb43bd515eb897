"""The contribution point for exporters: other forms of a merged model's files.

A plug-in is a folder with a ``plugin.toml`` whose table ``exporter`` says all that is
shown before any of its code runs::

    [exporter]
    name = "gguf"                  # as --to names it; unique
    title = "GGUF"                 # for lists
    starts_from = "merged"         # the folder that is handed over
    forms = ["f16", "q8_0"]        # for --form; the first unless one is asked for
    check = "check.py"             # an `ExportCheckModule`
    module = "exporter.py"         # an `ExporterModule`

    [exporter.uses]                # what each form is for, for people; may be left out
    q8_0 = "half the size"

The check is read by the window and the terminal, so it loads nothing heavy. The module
is read by the engine alone, when something is exported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from studio.domain.finding import Finding, Severity


class Tell(Protocol):
    """Hears how far an export is; a wish to end it is raised from here."""

    def __call__(self, stage: str, done: float, total: float, unit: str) -> None:
        """Report, as often as a piece of the work is done.

        Args:
            stage: In words, such as ``Writing the weights``.
            done: Of `total`.
            total: More than 0.
            unit: Of both, such as ``MiB`` or ``tensors``.
        """


@dataclass(frozen=True, slots=True)
class Proof:
    """What an exporter found when it read back what it had written.

    Attributes:
        findings: An error keeps what was written from being published.
        report: The name of a page for people in the folder; empty without one.
        figures: What was compared, by name, in words.
        is_judged: Whether that was enough to say that nothing speaks against it.
    """

    findings: tuple[Finding, ...] = ()
    report: str = ""
    figures: tuple[tuple[str, str], ...] = ()
    is_judged: bool = True

    @property
    def is_passed(self) -> bool:
        """Whether nothing speaks against publishing."""
        return all(each.severity is not Severity.ERROR for each in self.findings)


class ExportCheckModule(Protocol):
    """What the file that a manifest calls ``check`` must hold.

    Both functions read small files and the headers of large ones, and import neither
    torch nor its libraries. They are asked before training with the base model's
    folder, and before an export with the merged model's, which has the same layout.
    """

    @staticmethod
    def check(source: Path, form: str) -> Sequence[Finding]:
        """What speaks against an export, before any work for it is done.

        Args:
            source: A model's folder: config.json, tokenizer, safetensors.
            form: One of the manifest's.

        Returns:
            Errors where it can't be exported, warnings where something is lost.
        """

    @staticmethod
    def size_bytes(source: Path, form: str) -> int:
        """What the files of an export take on the disk, never too little."""


class ExporterModule(Protocol):
    """What the file that a manifest calls ``module`` must hold."""

    @staticmethod
    def export(source: Path, out: Path, form: str, tell: Tell) -> Proof:
        """Write a model in another form, and read it back.

        Args:
            source: A merged model's folder, which stays as it is. ``parity.json`` in
                it holds the prompts that the trained model was asked, with its answers.
            out: An empty folder to fill. It gets its final name when everything in it
                is on the disk; it is removed if the export fails or is killed.
            form: One of the manifest's.
            tell: Is told how far it is.

        Raises:
            StudioError: It can't be done, in words.
            OSError: The disk refuses.
        """
