"""A finding whose words name flags, as terminal and window say it."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.cli import terminal
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, error, warning
from studio.domain.hub_names import repository_name
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.recipe import Recipe
from studio.engine.failures import put_into_words
from studio.services.library import find_run
from studio.services.process_outcome import ProcessOutcome
from studio.storage.tables.opening import missing
from studio.system.chat_address import address_of
from studio.ui.pages.finding_text import finding_text
from studio.ui.pages.recipe.open_points import finding_texts
from studio.ui.pages.window_words import in_window


def from_the_engine(refused: StudioError) -> Finding:
    """What a window or terminal makes of a verb's last word."""
    word = put_into_words(refused).word
    found = ProcessOutcome(exit_code=refused.exit_code, last_word=word).finding()
    assert found is not None
    return found


def nothing_merged() -> StudioError:
    return refusal(
        "export.nothing-merged",
        "Nothing is merged here.",
        fix="Leave --as-trained out, or ask for the merged model of an adapter.",
        where="--as-trained",
    )


def refused_by(function, *given) -> StudioError:
    with pytest.raises(StudioError) as refused:
        function(*given)
    return refused.value


def test_that_the_window_names_its_control_where_the_terminal_names_a_flag(capsys):
    found = from_the_engine(nothing_merged())
    terminal.say_finding(found)
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("Error: --as-trained: Nothing is merged here. Leave")
    text = finding_text(found)
    assert text.what == "Nothing is merged here."
    assert text.consequence == (
        "Untick “As trained, 4 bits unpacked”, or tick “Merged model” too."
    )


def test_that_a_flag_is_no_place_in_the_window():
    found = refused_by(repository_name, "cheese").finding
    assert found.where == "--to"
    assert in_window(found).where == "Repository"
    assert "--" not in finding_text(found).consequence
    unnamed = error("export.form", "It has no such form.", where="--form")
    assert finding_text(unnamed).consequence == ""


def test_that_an_engines_place_becomes_the_controls_name():
    for code, wanted in {
        "merge.overflow": "Format of the merged weights: Too large for fp16.",
        "export.no-exporter": "Too large for fp16.",
    }.items():
        told = refusal(code, "Too large for fp16.", where="--dtype")
        assert finding_text(from_the_engine(told)).what == wanted


def test_that_a_flag_without_a_control_is_said_to_be_the_terminals():
    found = refused_by(address_of, "http://example.org/v1", "m")
    text = finding_text(from_the_engine(found))
    assert text.what.startswith("Address: The address isn't encrypted")
    assert text.consequence.startswith("Give an https address. In a terminal, ")
    other = refused_by(address_of, "example", "m")
    advice = in_window(from_the_engine(other)).how_to_fix
    assert advice == "Give one such as https://example.org/v1."


def test_that_the_window_names_a_page_where_the_terminal_names_a_command(capsys):
    found = refused_by(find_run, "zzz").finding
    terminal.say_finding(found)
    assert "snugtune " in " ".join(capsys.readouterr().err.split())
    text = finding_text(found)
    assert text.what == "There is no run “zzz”."
    assert text.consequence.startswith("Look at the Runs page")
    assert "RUN" not in text.consequence


def test_that_the_name_of_an_argument_is_no_place_in_the_window():
    refused = refusal("combine.ranks", "Ranks differ.", where="RUN_OR_ADAPTER")
    assert from_the_engine(refused).what == "RUN_OR_ADAPTER: Ranks differ."
    assert finding_text(from_the_engine(refused)).what == "Ranks differ."


def test_that_data_that_was_not_fetched_is_told_to_each_in_its_words():
    found = missing(Path("hub:me/cheese")).finding
    assert found.how_to_fix == "Fetch it by snugtune data fetch hub:me/cheese."
    assert in_window(found).how_to_fix == (
        "Fetch it on the Data page, by “From the Hugging Face hub…”."
    )


def test_that_a_run_that_waits_in_vain_names_no_command_once_it_is_told():
    waits = warning("queue.not-started", "a was not started.", fix="It stays.")
    assert in_window(waits) == waits
    fix = "Fetch it by snugtune data fetch hub:me/cheese. It stays."
    assert "snugtune" not in in_window(replace(waits, how_to_fix=fix)).how_to_fix


@pytest.mark.parametrize(
    "found",
    [
        error("export.place-taken", "Taken.", fix="Take another.", where="/a/--b"),
        error("of.another", "It is so.", fix="Start llama-server with --jinja."),
    ],
)
def test_that_what_names_no_flag_of_ours_stays_as_it_is(found):
    assert in_window(found) == found


def test_that_the_recipe_page_speaks_of_its_own_dry_run():
    recipe = Recipe().with_value("train.label_smoothing", 0.1)
    found = outside_formula(recipe)
    assert found is not None
    (text,) = finding_texts([found], (), 0)
    assert "--basis" in found.how_to_fix
    assert text.consequence.startswith("The dry run prices it")
