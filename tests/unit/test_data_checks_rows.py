import random

import pytest

from studio.domain.data_checks.all_checks import CheckSettings, all_checks
from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.hash_set import FirstRows, HashSet
from studio.domain.data_checks.near_copies import NearCopies
from studio.domain.data_checks.row_key import row_key
from studio.domain.data_report import NAMED_ROWS
from studio.domain.dataset import Chat, Turn, split_rows


def _chat(*turns, **parts):
    return Chat(tuple(Turn(role, content) for role, content in turns), 1, **parts)


def _pair(question, answer):
    return _chat(("user", question), ("assistant", answer))


def _found(chats, **settings):
    checks = all_checks(CheckSettings(sequence_length=100, **settings))
    for number, chat in enumerate(chats, start=1):
        for check in checks:
            check.take(CheckedRow(number, chat))
    return {each.code: each for check in checks for each in check.findings()}


def test_that_a_repeated_row_is_found_but_for_spaces_and_capitals():
    chats = [_pair("Why?", "So."), _pair("Why not?", "So."), _pair(" why?\n", "SO.")]
    found = _found(chats)["data.duplicate"]
    assert found.rows == (3,)
    assert found.what == (
        "1 row (3) repeats an earlier row, but for spaces and capitals."
    )


@pytest.mark.parametrize(
    "other",
    [
        _chat(("assistant", "Why?"), ("user", "So.")),
        _chat(("user", "Why?So.")),
        _chat(("system", "x"), ("user", "Why?"), ("assistant", "So.")),
        Chat(_pair("Why?", "So.").turns, 1, is_liked=True),
        Chat(_pair("Why?", "So.").turns, 1, rejected=_pair("Why?", "No.").turns),
        Chat((), 1, text="Why? So."),
    ],
)
def test_that_rows_that_differ_in_more_have_other_keys(other):
    assert row_key(other) != row_key(_pair("Why?", "So."))


def test_that_a_finding_names_no_more_rows_than_it_may_and_counts_all():
    found = _found([_pair("Why?", "So.")] * (NAMED_ROWS + 50))["data.duplicate"]
    assert found.count == NAMED_ROWS + 49
    assert found.rows == tuple(range(2, NAMED_ROWS + 2))


def test_that_held_out_rows_that_are_trained_on_are_found():
    chats = [_pair(f"Question {n}", "So.") for n in range(40)]
    training, held = split_rows(len(chats), 0.25, 7)
    chats[held[3]] = chats[training[2]]
    found = _found(chats, held_out=0.25, seed=7)["data.overlap"]
    assert found.rows == (held[3] + 1,)
    assert "1 row" in found.what
    assert "10 rows held out" in found.what
    assert "data.overlap" not in _found(chats)


def test_that_copies_on_one_side_are_no_overlap():
    chats = [_pair(f"Question {n}", "So.") for n in range(40)]
    training, _ = split_rows(len(chats), 0.25, 7)
    chats[training[3]] = chats[training[2]]
    assert "data.overlap" not in _found(chats, held_out=0.25, seed=7)


def test_that_a_set_of_hashes_is_a_set():
    chosen = random.Random(3)
    numbers = [chosen.getrandbits(64) for _ in range(5000)] + [0, 1, 2**64 - 1]
    mine, model = HashSet(), set()
    for number in numbers + numbers[:100]:
        assert (number in mine) == (number in model) or number in {0, 1}
        assert mine.add(number) == (number not in model) or number in {0, 1}
        model.add(number)
    assert len(mine) == len(model) - 1  # 0 and 1 are one to it


@pytest.mark.parametrize(
    ("turns", "flaw"),
    [
        ("u u a", "one speaker has two turns in a row"),
        ("u a a", "one speaker has two turns in a row"),
        ("u s a", "a system turn stands behind another turn"),
        ("a u a", "the assistant speaks before it is asked"),
        ("s a", "the assistant speaks before it is asked"),
        ("u a u", "the last turn has no answer"),
    ],
)
def test_that_turns_out_of_order_are_found(turns, flaw):
    roles = {"u": "user", "a": "assistant", "s": "system"}
    chat = _chat(*[(roles[each], "words") for each in turns.split()])
    assert flaw in _found([chat])["data.role-order"].what


def test_that_turns_in_order_are_not_found():
    calls = {"tool_calls": [{"function": {"name": "f"}}]}
    turns = (
        Turn("system", "s"),
        Turn("user", "u"),
        Turn("assistant", "", calls),
        Turn("tool", "1"),
        Turn("tool", "2"),
        Turn("assistant", "a"),
    )
    chats = [_pair("Why?", "So."), Chat(turns, 1), Chat((), 1, text="x")]
    assert not {"data.role-order", "data.empty-turn"} & set(_found(chats))


def test_that_an_empty_question_is_found():
    assert _found([_pair("a", "b"), _pair(" ", "c")])["data.empty-turn"].rows == (2,)


def test_that_personal_data_and_secrets_are_named_by_kind_and_never_shown():
    secret = "gh" + "p_" + "q2" * 18
    chats = [_pair("Mail jane@firm.org", f"Use {secret}"), _pair("a", "b")]
    found = _found(chats)
    assert found["data.personal"].rows == (1,)
    assert "e-mail in 1" in found["data.personal"].what
    assert "GitHub token in 1" in found["data.secret"].what
    words = "".join(f.what + f.why + f.fix for f in found.values())
    assert "jane" not in words
    assert secret not in words


def test_that_secrets_in_calls_of_tools_are_found():
    secret = "gh" + "p_" + "q2" * 18
    calls = {"tool_calls": [{"function": {"arguments": f'{{"key": "{secret}"}}'}}]}
    chat = Chat((Turn("user", "u"), Turn("assistant", "", calls)), 1)
    assert _found([chat])["data.secret"].count == 1


def test_that_damage_is_told_with_what_stands_there():
    found = _found([_pair("fÃ¼r", "x\x00"), _pair("a\ufffd", "b")])
    assert "“Ã¼”" in found["data.encoding-damage"].what
    assert found["data.control-characters"].rows == (1,)
    assert found["data.lost-characters"].rows == (2,)
    assert found["data.encoding-damage"].mends
    assert not found["data.lost-characters"].mends


def _text(seed, words=40):
    chosen = random.Random(seed)
    return [f"w{chosen.randrange(5000)}" for _ in range(words)]


def _near(texts):
    found = []
    finder = NearCopies(found.append)
    for number, text in enumerate(texts):
        finder.take(number, text)
    finder.finish()
    return found


def test_that_a_text_with_one_word_changed_is_nearly_the_same():
    one = _text(1, 60)
    other = [*one[:30], "changed", *one[31:]]
    half = [*one[:30], *_text(2, 30)]
    assert _near([" ".join(t) for t in (one, other, half)]) == [1]


def test_that_capitals_and_punctuation_count_for_nothing():
    texts = ["Where is it, why, and what for?", "where is it WHY and what for"]
    assert _near(texts) == [1]


def test_that_texts_without_spaces_are_compared_by_characters():
    tale = "昔々あるところにおじいさんとおばあさんが住んでいました。"
    other = "桃が川をどんぶらこと流れてきて、二人はそれを家へ持ち帰りました。"
    assert _near([tale + other, tale[1:] + other, tale + tale[::-1]]) == [1]


def test_that_nearly_the_same_texts_are_found_among_many():
    texts = [" ".join(_text(seed)) for seed in range(3000)]
    copied = random.Random(5).sample(range(3000), 200)
    copies = [f"{texts[at]} indeed" for at in copied]
    found = _near(texts + copies)
    assert min(found) >= 3000
    assert len(found) >= 180


def test_that_an_instruction_that_all_rows_share_does_not_make_them_alike():
    shared = " ".join(_text(0, 120))
    texts = [f"{shared} {' '.join(_text(seed, 12))}" for seed in range(1, 400)]
    assert _near(texts) == []


def test_that_what_is_found_is_not_found_again_without_it():
    base = [" ".join(_text(seed)) for seed in range(300)]
    texts = [text for each in base for text in (each, f"{each} so", f"{each} so it is")]
    found = set(_near(texts))
    assert len(found) > 500
    assert _near([t for at, t in enumerate(texts) if at not in found]) == []


def test_that_a_copy_is_told_once_as_the_same_and_not_as_nearly_the_same():
    row = _pair(" ".join(_text(1)), "So.")
    found = _found([row, row, _pair(" ".join([*_text(1), "indeed"]), "So.")])
    assert found["data.duplicate"].rows == (2,)
    assert found["data.near-duplicate"].rows == (3,)


def test_that_the_first_row_of_a_key_is_remembered():
    chosen = random.Random(3)
    first, model = FirstRows(), {}
    for row in range(5000):
        key = chosen.randrange(1, 4000)
        other = chosen.randrange(1, 4000)
        rows = {model[each] for each in (key, other) if each in model}
        assert first.rows_of([key, other]) == rows
        first.add([key], row)
        model.setdefault(key, row)


def test_that_an_answer_of_most_rows_is_found_in_any_order():
    others = [_pair(f"Q{n}", f"Answer {n}.") for n in range(1400)]
    yes = [_pair(f"Is it {n}?", "Yes.") for n in range(1600)]
    for chats in (others + yes, yes + others):
        found = _found(chats)["data.dominant-answer"]
        assert 1600 - 3000 / 256 <= found.count <= 1600
        assert "“Yes.”" in found.what
    assert "data.dominant-answer" not in _found(others + yes[:1300])
    assert "data.dominant-answer" not in _found(yes[:15])


def test_that_verdicts_of_one_side_are_found():
    rated = [
        Chat(_pair(f"Q{n}", f"A{n}").turns, n, is_liked=n != 7) for n in range(1, 40)
    ]
    assert "rated good" in _found(rated)["data.dominant-verdict"].what
    even = [Chat(chat.turns, chat.line, is_liked=chat.line % 2 == 0) for chat in rated]
    assert "data.dominant-verdict" not in _found(even)


def test_that_tags_are_found_where_the_others_have_none():
    plain = [_pair(f"Is {n} < {n + 1}?", f"Yes & no {n}") for n in range(20)]
    tagged = _pair("What?", "Some <b>bold</b> words&nbsp;here")
    assert _found([*plain, tagged])["data.markup"].rows == (21,)
    assert "data.markup" not in _found([*plain, *[tagged] * 9])
    assert "data.markup" not in _found(plain)


def test_that_drafts_nobody_reviewed_are_counted():
    draft = Chat(_pair("Q", "A").turns, 1, review="open")
    done = Chat(_pair("Q2", "A").turns, 1, review="accepted")
    assert _found([draft, done])["data.unreviewed"].rows == (1,)


def test_that_groups_decide_what_is_held_out():
    chats = [
        Chat(_pair(f"Q {n // 2}", "A").turns, n, group=f"g{n // 2}") for n in range(40)
    ]
    alone = [Chat(chat.turns, chat.line) for chat in chats]
    assert "data.overlap" in _found(alone, held_out=0.25, seed=7)
    assert "data.overlap" not in _found(chats, held_out=0.25, seed=7)
