"""What is learnt of a chat: the assistant's words and the token that ends them."""

import re
from pathlib import Path

import pytest
import trl

from studio.domain.dataset import Chat, RowError, Turn
from studio.engine.chat_rendering import IGNORED, render, training_row
from tests.engine import tiny
from tests.engine.templates import CALL, FAMILIES
from tests.engine.templates import chat as families_chat

# Qwen 3's habit: a thought is kept in the last answer only, and earlier ones lose it.
THINKING = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' and loop.last %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ message['content'] | trim + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# DeepSeek's habit: the model is asked with an opened thought that no row contains.
PROMPTED_THOUGHT = tiny.CHATML.replace(
    "'<|im_start|>assistant\n'", "'<|im_start|>assistant\n<think>\n'"
)
ENDLESS = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
STRICT = (
    "{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
) + tiny.CHATML
SHOUTING = tiny.CHATML.replace("message['content']", "message['content'] | upper")


def chat(*turns):
    return Chat(tuple(Turn(role, text) for role, text in turns), line=1)


SPECIAL = re.compile(r"<\|?\w+\|?>|</s>")

QUESTION = ("user", "Which cheese is number 7?")
ANSWER = ("assistant", "Aye, number 7 is a fine Brie.")
TWICE = chat(QUESTION, ANSWER, ("user", "And 8?"), ("assistant", "Aye, 8 is Brie."))


def learnt(tokenizer, row):
    """The trained text, part by part."""
    parts, current = [], []
    for token, label in zip(row.input_ids, row.labels, strict=True):
        if label != IGNORED:
            assert label == token
            current.append(token)
        elif current:
            parts.append(tokenizer.decode(current))
            current = []
    if current:
        parts.append(tokenizer.decode(current))
    return parts


def test_that_each_answer_is_learnt_with_its_end():
    tokenizer = tiny.make_tokenizer()
    row = training_row(tokenizer, TWICE)
    assert learnt(tokenizer, row) == [
        "Aye, number 7 is a fine Brie.<|im_end|>",
        "Aye, 8 is Brie.<|im_end|>",
    ]
    assert row.ends
    assert row.trained_tokens == sum(label != IGNORED for label in row.labels)


def test_that_the_whole_text_is_what_the_template_renders():
    tokenizer = tiny.make_tokenizer()
    row = training_row(tokenizer, TWICE)
    assert tokenizer.decode(row.input_ids) == render(tokenizer, TWICE.turns)


def test_that_the_labels_equal_those_of_a_template_that_marks_its_answers():
    tokenizer = tiny.make_tokenizer()
    marked = tiny.CHATML.replace(
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
        "+ '<|im_end|>\n' }}",
        "{{ '<|im_start|>' + message['role'] + '\n' }}"
        "{% if message['role'] == 'assistant' %}{% generation %}"
        "{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
        "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}",
    )
    assert "{% generation %}" in marked
    encoded = tokenizer.apply_chat_template(
        [turn.as_message() for turn in TWICE.turns],
        chat_template=marked,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    row = training_row(tokenizer, TWICE)
    assert row.input_ids == encoded["input_ids"]
    mask = [int(label != IGNORED) for label in row.labels]
    assert mask == encoded["assistant_masks"]


@pytest.mark.parametrize(
    "family",
    ["cohere", "cohere2", "gemma", "gemma3", "lfm2", "llama3", "phi3", "qwen2_5"],
)
def test_that_the_labels_equal_those_of_trl_for_templates_it_knows(family):
    folder = Path(trl.__file__).parent / "chat_templates"
    template = (folder / f"{family}.jinja").read_text()
    special = sorted(set(SPECIAL.findall(template)))
    tokenizer = tiny.make_tokenizer(template, ("<pad>", "<s>", "</s>"))
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    encoded = tokenizer.apply_chat_template(
        [turn.as_message() for turn in TWICE.turns],
        chat_template=(folder / f"{family}_training.jinja").read_text(),
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    pairs = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    theirs = tokenizer.decode([token for token, mask in pairs if mask])
    row = training_row(tokenizer, TWICE)
    ours = tokenizer.decode([label for label in row.labels if label != IGNORED])
    assert row.input_ids == encoded["input_ids"]
    assert row.ends
    # Some of trl's learn the line break behind the end, which nobody waits for.
    assert "".join(ours.split()) == "".join(theirs.split())


def test_that_a_quotation_in_the_question_is_not_learnt():
    tokenizer = tiny.make_tokenizer()
    quoted = chat(("user", f"Say: {ANSWER[1]}"), ANSWER)
    row = training_row(tokenizer, quoted)
    assert learnt(tokenizer, row) == [ANSWER[1] + tiny.END]
    assert row.labels[-2] != IGNORED


def test_that_a_thought_in_the_last_answer_is_learnt_with_it():
    tokenizer = tiny.make_tokenizer(THINKING)
    assert learnt(tokenizer, training_row(tokenizer, TWICE)) == [
        "Aye, number 7 is a fine Brie.<|im_end|>",
        "<think>\n\n</think>\n\nAye, 8 is Brie.<|im_end|>",
    ]


def test_that_a_thought_that_only_the_question_opens_does_no_harm():
    tokenizer = tiny.make_tokenizer(PROMPTED_THOUGHT)
    row = training_row(tokenizer, chat(QUESTION, ANSWER))
    assert learnt(tokenizer, row) == [ANSWER[1] + tiny.END]


def test_that_a_chat_may_begin_with_the_assistant():
    tokenizer = tiny.make_tokenizer()
    row = training_row(tokenizer, chat(("assistant", "Ahoy."), QUESTION, ANSWER))
    assert learnt(tokenizer, row) == ["Ahoy." + tiny.END, ANSWER[1] + tiny.END]


def test_that_a_template_without_an_end_is_noticed():
    tokenizer = tiny.make_tokenizer(ENDLESS)
    row = training_row(tokenizer, chat(QUESTION, ANSWER))
    assert learnt(tokenizer, row) == [ANSWER[1]]
    assert not row.ends


def test_that_a_chat_that_the_template_refuses_says_why():
    tokenizer = tiny.make_tokenizer(STRICT)
    with pytest.raises(RowError, match="System role not supported"):
        training_row(tokenizer, chat(("system", "Be kind."), QUESTION, ANSWER))


def test_that_a_template_that_rewrites_answers_is_refused():
    tokenizer = tiny.make_tokenizer(SHOUTING)
    with pytest.raises(RowError, match="rewrites"):
        training_row(tokenizer, chat(QUESTION, ANSWER))


def test_that_a_cut_row_keeps_its_beginning():
    tokenizer = tiny.make_tokenizer()
    row = training_row(tokenizer, TWICE)
    cut = row.cut(10)
    assert cut.input_ids == row.input_ids[:10]
    assert cut.labels == row.labels[:10]


def test_that_a_call_of_a_tool_is_learnt_as_rendered():
    tokenizer = FAMILIES["chatml"].tokenizer()
    calling = families_chat(QUESTION, ("assistant", "", {"tool_calls": [CALL]}))
    (part,) = learnt(tokenizer, training_row(tokenizer, calling))
    assert part.startswith("\n<tool_call>")
    assert '"look_up"' in part
    assert part.endswith("</tool_call><|im_end|>")


def test_that_a_call_that_the_template_leaves_out_is_told():
    tokenizer = tiny.make_tokenizer()
    calling = families_chat(QUESTION, ("assistant", "", {"tool_calls": [CALL]}), ANSWER)
    with pytest.raises(RowError, match="leaves out"):
        training_row(tokenizer, calling)


def test_that_an_answer_may_begin_with_what_the_question_ends_with():
    tokenizer = FAMILIES["deepseek"].tokenizer()
    thought = "<think>\nHard.\n</think>\nAye, 7 is Brie."
    row = training_row(tokenizer, families_chat(QUESTION, ("assistant", thought)))
    assert learnt(tokenizer, row) == [
        thought.removeprefix("<think>\n") + "<｜end▁of▁sentence｜>"
    ]


def test_that_a_template_with_a_fault_of_its_own_refuses_the_row():
    tokenizer = tiny.make_tokenizer("{{ 1 + 'one' }}")
    with pytest.raises(RowError, match="refused by the chat template"):
        training_row(tokenizer, chat(QUESTION, ANSWER))
