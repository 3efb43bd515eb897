"""Evaluations: base and tuned model on rows that were not trained on."""

import argparse
import json
import shutil

import pytest
import torch

from studio.domain.errors import ExitCode
from studio.domain.evaluation import BASE, TUNED, Measure, Seen
from studio.engine import generation
from studio.engine.devices import Formats
from studio.engine.evaluating import hearing
from studio.engine.model_loading import load_plain
from studio.engine.tokenizer_loading import load_tokenizer
from studio.engine.verbs import run_verb
from studio.protocol.commands import Stop
from studio.protocol.evaluation_events import Evaluated
from studio.protocol.events import EvalFinished, Judged, RunFailed, Warned
from studio.storage.evaluations import FOLDER, read_evaluation
from tests.engine import tiny
from tests.engine.helpers import Heard, carry_out, new_run, of_kind, recipe_for, train
from tests.engine.test_judged_methods import PAIRS, RATED

LEARNT = {"train__max_steps": 30, "train__learning_rate": 0.005}
DEFAULTS = {
    "data": None,
    "columns": [],
    "rows": 0,
    "also": [],
    "max_new_tokens": 16,
    "lowercase": False,
    "out": None,
}


def trained(folder, recipe):
    """A run, and what it said."""
    run = new_run(folder, recipe)
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    return run, events


@pytest.fixture(scope="module")
def run_and_events(tmp_path_factory, tiny_qwen):
    folder = tmp_path_factory.mktemp("trained")
    data = tiny.write_chats(folder / "chats.jsonl")
    options = {**LEARNT, "train__save_steps": 10}
    return trained(folder, recipe_for(tiny_qwen, data, **options))


@pytest.fixture
def run(run_and_events, tmp_path):
    """A copy of a run that learnt the answers by heart."""
    ran, _ = run_and_events
    copy = shutil.copytree(ran.path, tmp_path / "runs" / "run-1")
    return type(ran)(copy)


def order_for(run, **options):
    return {"run": run.path, **DEFAULTS, **options}


def evaluated(run, **options):
    """What an evaluation found, and what was said meanwhile."""
    code, events = carry_out("evaluate", **order_for(run, **options))
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], Evaluated)
    path = events[-1].report
    return read_evaluation(type(run.path)(path)), events


def figure(found, measure, voice=TUNED):
    return found.voice(voice).figures[measure]


def rows_about(*numbers, answer="Aye, number {n} is a fine Brie."):
    return [
        {"question": f"Which cheese is number {n}?", "answer": answer.format(n=n)}
        for n in numbers
    ]


def codes(events):
    return {event.finding.code for event in of_kind(events, Warned)}


def test_that_losses_are_those_of_the_run_itself(run, run_and_events):
    found, _ = evaluated(run)
    _, events = run_and_events
    before, *_, after = [each.loss for each in of_kind(events, EvalFinished)]
    assert figure(found, Measure.LOSS, BASE).value == pytest.approx(before, rel=1e-5)
    assert figure(found, Measure.LOSS).value == pytest.approx(after, rel=1e-5)
    assert figure(found, Measure.PERPLEXITY).value == pytest.approx(
        torch.tensor(figure(found, Measure.LOSS).value).exp().item(), rel=1e-5
    )
    assert (found.inputs, found.rows, found.data) == (4, 4, "")
    assert figure(found, Measure.LOSS).change.low is None


def test_that_the_report_lies_in_the_runs_folder_for_people_too(run):
    found, events = evaluated(run)
    folder = run.path / FOLDER
    assert {path.name for path in folder.iterdir()} == {
        "held-out.json",
        "held-out.html",
    }
    assert events[-1].page == str(folder / "held-out.html")
    page = (folder / "held-out.html").read_text()
    assert "Evaluation of run-1" in page
    assert "the run’s own held-out rows: 4 inputs" in page
    assert found.compared[0].prompt in page
    assert "<script" not in page
    assert evaluated(run)[0].name == "held-out-2"


def test_that_a_report_can_lie_elsewhere(run, tmp_path):
    evaluated(run, out=tmp_path / "out")
    assert (tmp_path / "out" / "held-out.json").is_file()
    assert not (run.path / FOLDER).exists()


def test_that_better_is_said_of_what_was_learnt(run, tmp_path):
    data = tiny.write_chats(tmp_path / "all.jsonl")
    found, events = evaluated(run, data=data)
    assert found.inputs == 40
    for measure in (Measure.LOSS, Measure.ROUGE_L, Measure.BLEU):
        change = figure(found, measure).change
        assert change.verdict(measure).value == "better"
        assert change.low <= change.difference <= change.high
    assert figure(found, Measure.ROUGE_L, BASE).change is None
    assert "evaluation.seen" in codes(events)
    assert found.terms.bleu.startswith("nrefs:1|case:mixed")
    assert "trained on" in found.findings[-1]


def test_that_rows_that_were_trained_on_are_found(run, tmp_path):
    own, _ = evaluated(run)
    held = {each.prompt for each in own.compared}
    trained_on = next(
        n for n in range(40) if f"Which cheese is number {n}?" not in held
    )
    rows = [
        *rows_about(trained_on),
        *rows_about(77),
    ]
    other = next(
        n
        for n in range(39, 0, -1)
        if f"Which cheese is number {n}?" not in held and n != trained_on
    )
    rows += rows_about(other, answer="Nobody knows {n}.")
    data = tiny.write_chats(tmp_path / "new.jsonl", rows)
    found, events = evaluated(run, data=data)
    assert [each.seen for each in found.compared] == [
        Seen.ROW,
        Seen.NEVER,
        Seen.QUESTION,
    ]
    (told,) = [each for each in found.findings if "trained on" in each]
    assert "2 of 3 inputs were trained on, 1 of them with the very answer" in told
    assert "evaluation.seen" in codes(events)


def test_that_answers_to_one_question_are_gathered(run, tmp_path):
    rows = [*rows_about(50), *rows_about(51), *rows_about(50, answer="A Gouda, {n}.")]
    data = tiny.write_chats(tmp_path / "new.jsonl", [*rows, rows[0]])
    found, _ = evaluated(run, data=data)
    first, second = found.compared
    assert first.references == ("Aye, number 50 is a fine Brie.", "A Gouda, 50.")
    assert first.lines == (1, 3, 4)
    assert second.lines == (2,)
    assert (found.inputs, found.rows) == (2, 4)


def test_that_chosen_inputs_are_spread_over_the_file(run, tmp_path):
    data = tiny.write_chats(tmp_path / "new.jsonl", rows_about(*range(60, 70)))
    found, _ = evaluated(run, data=data, rows=5)
    assert [each.lines for each in found.compared] == [(1,), (3,), (5,), (7,), (9,)]
    assert (found.inputs, found.of_inputs) == (5, 10)


@pytest.mark.parametrize("columns", [[], ["question=ask", "answer=say"]])
def test_that_columns_are_read_as_the_runs_own_or_as_told(tiny_qwen, tmp_path, columns):
    def written(name, ask, say):
        rows = [
            {ask: row["question"], say: row["answer"], "noise": "?"}
            for row in rows_about(*range(12))
        ]
        return tiny.write_chats(tmp_path / name, rows)

    own = written("own.jsonl", "mr", "ref")
    recipe = recipe_for(
        tiny_qwen, own, data__columns=("question=Say {mr}", "answer=ref")
    )
    run, _ = trained(tmp_path, recipe)
    other = written("other.jsonl", "ask", "say") if columns else own
    found, _ = evaluated(run, data=other, columns=columns)
    asked = {each.prompt for each in found.compared}
    before = "" if columns else "Say "
    assert asked == {f"{before}{row['question']}" for row in rows_about(*range(12))}


def test_that_another_form_of_file_is_recognised_for_itself(tiny_qwen, tmp_path):
    rows = [{"mr": r["question"], "ref": r["answer"]} for r in rows_about(*range(12))]
    own = tiny.write_chats(tmp_path / "own.jsonl", rows)
    columns = ("question=mr", "answer=ref")
    run, _ = trained(tmp_path, recipe_for(tiny_qwen, own, data__columns=columns))
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    assert evaluated(run, data=data)[0].inputs == 40


TEXTS = [
    "Which cheese is number 7?",
    "Which?",
    "number 12 is a fine Brie, and number 13 is another one, is it not? Aye, number 2.",
    "Brie",
    "Which cheese is number 31? And which is number 8?",
]
PLAIN = Formats(torch.float32, torch.float32, torch.float32, autocast=False)


@pytest.mark.parametrize("family", ["llama", "qwen"])
def test_that_batched_answers_are_those_given_alone(family, tmp_path):
    folder = tiny.make_model(tmp_path / family, family)
    model, tokenizer = load_plain(folder, torch.float32), load_tokenizer(folder)
    model.eval()

    def answered(texts):
        return generation.answered(model, tokenizer, texts, PLAIN, 24)

    alone = [answered([text])[0] for text in TEXTS]
    assert answered(TEXTS) == alone
    assert len(set(alone)) > 1


def test_that_an_evaluation_doesnt_depend_on_how_many_go_together(
    run, tmp_path, monkeypatch
):
    data = tiny.write_chats(tmp_path / "new.jsonl", rows_about(5, 6, 77, 78, 1234))
    together, _ = evaluated(run, data=data)
    monkeypatch.setattr(
        "studio.engine.evaluating.together.Together.__init__.__defaults__", (1,)
    )
    alone, _ = evaluated(run, data=data)
    for one, other in zip(together.compared, alone.compared, strict=True):
        for voice in (BASE, TUNED):
            assert one.said[voice].text == other.said[voice].text
            assert one.said[voice].loss == pytest.approx(other.said[voice].loss)


def test_that_fewer_go_together_when_memory_runs_out(run, tmp_path, monkeypatch):
    data = tiny.write_chats(tmp_path / "new.jsonl", rows_about(*range(60, 69)))
    whole, _ = evaluated(run, data=data)
    sizes = []

    def short(model, tokenizer, asked, *rest):
        sizes.append(len(asked))
        if len(asked) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return generation.answered(model, tokenizer, asked, *rest)

    monkeypatch.setattr(hearing, "answered", short)
    found, events = evaluated(run, data=data)
    assert sizes[:4] == [8, 4, 2, 2]
    assert "evaluation.less-together" in codes(events)
    assert found.compared == whole.compared
    assert found.voices == whole.voices


def test_that_memory_for_not_even_one_ends_it(run, monkeypatch):
    def never(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(hearing, "answered", never)
    code, events = carry_out("evaluate", **order_for(run))
    assert code is ExitCode.OUT_OF_MEMORY
    assert isinstance(events[-1], RunFailed)
    assert not (run.path / FOLDER).exists()


def test_that_an_order_to_stop_leaves_nothing(run, monkeypatch):
    heard = Heard()

    def stopping(*arguments):
        heard.session.orders.take(Stop())
        return generation.answered(*arguments)

    monkeypatch.setattr(hearing, "answered", stopping)
    run_verb(heard.session, argparse.Namespace(verb="evaluate", **order_for(run)))
    last = heard.events()[-1]
    assert isinstance(last, RunFailed)
    assert last.kind == "interrupted"
    assert not (run.path / FOLDER).exists()


def test_that_an_input_without_room_for_an_answer_is_not_asked(run, tmp_path):
    rows = [*rows_about(60), {"question": "cheese? " * 150, "answer": "Brie."}]
    data = tiny.write_chats(tmp_path / "new.jsonl", rows)
    recipe = run.recipe_path
    recipe.write_text(
        recipe.read_text().replace("sequence_length = 128", "sequence_length = 512")
    )
    found, _ = evaluated(run, data=data, max_new_tokens=300)
    short, long = found.compared
    assert short.said[TUNED].text is not None
    assert long.said[TUNED].text is None
    assert long.said[TUNED].loss > 0
    assert "1 inputs leave the model no room for an answer" in found.findings[-1]


def test_that_a_checkpoint_and_a_merged_model_can_be_asked_too(run, tmp_path):
    code, _ = carry_out(
        "merge", run=run.path, out=tmp_path / "merged", dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK
    found, _ = evaluated(run, also=["step-10", str(tmp_path / "merged")])
    assert [voice.name for voice in found.voices] == [BASE, TUNED, "step-10", "merged"]
    losses = [voice.figures[Measure.LOSS].value for voice in found.voices]
    assert losses[1] < losses[2] < losses[0]
    # Merged into the unquantised base, which the run never saw.
    assert losses[3] == pytest.approx(losses[1], rel=0.05)


def test_that_a_voice_that_isnt_there_is_refused(run):
    code, events = carry_out("evaluate", **order_for(run, also=["step-11"]))
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "evaluation.no-voice"


def test_that_a_run_that_saved_nothing_is_refused(tmp_path, tiny_qwen, chat_file):
    run = new_run(tmp_path, recipe_for(tiny_qwen, chat_file))
    code, events = carry_out("evaluate", **order_for(run))
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "run.no-adapter"


def test_that_data_that_is_gone_is_told_where_another_file_is_named(run, tmp_path):
    recipe = run.recipe_path
    recipe.write_text(recipe.read_text().replace("chats.jsonl", "gone.jsonl"))
    data = tiny.write_chats(tmp_path / "new.jsonl", rows_about(60))
    _, events = evaluated(run, data=data)
    assert "evaluation.seen-unknown" in codes(events)
    code, _ = carry_out("evaluate", **order_for(run))
    assert code is ExitCode.BAD_INPUT


def test_that_data_that_was_changed_is_told(run, tmp_path):
    recipe = run.recipe_path
    data = tiny.write_chats(tmp_path / "more.jsonl", tiny.chats(44))
    own = run.read_recipe().data.path
    recipe.write_text(recipe.read_text().replace(own, str(data)))
    _, events = evaluated(run)
    assert "evaluation.data-changed" in codes(events)


def test_that_a_run_of_all_weights_is_measured_beside_its_base(tmp_path, tiny_qwen):
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    recipe = recipe_for(
        tiny_qwen,
        data,
        train__weights="all",
        model__precision="fp32",
        train__learning_rate=1e-3,
        train__max_steps=10,
    )
    run, events = trained(tmp_path, recipe)
    found, _ = evaluated(run)
    before, *_, after = [each.loss for each in of_kind(events, EvalFinished)]
    assert figure(found, Measure.LOSS, BASE).value == pytest.approx(before, rel=1e-5)
    assert figure(found, Measure.LOSS).value == pytest.approx(after, rel=1e-4)


@pytest.mark.parametrize("variant", ["loftq", "pissa"])
def test_that_the_base_is_heard_without_what_an_adapter_took_from_it(
    tmp_path, tiny_qwen, run, variant
):
    plain, _ = evaluated(run)
    data = run.read_recipe().data.path
    recipe = recipe_for(tiny_qwen, data, lora__variant=variant, **LEARNT)
    other, events = trained(tmp_path, recipe)
    found, _ = evaluated(other)
    assert figure(found, Measure.LOSS, BASE) == figure(plain, Measure.LOSS, BASE)
    base = [each.said[BASE].text for each in plain.compared]
    assert [each.said[BASE].text for each in found.compared] == base
    after = of_kind(events, EvalFinished)[-1].loss
    assert figure(found, Measure.LOSS).value == pytest.approx(after, rel=2e-3)


@pytest.mark.parametrize("method", ["dpo", "orpo"])
def test_that_pairs_are_judged_as_the_method_judges_them(tmp_path, tiny_qwen, method):
    # Few steps, so that some pairs are still judged wrongly.
    data = tiny.write_chats(tmp_path / "pairs.jsonl", PAIRS)
    recipe = recipe_for(
        tiny_qwen,
        data,
        train__method=method,
        train__max_steps=3,
        train__learning_rate=1e-3,
        data__held_out=0.5,
    )
    run, events = trained(tmp_path, recipe)
    found, _ = evaluated(run)
    last = [each for each in of_kind(events, Judged) if each.is_held_out][-1]
    measure = Measure.JUDGED if method == "dpo" else Measure.LIKELIER
    assert figure(found, measure).value == pytest.approx(last.accuracy)
    assert Measure.LIKELIER in found.measures
    assert Measure.LOSS not in found.measures
    if method == "dpo":
        assert figure(found, Measure.JUDGED, BASE).value == 0.5
    first = found.compared[0]
    assert [len(each.references) for each in found.compared] == [2] * 12
    assert first.said[TUNED].margin is not None


def test_that_verdicts_are_judged_by_what_became_likelier(tmp_path, tiny_qwen):
    data = tiny.write_chats(tmp_path / "rated.jsonl", RATED)
    recipe = recipe_for(
        tiny_qwen, data, train__method="kto", data__held_out=0.5, **LEARNT
    )
    run, _ = trained(tmp_path, recipe)
    found, _ = evaluated(run)
    assert found.measures == (Measure.JUDGED,)
    assert figure(found, Measure.JUDGED, BASE).value == 0.5
    assert figure(found, Measure.JUDGED).value > 0.8
    assert (
        figure(found, Measure.JUDGED).change.verdict(Measure.JUDGED).value == "better"
    )


def test_that_liked_answers_are_references_to_a_run_that_learnt_from_chats(
    run, tmp_path
):
    data = tiny.write_chats(tmp_path / "rated.jsonl", RATED)
    found, _ = evaluated(run, data=data, rows=3)
    assert found.of_inputs == 24
    assert found.compared[0].references == (PAIRS[0]["chosen"],)
    assert Measure.BLEU in found.measures


def test_that_a_run_on_pairs_can_answer_questions(tmp_path, tiny_qwen):
    data = tiny.write_chats(tmp_path / "pairs.jsonl", PAIRS)
    run, _ = trained(tmp_path, recipe_for(tiny_qwen, data, train__method="dpo"))
    questions = tiny.write_chats(tmp_path / "chats.jsonl", rows_about(1, 50))
    found, _ = evaluated(run, data=questions)
    assert Measure.BLEU in found.measures
    assert [each.seen for each in found.compared] == [Seen.QUESTION, Seen.NEVER]


def test_that_plain_texts_have_a_loss_and_no_answers(tmp_path, tiny_qwen):
    data = tiny.write_chats(
        tmp_path / "texts.jsonl",
        [{"text": f"Cheese {n} is a Brie."} for n in range(20)],
    )
    run, _ = trained(tmp_path, recipe_for(tiny_qwen, data, data__held_out=0.2))
    found, _ = evaluated(run)
    assert found.measures == (Measure.LOSS, Measure.PERPLEXITY)
    assert found.compared[0].said[TUNED].text is None


def test_that_programs_get_the_document(run):
    found, events = evaluated(run)
    told = json.loads(type(run.path)(events[-1].report).read_text())
    assert told["form"] == 1
    assert set(told["voices"][0]["figures"]) == {
        "loss",
        "perplexity",
        "exact_match",
        "bleu",
        "rouge_l",
    }
    assert told["terms"]["seed"] == 17
    assert "torch" in found.versions
