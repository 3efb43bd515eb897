"""The verb make-data: a model drafts, what it makes is kept, an order ends it."""

import pytest

from studio.domain.drafts import Review
from studio.domain.errors import ExitCode
from studio.engine import data_making
from studio.protocol.commands import Stop
from studio.protocol.data_events import DraftsMade
from studio.protocol.events import PhaseChanged, Progress, RunFailed
from studio.storage.draft_files import DraftFile
from tests.engine.helpers import carry_out, engine, of_kind

TEXT = "The lamp number {n} of the tower can be seen from far away at night. "


@pytest.fixture
def documents(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(20):
        (folder / f"{n:02}.txt").write_text(TEXT.format(n=n))
    return folder


@pytest.fixture
def order(documents, tmp_path, tiny_model):
    return {
        "out": tmp_path / "drafts.jsonl",
        "document": [documents],
        "model": str(tiny_model),
        "questions": 1,
        "address": None,
        "api_model": "",
        "allow_http": False,
    }


def test_that_every_passage_gets_its_drafts(order):
    code, events = carry_out("make-data", **order)
    assert code is ExitCode.OK, events[-1]
    made = events[-1]
    assert isinstance(made, DraftsMade)
    assert (made.passages, made.left, made.stopped) == (20, 0, False)
    stored = DraftFile(order["out"]).read()
    assert len(stored) == 20
    opened = [s for s in stored if s.draft.review is Review.OPEN]
    assert made.drafts == len(opened)
    assert sum(made.refused.values()) == 20 - len(opened)
    assert {s.draft.origin.made_by for s in stored} == {"tiny-llama"}
    last = of_kind(events, Progress)[-1]
    assert (last.done, last.total, last.unit) == (20, 20, "passages")


def test_that_nothing_is_loaded_when_all_passages_have_drafts(order, monkeypatch):
    carry_out("make-data", **order)
    monkeypatch.setattr(data_making, "load_model", None)
    code, events = carry_out("make-data", **order)
    assert code is ExitCode.OK
    assert (events[-1].drafts, events[-1].left) == (0, 0)


def test_that_what_the_model_is_asked_is_what_was_written(order, monkeypatch):
    asked = []

    def answers(_model, _tokenizer, prompts, _formats, most_tokens):
        asked.append((len(prompts), most_tokens))
        asks = "Question:" not in prompts[0]
        words = "What can be seen?" if asks else "The lamp of the tower."
        return [(prompt, words) for prompt in prompts]

    monkeypatch.setattr(data_making, "answers", answers)
    _, events = carry_out("make-data", **order)
    assert events[-1].drafts == 20
    assert asked == [(8, 64), (8, 160)] * 2 + [(4, 64), (4, 160)]
    first = DraftFile(order["out"]).read()[0].draft
    assert (first.question, first.answer) == (
        "What can be seen?",
        "The lamp of the tower.",
    )


def test_that_a_missing_document_ends_it_in_words(order, tmp_path):
    order["document"] = [tmp_path / "none.txt"]
    code, events = carry_out("make-data", **order)
    assert code is ExitCode.BAD_INPUT
    assert isinstance(events[-1], RunFailed)
    assert events[-1].kind == "documents.missing"
    assert not order["out"].exists()


def test_that_an_order_ends_it_and_the_next_one_goes_on(documents, order):
    for n in range(20, 400):
        (documents / f"{n}.txt").write_text(TEXT.format(n=n))
    arguments = ["make-data", order["out"], "--document", documents]
    with engine(*arguments, "--model", order["model"]) as process:
        while process.listen_until(Progress).stage != "Drafting":
            pass
        process.order(Stop())
        code, log = process.end()
    made = process.events[-1]
    assert code == ExitCode.OK, log
    assert isinstance(made, DraftsMade)
    assert made.stopped
    assert 0 < made.left <= 400
    kept = len(DraftFile(order["out"]).read()) if order["out"].exists() else 0
    assert kept == 400 - made.left


def test_that_a_signal_ends_it_and_keeps_whole_lines(documents, order):
    for n in range(20, 400):
        (documents / f"{n}.txt").write_text(TEXT.format(n=n))
    arguments = ["make-data", order["out"], "--document", documents]
    with engine(*arguments, "--model", order["model"]) as process:
        while process.listen_until(PhaseChanged).phase != "drafting":
            pass
        process.popen.terminate()
        process.end()
    made = process.events[-1]
    assert isinstance(made, DraftsMade)
    assert made.stopped
    if order["out"].exists():
        assert order["out"].read_bytes().endswith(b"\n")
        assert len(DraftFile(order["out"]).read()) == 400 - made.left


def test_that_an_address_drafts_without_a_model(order, monkeypatch):
    def ask(_address, prompts, _most_tokens):
        asks = "Question:" not in prompts[0]
        words = "What can be seen?" if asks else "The lamp of the tower."
        return [words] * len(prompts)

    monkeypatch.setattr("studio.system.chat_address.ChatAddress.ask", ask)
    monkeypatch.setattr(data_making, "load_model", None)
    order |= {"model": None, "address": "https://example.org/v1", "api_model": "big"}
    code, events = carry_out("make-data", **order)
    assert code is ExitCode.OK, events[-1]
    assert events[-1].drafts == 20
    stored = DraftFile(order["out"]).read()
    assert {s.draft.origin.made_by for s in stored} == {"big at example.org"}


def test_that_an_address_that_is_not_safe_ends_it_in_words(order):
    order |= {"model": None, "address": "http://example.org/v1", "api_model": "big"}
    code, events = carry_out("make-data", **order)
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "address.bad"
