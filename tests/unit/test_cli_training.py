"""What a run in the terminal came to, told from its events."""

import pytest

from studio.cli.terminal import ProgressDisplay
from studio.cli.training import RunReport, say_report
from studio.domain.recipe import Recipe
from studio.protocol.adapter_events import RanksSpread
from studio.protocol.codec import encode
from studio.protocol.events import (
    EvalFinished,
    RunFinished,
    SampleProduced,
)
from studio.storage.run_directory import RunDirectory

LOSSES = {0: 3.0, 4: 2.0, 8: 2.5}
ENDS = {
    "patient": RunFinished(adapter="adapter", steps=8, saved_step=4, waited=1),
    "by hand": RunFinished(adapter="adapter", steps=8, saved_step=4, stopped=True),
    "last": RunFinished(adapter="adapter", steps=8),
}


@pytest.fixture
def report_of(tmp_path):
    def heard(end):
        directory = RunDirectory.create(tmp_path, "run", Recipe())
        with ProgressDisplay() as display:
            report = RunReport(directory, display)
            for step, loss in LOSSES.items():
                report.hear(EvalFinished(step=step, loss=loss, rows=1))
                said = SampleProduced(step=step, prompt="Why?", text=f"At {step}.")
                report.hear(said)
            report.hear(ENDS[end])
        return report

    return heard


@pytest.mark.parametrize(
    ("end", "sentence", "after", "step"),
    [
        (
            "patient",
            (
                "Stopped at step 8: no better held-out loss in 1 measurement; the "
                "best, of step 4, is what was saved."
            ),
            2.0,
            4,
        ),
        (
            "by hand",
            "Stopped after step 8; the best, of step 4, is what was saved.",
            2.0,
            4,
        ),
        ("last", "", 2.5, 8),
    ],
)
def test_that_the_report_is_of_the_weights_that_were_saved(
    end, sentence, after, step, report_of, capsys
):
    report = report_of(end)
    document = report.document()
    assert document["saved_step"] == step
    assert document["held_out_loss"] == {"before": 3.0, "after": after}
    capsys.readouterr()
    say_report(report)
    said = " ".join(capsys.readouterr().out.split())
    assert sentence in said
    assert f"{after:.4f} after: lower." in said
    assert f"At {step}." in said
    assert f"At {12 - step}." not in said


def test_that_the_report_tells_ranks_that_differ(report_of, capsys):
    report = report_of("last")
    journal = report.directory.journal_path
    journal.write_bytes(encode(RanksSpread(step=8, ranks={"a": 4, "b": 8})))
    capsys.readouterr()
    say_report(report)
    said = " ".join(capsys.readouterr().out.split())
    assert "Ranks from 4 to 8 over 2 layers, 6 on average." in said
