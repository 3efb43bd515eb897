"""Voices: each is what it says it is, and none depends on the others."""

import json
import shutil
from collections import Counter
from contextlib import closing

import pytest
import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from studio.domain.chatting import Ended, Voice
from studio.domain.dataset import Turn
from studio.domain.errors import ExitCode, StudioError
from studio.engine.adapter_files import put_adapter
from studio.engine.answering import plainly
from studio.engine.bitsandbytes_guards import compute_eagerly, keep_gradients
from studio.engine.chat import verb
from studio.engine.chat.examples import examples_of, preceded
from studio.engine.chat.source import source_of_model, source_of_run
from studio.engine.chat.stage import Stage
from studio.engine.chat.verb import Talk
from studio.engine.devices import choose_device, formats_of
from studio.engine.generation import answers
from studio.engine.model_loading import load_model, load_plain
from studio.engine.model_places import place_of
from studio.engine.starting.begin import be_as_trained
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.answer_events import (
    AllAnswered,
    AnswerBegun,
    AnswerEnded,
    AnswerPiece,
    AnswerRefused,
    ChatReady,
)
from studio.protocol.commands import Ask, Asked, Stop, StopAnswer
from studio.protocol.events import Progress
from studio.storage.data_sets import read_data
from studio.storage.run_directory import RunDirectory
from tests.engine import tiny
from tests.engine.helpers import (
    Heard,
    carry_out,
    engine,
    new_run,
    of_kind,
    recipe_for,
    train,
)

pytestmark = pytest.mark.torch

# A card where there is one: what is said must hold there as well.
DEVICE = choose_device()
QUESTION = "Which cheese is number 7?"
SIXTEEN = {"model__precision": "bf16", "model__compute_dtype": "bf16"}
WAYS = {
    "nf4": {},
    "nf4, bf16": {"model__compute_dtype": "bf16"},
    "int8": {"model__precision": "int8"},
    "bf16, fp32 adapter": {**SIXTEEN, "lora__adapter_dtype": "fp32"},
    "dora": {"lora__variant": "dora", "lora__adapter_dtype": "fp32"},
    "loftq": {"lora__variant": "loftq"},
    "pissa": {"lora__variant": "pissa"},
    "pissa, bf16": {"lora__variant": "pissa", **SIXTEEN},
    "norms and embeddings": {
        "lora__train_norms": True,
        "lora__train_embeddings": True,
        **SIXTEEN,
    },
    "stretched": {"model__stretch": 2.0, "model__precision": "fp32"},
}


def trained_run(folder, model, **options):
    data = tiny.write_chats(folder / "chats.jsonl")
    values = {"train__max_steps": 8, "train__save_steps": 4, **options}
    run = new_run(folder / "runs", recipe_for(model, data, **values))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    return run


@pytest.fixture(scope="module", params=WAYS)
def way(request, tmp_path_factory, tiny_model):
    return trained_run(
        tmp_path_factory.mktemp("way"), tiny_model, **WAYS[request.param]
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    """A run on a quantised base, in which adapter and checkpoints differ."""
    return trained_run(
        tmp_path_factory.mktemp("run"), tiny_model, train__learning_rate=0.02
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_model):
    return trained_run(
        tmp_path_factory.mktemp("whole"),
        tiny_model,
        train__weights="all",
        model__precision="fp32",
    )


def source_of(session, run):
    return source_of_run(session, run, place_of(run.read_recipe().model.name))


def stage_of(heard, run):
    return Stage(heard.session, source_of(heard.session, run))


def said_by(model, tokenizer, formats):
    model.eval()
    ids = tokenizer(QUESTION, return_tensors="pt", add_special_tokens=False)
    with torch.no_grad(), formats.casting(DEVICE):
        return model(input_ids=ids.input_ids.to(DEVICE)).logits.clone()


def heard_of(stage, word):
    with stage.speaker(Voice.of(word)) as speaker:
        return said_by(speaker.model, speaker.tokenizer, speaker.formats)


def alone(run, adapter=None):
    """What a base says that was loaded for nothing else, or with one adapter."""
    recipe = run.read_recipe()
    folder, formats = place_of(recipe.model.name).folder, formats_of(recipe, DEVICE)
    model = load_model(folder, recipe.model, formats, DEVICE)
    if adapter is not None:
        model = put_adapter(model, adapter)
        be_as_trained(model, folder, recipe)
    return said_by(model, load_tokenizer(adapter or folder), formats)


def question(order=0, *words, text=QUESTION, turns=(), **settings):
    asked = [Asked(voice=w, turns=[*turns, ("user", text)]) for w in words]
    return Ask(order=order, asked=asked, **{"max_new_tokens": 12, **settings})


def told(run_or_stage, *asks):
    """Every event of some questions, on a stage of their own."""
    with closing(Heard()) as heard:
        stage = Stage(heard.session, run_or_stage(heard.session))
        talk = Talk(heard.session, stage)
        for ask in asks:
            talk.answer(ask)
        return heard.events()


def texts(run, *asks):
    events = told(lambda session: source_of(session, run), *asks)
    assert not of_kind(events, AnswerRefused), of_kind(events, AnswerRefused)
    return {(e.order, e.voice): e.text for e in of_kind(events, AnswerEnded)}


def test_that_base_adapter_and_checkpoints_are_what_they_are_alone(way):
    """Bit for bit, whoever spoke before."""
    checkpoints = [way.checkpoints_path / f"step-{step}" for step in (4, 8)]
    base, tuned = alone(way), alone(way, way.adapter_path)
    expected = {
        "adapter": tuned,
        "base": base,
        "checkpoint-4": alone(way, checkpoints[0]),
        "checkpoint-8": alone(way, checkpoints[1]),
    }
    assert not torch.equal(base, tuned)
    assert not torch.equal(base, expected["checkpoint-4"])
    assert not torch.equal(tuned, expected["checkpoint-4"])
    with closing(Heard()) as heard:
        stage = stage_of(heard, way)
        order = ["base", "checkpoint-4", "base", "adapter", "checkpoint-8"]
        for word in [*order, "checkpoint-4", "base", "adapter"]:
            assert torch.equal(heard_of(stage, word), expected[word]), word


def test_that_the_quantised_base_is_that_of_the_library_itself(run, tiny_model):
    """Nothing of this program's loading or of peft takes part."""
    if DEVICE.type == "cpu":
        compute_eagerly()
    plain = AutoModelForCausalLM.from_pretrained(
        tiny_model,
        dtype=torch.float32,
        device_map={"": DEVICE},
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        ),
    )
    if DEVICE.type == "cpu":
        keep_gradients(plain)
    formats = formats_of(run.read_recipe(), DEVICE)
    library = said_by(plain, load_tokenizer(tiny_model), formats)
    with closing(Heard()) as heard:
        stage = stage_of(heard, run)
        assert not torch.equal(heard_of(stage, "adapter"), library)
        assert torch.equal(heard_of(stage, "base"), library)


def test_that_a_base_is_loaded_once_for_all_of_a_run(run):
    asks = [
        question(0, "adapter", "base", "few-shot"),
        question(1, "checkpoint-4", "base", "adapter"),
    ]
    events = told(lambda session: source_of(session, run), *asks)
    ends = [e for e in of_kind(events, Progress) if e.done == e.total]
    assert Counter(each.stage for each in ends) == {"Loading the weights": 1}
    assert len(of_kind(events, AnswerEnded)) == 6


def test_that_voices_with_one_model_speak_one_behind_the_other(whole):
    with closing(Heard()) as heard:
        stage = stage_of(heard, whole)
        voices = [Voice.of(word) for word in ("base", "model", "few-shot")]
        words = [voice.word for voice in stage.in_good_order(voices)]
        assert words == ["base", "few-shot-3", "model"]
        heard_of(stage, "model")
        words = [voice.word for voice in stage.in_good_order(voices)]
        assert words == ["model", "base", "few-shot-3"]


def test_that_a_seed_decides_whatever_the_order_of_voices(run):
    drawn = {"temperature": 1.5, "seed": 7}
    first = texts(run, question(0, "base", "adapter", "checkpoint-4", **drawn))
    other = texts(
        run,
        question(0, "checkpoint-4", **drawn),
        question(1, "adapter", "base", **drawn),
    )
    again = {voice: text for (_, voice), text in other.items()}
    assert again == {voice: text for (_, voice), text in first.items()}
    seed = texts(run, question(0, "base", temperature=1.5, seed=8))
    assert seed[0, "base"] != first[0, "base"]


def test_that_a_narrow_draw_is_the_greedy_one(run):
    greedy = texts(run, question(0, "base"))
    cool = {"top_p": 0.01, "temperature": 0.1}  # at which others are drawn as well
    for narrow in ({"top_k": 1}, cool, {"temperature": 0.01}):
        drawn = {"temperature": 1.0, "seed": 3, **narrow}
        assert texts(run, question(0, "base", **drawn)) == greedy


def test_that_a_penalty_keeps_a_model_from_repeating_itself(run):
    (plain,) = texts(run, question(0, "base", max_new_tokens=40)).values()
    asked = question(0, "base", max_new_tokens=40, repetition_penalty=4.0)
    (varied,) = texts(run, asked).values()
    assert len(set(varied)) > len(set(plain))


def test_that_a_models_own_settings_take_no_part(run, tiny_model, tmp_path):
    """Also in the samples of a run, which shall tell runs apart and no settings."""
    other = shutil.copytree(tiny_model, tmp_path / "other")
    own = json.loads((other / "generation_config.json").read_text())
    own |= {"repetition_penalty": 4.0, "do_sample": True, "temperature": 0.7}
    own |= {"top_k": 3, "no_repeat_ngram_size": 2, "min_length": 3}
    (other / "generation_config.json").write_text(json.dumps(own))
    formats = formats_of(
        run.read_recipe().with_value("model.precision", "fp32"), DEVICE
    )
    found = []
    for folder in (tiny_model, other):
        model = load_plain(folder, torch.float32).to(DEVICE)
        tokenizer = load_tokenizer(folder)
        ((_, text),) = answers(model, tokenizer, [QUESTION], formats, 24)
        source = source_of_talk(folder)
        asks = [
            question(0, "model", max_new_tokens=24),
            question(1, "model", temperature=1.3, seed=5),
        ]
        spoken = of_kind(told(source, *asks), AnswerEnded)
        found.append((text, *(each.text for each in spoken)))
    assert found[0] == found[1]


def source_of_talk(folder):
    return lambda session: source_of_model(session, place_of(str(folder)))


def test_that_a_greedy_answer_is_the_one_of_generate(run):
    code, events = carry_out(
        "generate", source=run.path, base=False, prompt=[QUESTION], max_new_tokens=12
    )
    assert code is ExitCode.OK, events[-1]
    assert texts(run, question(0, "adapter")) == {(0, "adapter"): events[-1].text}


def test_that_pieces_make_the_answer(run):
    events = told(
        lambda session: source_of(session, run),
        question(0, "base", temperature=2.0, max_new_tokens=200),
    )
    pieces = "".join(event.text for event in of_kind(events, AnswerPiece))
    (ended,) = of_kind(events, AnswerEnded)
    assert pieces.strip() == ended.text
    assert 0 < ended.tokens <= 200


def test_that_examples_precede_the_few_shot_base(run):
    events = told(
        lambda session: source_of(session, run),
        question(0, "base", "few-shot", "few-shot-1"),
    )
    begun = {each.voice: each for each in of_kind(events, AnswerBegun)}
    counts = {voice: each.examples for voice, each in begun.items()}
    assert counts == {"base": 0, "few-shot-3": 3, "few-shot-1": 1}
    read = {voice: each.read_tokens for voice, each in begun.items()}
    assert read["base"] < read["few-shot-1"] < read["few-shot-3"]


def test_that_no_example_was_held_out(run):
    recipe = run.read_recipe()
    file = read_data(recipe.data)
    _, held = file.split(recipe.data.share_held_out, recipe.train.seed)
    found = examples_of(recipe, 64)
    assert held
    assert len(found) == len(file.chats) - len(held)
    assert not {file.chats[at].turns for at in held} & set(found)


def test_that_fewer_examples_stand_before_a_talk_than_there_is_room_for(run):
    asked = question(0, "few-shot-64", max_new_tokens=64)
    events = told(lambda session: source_of(session, run), asked)
    (begun,) = of_kind(events, AnswerBegun)
    assert 3 < begun.examples < 36
    assert begun.read_tokens <= 512 - 64


def test_that_examples_stand_behind_a_system_message():
    said = [Turn("system", "Be brief."), Turn("user", "Why?")]
    example = (Turn("user", "Who?"), Turn("assistant", "I."))
    assert preceded(said, [example]) == [said[0], *example, said[1]]
    assert preceded(said[1:], [example]) == [*example, said[1]]


@pytest.mark.parametrize(
    "rows",
    [
        [{"text": "Only a text."}],
        [{"messages": [{"role": "user", "content": "No answer."}]}],
    ],
)
def test_that_data_without_examples_is_told(run, tmp_path, rows):
    data = tiny.write_chats(tmp_path / "other.jsonl", rows * 4)
    recipe = run.read_recipe().with_value("data.path", str(data))
    with pytest.raises(StudioError):
        examples_of(recipe, 3)


def test_that_earlier_turns_are_read(run):
    turns = (("user", "Who are you?"), ("assistant", "A Brie."))
    events = told(
        lambda session: source_of(session, run),
        question(0, "base"),
        question(1, "base", turns=turns),
        question(2, "base", turns=(("system", "Be brief."), *turns)),
    )
    read = [each.read_tokens for each in of_kind(events, AnswerBegun)]
    assert read == sorted(set(read))


def test_that_a_talk_beyond_the_context_is_refused_in_words(run):
    events = told(
        lambda session: source_of(session, run),
        question(0, "base", "adapter", text="Brie? " * 600),
        question(1, "base"),
    )
    refused = of_kind(events, AnswerRefused)
    assert [each.voice for each in refused] == ["base", "adapter"]
    assert refused[0].finding.code == "chat.context"
    assert "at most 512" in refused[0].finding.what
    assert [each.order for each in of_kind(events, AnswerEnded)] == [1]


def test_that_an_answer_that_meets_the_end_of_the_context_says_so(endless_model, run):
    asked = question(0, "model", text="Brie? " * 30, max_new_tokens=5000)
    (ended,) = of_kind(told(source_of_talk(endless_model), asked), AnswerEnded)
    assert ended.ended == Ended.CONTEXT
    asked = question(0, "model", max_new_tokens=5)
    (ended,) = of_kind(told(source_of_talk(endless_model), asked), AnswerEnded)
    assert (ended.ended, ended.tokens) == (Ended.LENGTH, 5)


@pytest.fixture(scope="module")
def endless_model(tmp_path_factory, tiny_model):
    """A model that knows no token by which an answer ends."""
    folder = tmp_path_factory.mktemp("models") / "endless"
    shutil.copytree(tiny_model, folder)
    for file, name in (
        ("generation_config.json", "eos_token_id"),
        ("config.json", "eos_token_id"),
        ("tokenizer_config.json", "eos_token"),
    ):
        told = json.loads((folder / file).read_text())
        told[name] = None
        (folder / file).write_text(json.dumps(told))
    return folder


def test_that_a_voice_that_is_not_there_keeps_nobody_from_answering(run):
    events = told(
        lambda session: source_of(session, run),
        question(0, "checkpoint-5", "merged", "nobody", "base"),
    )
    refused = {each.voice: each.finding for each in of_kind(events, AnswerRefused)}
    assert refused.keys() == {"checkpoint-5", "merged", "nobody"}
    assert "checkpoint-4" in refused["checkpoint-5"].how_to_fix
    assert [each.voice for each in of_kind(events, AnswerEnded)] == ["base"]
    assert isinstance(events[-1], AllAnswered)


def test_that_a_number_out_of_bounds_is_refused(run):
    asked = question(0, "base", top_p=2.0)
    events = told(lambda session: source_of(session, run), asked)
    (refused,) = of_kind(events, AnswerRefused)
    assert refused.finding.code == "chat.sampling"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_that_numbers_that_are_none_are_refused(broken_model, temperature):
    asked = question(0, "model", temperature=temperature)
    (refused,) = of_kind(told(source_of_talk(broken_model), asked), AnswerRefused)
    assert refused.finding.code == "chat.no-number"


def test_that_memory_that_runs_out_is_told_and_given_back(run, monkeypatch):
    speak, failures = verb.speak, [MemoryError()]

    def refusing(*given, **more):
        if failures:
            raise failures.pop()
        return speak(*given, **more)

    monkeypatch.setattr(verb, "speak", refusing)
    events = told(
        lambda session: source_of(session, run),
        question(0, "base", "adapter"),
    )
    (refused,) = of_kind(events, AnswerRefused)
    assert (refused.voice, refused.finding.code) == ("base", "out-of-memory")
    assert "train." not in refused.finding.how_to_fix
    assert [each.voice for each in of_kind(events, AnswerEnded)] == ["adapter"]
    # All was let go of, so the adapter's base was loaded anew.
    ends = [e for e in of_kind(events, Progress) if e.done == e.total]
    assert len(ends) == 2


def test_that_a_run_of_all_weights_has_base_model_and_checkpoints(whole, tiny_model):
    plain, trained = (
        load_plain(folder, torch.float32).to(DEVICE)
        for folder in (tiny_model, whole.model_path)
    )
    formats = formats_of(whole.read_recipe(), DEVICE)
    tokenizer = load_tokenizer(tiny_model)
    base, model = (said_by(each, tokenizer, formats) for each in (plain, trained))
    with closing(Heard()) as heard:
        stage = stage_of(heard, whole)
        words = [voice.word for voice in stage.source.voices]
        assert words == ["base", "few-shot-3", "model", "checkpoint-4", "checkpoint-8"]
        assert torch.equal(heard_of(stage, "model"), model)
        assert torch.equal(heard_of(stage, "base"), base)
        assert torch.equal(heard_of(stage, "checkpoint-8"), model)
        assert not torch.equal(heard_of(stage, "checkpoint-4"), model)
        assert torch.equal(heard_of(stage, "base"), base)


def test_that_a_merged_model_is_a_voice(tmp_path, run):
    own = shutil.copytree(run.path, tmp_path / "own")
    code, events = carry_out(
        "merge", run=own, out=own / "merged", dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    with closing(Heard()) as heard:
        stage = stage_of(heard, RunDirectory.at(own))
        merged, base = heard_of(stage, "merged"), heard_of(stage, "base")
        recipe = plainly()
        formats = formats_of(recipe, DEVICE)
        loaded = load_model(own / "merged", recipe.model, formats, DEVICE)
        tokenizer = load_tokenizer(own / "merged")
        assert torch.equal(merged, said_by(loaded, tokenizer, formats))
        assert torch.equal(base, alone(run))


def test_that_a_checkpoint_that_is_damaged_is_refused_alone(tmp_path, run):
    own = shutil.copytree(run.path, tmp_path / "own")
    (own / "checkpoints" / "step-4" / "adapter_model.safetensors").write_bytes(b"{")
    events = told(
        lambda session: source_of(session, RunDirectory.at(own)),
        question(0, "adapter", "checkpoint-4", "checkpoint-8"),
    )
    (refused,) = of_kind(events, AnswerRefused)
    assert (refused.voice, refused.finding.code) == ("checkpoint-4", "chat.weights")
    spoken = [each.voice for each in of_kind(events, AnswerEnded)]
    assert spoken == ["adapter", "checkpoint-8"]


def test_that_the_process_answers_until_its_input_ends(run):
    with engine("chat", run.path) as process:
        ready = process.listen_until(ChatReady)
        assert ready.voices[:3] == ["base", "few-shot-3", "adapter"]
        assert ready.most_tokens == 512
        for order in (0, 1):
            process.order(question(order, "base", "adapter"))
            assert process.listen_until(AllAnswered).order == order
        process.popen.stdin.close()
        code, _ = process.end()
    assert code == ExitCode.ORPHANED
    assert len(of_kind(process.events, AnswerEnded)) == 4


def test_that_the_process_ends_by_an_order(run):
    with engine("chat", run.path) as process:
        process.listen_until(ChatReady)
        process.order(Stop())
        code, log = process.end()
    assert code == ExitCode.OK, log


def test_that_an_answer_is_stopped_and_the_next_one_given(endless_model):
    with engine("chat", endless_model) as process:
        assert process.listen_until(ChatReady).voices == ["model"]
        process.order(question(3, "model", max_new_tokens=5000))
        process.listen_until(AnswerBegun)
        process.order(StopAnswer(order=3))
        ended = process.listen_until(AnswerEnded)
        assert ended.ended == Ended.STOPPED
        assert ended.tokens < 500
        process.listen_until(AllAnswered)
        process.order(question(4, "model", max_new_tokens=3))
        assert process.listen_until(AnswerEnded).tokens == 3


def test_that_a_name_that_is_neither_run_nor_model_is_refused():
    code, events = carry_out("chat", source="no/such-model")
    assert code is ExitCode.BAD_INPUT
    assert events[-1].kind == "model.missing" or "no/such-model" in events[-1].message
