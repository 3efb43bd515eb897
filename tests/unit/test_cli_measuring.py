import json
from dataclasses import replace
from pathlib import Path

import pytest

from studio.cli import measuring, pricing
from studio.domain.errors import ExitCode, StudioError
from studio.domain.hardware import MIB
from studio.domain.memory.estimate import Basis, Level
from studio.domain.memory.measurement import (
    Measurement,
    Peaks,
    Prediction,
    RanOut,
    Source,
)
from studio.domain.recipe import Recipe
from studio.protocol.codec import decode_event, encode, told_measurement
from studio.services.measured import subject_here
from studio.services.model_places import store
from studio.storage.measurements import MeasurementTable
from studio.system.machine import read_machine_once
from studio.system.paths import measurements_path

CONFIG = {"model_type": "llama", "hidden_size": 64, "vocab_size": 100}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return Recipe().with_value("model.name", str(tmp_path))


@pytest.fixture
def row(recipe):
    config = store().config_of(recipe.model.name)
    device = read_machine_once().device()
    return Measurement(
        subject=subject_here(device, config, recipe),
        source=Source.PROBE,
        when=0.0,
        tokens=1024,
        actual=Peaks(100 * MIB, 100 * MIB, 700 * MIB),
        phases={"load": Peaks(10 * MIB, 10 * MIB, 600 * MIB)},
        phase="backward",
        predicted={"dry-run": Prediction(Peaks(99 * MIB, 99 * MIB, 693 * MIB))},
    )


@pytest.fixture
def asked(monkeypatch):
    """What the engine is asked; it answers over the wire with `said`."""

    class Engine:
        said = None
        calls = ()

        def run(self, verb, *arguments, listener):
            self.calls = (*self.calls, (verb, *arguments))
            self.config = json.loads((Path(arguments[1]) / "config.json").read_text())
            return decode_event(encode(self.said))

    engine = Engine()
    monkeypatch.setattr(measuring, "run_engine", engine.run)
    return engine


def test_that_a_measurement_is_shown_as_an_estimate_beside_the_prediction(
    recipe, row, asked, capsys
):
    asked.said = told_measurement(row, 12.5)
    priced = measuring.measure(recipe, is_random=True)
    document = pricing.document(priced)
    assert document["basis"] == "measured"
    assert document["seconds"] == 12.5
    assert document["peak_bytes"]["device"] == 700 * MIB
    assert document["range_bytes"]["device"] == [700 * MIB, 700 * MIB]
    assert document["phase_peaks"] == {"load": 10 * MIB}
    pricing.say(priced)
    said = capsys.readouterr().out
    assert "Measured once" in said
    assert "1.0% over" in said
    ((verb, _, _, option),) = asked.calls
    assert (verb, option) == ("measure-memory", "--random-weights")
    assert asked.config == CONFIG


def test_that_a_recipe_which_does_not_fit_is_told_in_a_sentence(recipe, row, asked):
    ended = replace(row, ran_out=RanOut("backward", 5 * MIB, 95 * MIB))
    asked.said = told_measurement(ended, 1.0)
    with pytest.raises(StudioError) as refused:
        measuring.measure(recipe, is_random=True)
    assert refused.value.exit_code is ExitCode.OUT_OF_MEMORY
    assert "It does not fit" in refused.value.finding.sentence()


def test_that_a_model_without_weights_is_not_measured_unless_they_are_made_up(
    recipe, asked
):
    with pytest.raises(StudioError) as refused:
        measuring.measure(recipe, is_random=False)
    assert ".safetensors" in refused.value.finding.sentence()
    assert asked.calls == ()


def test_that_what_was_measured_is_found_again_by_its_basis(recipe, row):
    MeasurementTable(measurements_path()).add(row)
    priced = pricing.estimate(recipe, "", Basis.MEASURED)
    assert priced.estimate.basis is Basis.MEASURED
    assert priced.estimate.peak(Level.DEVICE).bytes == 700 * MIB


def test_that_lines_which_were_left_out_are_told(recipe, row, capsys):
    MeasurementTable(measurements_path()).add(row)
    with measurements_path().open("ab") as table:
        table.write(b"torn\n")
    pricing.estimate(recipe, "", Basis.MEASURED)
    assert "1 line is no measurement" in capsys.readouterr().err


def test_that_switches_that_were_not_measured_are_not_guessed(recipe, row):
    MeasurementTable(measurements_path()).add(row)
    priced = pricing.estimate(recipe, "", Basis.MEASURED, explain=True)
    assert priced.savings == ()
