"""`snugtune show`: everything that one run's folder tells."""

from typing import Annotated, Final

import typer

from studio.cli import terminal
from studio.cli.going_on import ways_on
from studio.cli.reports import run_document
from studio.domain.adaptive_rank import ranks_words
from studio.domain.memory.estimate import Level
from studio.domain.run import RunSnapshot
from studio.services.evaluations import (
    Kept,
    evaluations_of,
    figures_document,
    summary,
)
from studio.services.library import find_trained
from studio.services.resuming import can_resume
from studio.services.run_files import adapter_sha256, model_sha256
from studio.services.run_journal import saved_words, snapshot_of
from studio.storage.run_directory import RunDirectory

JSON_HELP: Final = """\
--json prints: run, directory, state, step, total_steps, engine_pid (while it runs), \
losses and held_out (step and nats a token), judged (of pairs: step and the share of \
held-out ones whose better answer is preferred), checkpoints (step and path), memory \
(predicted and actual bytes), final (adapter and adapter_sha256, or model and \
model_sha256 by file; steps that were done, of_step whose weights these are, \
held_out_loss of them, ranks of the adapted layers where they differ; null before one \
is saved), findings, failure, started_at, evaluations (of snugtune evaluate, the \
latest first: name, report, page, data, inputs, figures by measure and voice)."""


def show(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run’s name or its directory.")
    ],
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON.")
    ] = False,
) -> None:
    """Tell one run: how it stands, its losses, checkpoints, memory and adapter."""
    directory = find_trained(run)
    told = snapshot_of(directory)
    if json:
        terminal.say_json(document(directory, told))
    else:
        _say(told)


def document(directory: RunDirectory, told: RunSnapshot) -> dict[str, object]:
    """A run for programs."""
    return run_document(told) | {
        "engine_pid": None if told.state.is_over else _pid(told),
        "losses": [{"step": point.step, "loss": point.loss} for point in told.steps],
        "held_out": [
            {"step": point.step, "loss": point.loss} for point in told.held_out
        ],
        "judged": [
            {"step": point.step, "accuracy": point.accuracy} for point in told.judged
        ],
        "checkpoints": [
            {"step": step, "path": path} for step, path in told.checkpoints
        ],
        "memory": _memory(told),
        "final": _final(directory, told),
        "evaluations": [_evaluation(kept) for kept in evaluations_of(directory.path)],
    }


def _evaluation(kept: Kept) -> dict[str, object]:
    found = kept.evaluation
    return {
        "name": found.name,
        "report": str(kept.path),
        "page": str(kept.page),
        "data": found.data or None,
        "inputs": found.inputs,
        "figures": figures_document(found),
    }


def _pid(told: RunSnapshot) -> int | None:
    return told.engine.pid if told.engine else None


def _memory(told: RunSnapshot) -> dict[str, object]:
    """Predicted beside actual bytes, at the outermost level that both tell."""
    if told.compared is None:
        return {"predicted": None, "actual": told.peak_bytes}
    for level in reversed(Level):
        actual, predicted = (
            told.compared.actual.at(level),
            told.compared.predicted.at(level),
        )
        if actual is not None and predicted:
            figures: dict[str, object] = {"predicted": predicted, "actual": actual}
            return figures | told.compared.document()
    return {"predicted": None, "actual": told.peak_bytes} | told.compared.document()


def _final(directory: RunDirectory, told: RunSnapshot) -> dict[str, object] | None:
    saved: dict[str, object] = {}
    if told.adapter is not None and (digest := adapter_sha256(directory)):
        saved = {"adapter": str(directory.adapter_path), "adapter_sha256": digest}
    elif told.model is not None:
        digests = model_sha256(directory)
        saved = {"model": str(directory.model_path), "model_sha256": digests}
    if not saved:
        return None
    losses = told.held_out_before_and_after()
    return {
        **saved,
        "steps": told.step,
        "of_step": told.saved_step or told.step,
        "held_out_loss": losses[1] if losses else None,
        "merged": told.merged,
        "ranks": dict(told.ranks),
    }


def _say(told: RunSnapshot) -> None:
    rows = [
        ("State", told.state.value),
        (
            "Steps",
            f"{told.step:,} of {told.total_steps:,}" if told.total_steps else "-",
        ),
        ("Saved", saved_words(told)),
    ]
    if told.steps:
        rows.append(("Training loss", f"{told.steps[-1].loss:.4f}"))
    if told.held_out_loss is not None:
        rows.append(("Held-out loss", f"{told.held_out_loss:.4f}"))
    if told.judged:
        share = f"{told.judged[-1].accuracy:.0%} of held-out pairs"
        rows.append(("Better answers preferred", share))
    if told.ranks:
        rows.append(("Adapter", ranks_words(told.ranks)))
    if told.compared is not None and told.compared.sentence():
        rows.append(("Memory", told.compared.sentence()))
    for kept in evaluations_of(told.directory):
        words = f"{kept.evaluation.name}: {summary(kept.evaluation)}"
        rows.append(("Evaluated", words))
    rows.append(("Folder", str(told.directory)))
    terminal.say_table((told.name, ""), rows)
    if told.failure is not None:
        terminal.say_finding(told.failure)
    if can_resume(told):
        for way in ways_on(told):
            terminal.say(way)
