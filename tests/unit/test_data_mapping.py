import pytest

from studio.domain.data_mapping import MappingError, mapping_of, source_of, words_of

ROW = {
    "a": "x",
    "in": [{"output": "deep", "n": 3}],
    "a.b": "dotted",
    "name": "Blue Spice",
    "area": "the centre",
    "none": None,
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a", "x"),
        ("in[0].output", "deep"),
        ("in[-1].n", 3),
        ("in[1].output", None),
        ("in[0].output.more", None),
        ("a.b", "dotted"),
        ("missing", None),
        ("Say {name} in {area}.", "Say Blue Spice in the centre."),
        ("{name}{missing}", "Blue Spice"),
        ("{missing}", None),
        ("{{{name}}}", "{Blue Spice}"),
        ("{in[0].output}!", "deep!"),
        ("{none}", None),
    ],
)
def test_that_a_source_finds_its_value(source, value):
    assert source_of(source).read(ROW) == value


@pytest.mark.parametrize("source", ["", "  ", "{}", "open {name", "{ }"])
def test_that_a_source_that_makes_no_sense_is_refused(source):
    with pytest.raises(MappingError):
        source_of(source)


def test_that_a_mapping_survives_its_words():
    mapping = {"question": "mr", "answer": "Say {ref}, = so"}
    assert mapping_of(words_of(mapping)) == mapping


@pytest.mark.parametrize("word", ["question", "=mr", "question=", "question={"])
def test_that_a_word_that_is_no_assignment_is_refused(word):
    with pytest.raises(MappingError):
        mapping_of((word,))
