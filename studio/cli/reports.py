"""The commands that only look: hardware, runs, doctor."""

from datetime import UTC, datetime

import msgspec

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.cli.hardware_report import say_machine
from studio.domain.errors import ExitCode
from studio.domain.machine_summary import MachineSummary
from studio.domain.run import RunSnapshot
from studio.protocol.events import Diagnosed, EngineEvent
from studio.services.library import all_runs
from studio.services.run_journal import newest_first, snapshot_of
from studio.system.machine import read_machine_once


def hardware(*, json: bool) -> None:
    """Print what this machine has and what is free of it."""
    reading = read_machine_once()
    if json:
        terminal.say_json(msgspec.to_builtins(reading, enc_hook=dict))
        return
    say_machine(reading)


def runs(*, json: bool) -> None:
    """Print all runs, newest first."""
    snapshots = newest_first(map(snapshot_of, all_runs()))
    if json:
        terminal.say_json([run_document(snapshot) for snapshot in snapshots])
    elif snapshots:
        header = ("Run", "State", "Steps", "Held-out loss", "At most", "When")
        terminal.say_table(header, [_run_row(snapshot) for snapshot in snapshots])
    else:
        terminal.say("No runs yet. snugtune demo makes one.")


def doctor(*, json: bool) -> ExitCode:
    """Check the training stack in a process of its own; say what failed."""
    checks: list[Diagnosed] = []

    def hear(event: EngineEvent) -> None:
        if isinstance(event, Diagnosed):
            checks.append(event)

    run_engine("doctor", listener=hear)
    if json:
        terminal.say_json(
            [{"check": c.check, "passed": c.passed, "detail": c.detail} for c in checks]
        )
    else:
        rows = [("ok" if c.passed else "FAILED", c.check, c.detail) for c in checks]
        terminal.say_table(("", "Check", "Detail"), rows)
    passed = bool(checks) and all(check.passed for check in checks)
    return ExitCode.OK if passed else ExitCode.FAILED


def _run_row(snapshot: RunSnapshot) -> tuple[str, ...]:
    losses = snapshot.held_out_before_and_after()
    return (
        snapshot.name,
        snapshot.state.value,
        f"{snapshot.step} of {snapshot.total_steps}" if snapshot.total_steps else "-",
        f"{losses[0]:.4f} -> {losses[1]:.4f}" if losses else "not measured",
        _at_most(snapshot.machine),
        _when(snapshot.started_at),
    )


def _at_most(machine: MachineSummary | None) -> str:
    """Highest temperature and power; a run on the processor has none to tell."""
    if machine is None or machine.hottest_c is None:
        return "-"
    power = "" if machine.most_power_w is None else f", {machine.most_power_w:.0f} W"
    return f"{machine.hottest_c} °C{power}"


def run_document(snapshot: RunSnapshot) -> dict[str, object]:
    """A run for programs, in short."""
    losses = snapshot.held_out_before_and_after()
    failure = snapshot.failure
    return {
        "run": snapshot.name,
        "directory": str(snapshot.directory),
        "state": snapshot.state.value,
        "step": snapshot.step,
        "total_steps": snapshot.total_steps,
        "engine_pid": snapshot.engine.pid if snapshot.engine else None,
        "held_out_loss": {"before": losses[0], "after": losses[1]} if losses else None,
        "adapter": snapshot.adapter,
        "model": snapshot.model,
        "merged": snapshot.merged,
        "memory": snapshot.compared.document() if snapshot.compared else None,
        "machine": snapshot.machine.document() if snapshot.machine else None,
        "findings": [finding.sentence() for finding in snapshot.findings],
        "failure": failure.sentence() if failure else None,
        "started_at": _when(snapshot.started_at),
    }


def _when(moment: float | None) -> str:
    if moment is None:
        return "-"
    local = datetime.fromtimestamp(moment, UTC).astimezone()
    return local.strftime("%Y-%m-%d %H:%M")
