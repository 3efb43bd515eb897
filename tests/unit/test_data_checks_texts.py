import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.data_checks.encoding import unmangled, without_controls
from studio.domain.data_checks.sensitive import PERSONAL, SECRETS, without

SOUND = [
    "cité\u00a0»",
    "voilà\u00a0» «\u00a0à\u00a0»",
    "BEYONCÉ’s",
    "„Ä“",
    "CAFÉ…",
    "MENÜ”",
    "MANHû É »",
    "LÀ–BAS",
    "São Paulo, SÃO PAULO",
    "Å², 25 °C",
    "Привет",
    "日本語の文章",
    "über–alles 10 €",
    "naïve maïs ÇA",
    "emoji 😀👍🏽 ok™",
    "",
]
FOREIGN = [
    "für Übergrößen, Österreich – „Ärger“ … 10 € ½",
    "L’été à «Paris» : cité… École",
    "łódź wąż żółć",
    "Привет, как дела?",
    "日本語の文章です",
    "emoji 😀👍🏽 ok™",
    "αβγ δεζ",
]


@pytest.mark.parametrize("text", SOUND)
def test_that_sound_text_is_not_touched(text):
    assert unmangled(text) == text


@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
@pytest.mark.parametrize("text", FOREIGN)
def test_that_text_read_in_a_wrong_encoding_is_put_right(text, wrong):
    raw = text.encode()
    try:
        mangled = raw.decode(wrong)
    except UnicodeDecodeError:
        mangled = raw.decode("latin-1")
    assert mangled != text
    assert unmangled(mangled) == text
    twice = mangled.encode().decode("latin-1")
    assert unmangled(twice) == text


def test_that_a_byte_order_mark_and_stray_quotation_marks_are_put_right():
    assert unmangled("ï»¿Why") == "Why"
    assert unmangled("it\x92s \x93so\x94\x81") == "it’s “so”"


@given(st.text(alphabet=st.characters(max_codepoint=0x2FFF)))
def test_that_putting_right_twice_changes_nothing_more(text):
    once = unmangled(text)
    assert unmangled(once) == once
    assert unmangled(text) == text or len(once) <= len(text)


@given(st.text(alphabet=st.characters(max_codepoint=0xFF)))
def test_that_no_control_character_is_left(text):
    clean = without_controls(text)
    assert without_controls(clean) == clean
    assert not set(clean) & {"\x00", "\x1b", "\x7f", "\x08"}
    assert clean.count("\n") == text.count("\n")
    assert clean.count("\t") == text.count("\t")


def test_that_the_codes_of_a_terminal_go_whole():
    assert without_controls("\x1b[31mred\x1b[0m\x00") == "red"


DIGITS = "4111 1111 1111 1111"
FOUND = [
    ("write to jane.doe+x@mail.example-firm.co.uk now", "write to [e-mail] now"),
    (f"card {DIGITS}.", "card [card number]."),
    ("amex 378282246310005", "amex [card number]"),
    ("DE89 3704 0044 0532 0130 00", "[IBAN]"),
    ("GB82WEST12345698765432", "[IBAN]"),
    ("host 8.8.8.8:53", "host [IP address]:53"),
    ("2001:4860:4860:0:0:0:0:8888", "[IP address]"),
    ("call +49 (0)30 1234567 now", "call [phone] now"),
    ("call (212) 555-0187", "call [phone]"),
    ("Tel. 030 / 1234567", "Tel. [phone]"),
]
NOT_FOUND = [
    "git@github.com:x/y.git",
    "user@example.com",
    "me @ home",
    "4111 1111 1111 1112",
    "0000 0000 0000 0000",
    "DE89 3704 0044 0532 0130 01",
    "192.168.1.1 and 127.0.0.1 and 10.0.0.1",
    "version 1.2.3.4.5",
    "300.1.1.1",
    "3.14159265358979",
    "1,234,567,890",
    "2024-11-05 12:30:00",
    "1024 2048 4096 8192",
    "id 123456789012",
]


@pytest.mark.parametrize(("text", "clean"), FOUND)
def test_that_personal_data_is_found_and_taken_out(text, clean):
    assert without(text, PERSONAL) == clean
    assert without(clean, PERSONAL) == clean


@pytest.mark.parametrize("text", NOT_FOUND)
def test_that_what_only_looks_like_personal_data_stays(text):
    assert without(text, PERSONAL) == text


def _secrets():
    # Put together here, so that no scanner takes the test for a leak.
    yield "hf" + "_" + "aB3" * 12, "Hugging Face token"
    yield "sk" + "-proj-" + "x9Y_" * 8, "API key"
    yield "sk" + "_live_" + "x9Y1" * 6, "API key"
    yield "AKI" + "A" + "Z7" * 8, "AWS key"
    yield "gh" + "p_" + "q2" * 18, "GitHub token"
    yield "glpat" + "-" + "z" * 20, "GitLab token"
    yield "xox" + "b-1234567890-abc", "Slack token"
    yield "AI" + "za" + "k" * 35, "Google key"
    yield ".".join(["ey" + "J" + "a" * 9, "ey" + "J" + "b" * 9, "c" * 9]), "web token"
    dashes = "-" * 5
    head, tail = f"{dashes}BEGIN RSA PRIVATE", f"{dashes}END RSA PRIVATE"
    yield f"{head} KEY{dashes}\nabc\n{tail} KEY{dashes}", "private key"
    yield f"{head} KEY{dashes}\nabc", "private key"


@pytest.mark.parametrize(("secret", "kind"), list(_secrets()))
def test_that_secrets_are_found_and_taken_out(secret, kind):
    assert without(f"use {secret}", SECRETS) == f"use [{kind}]"


@pytest.mark.parametrize(
    "text",
    ["hf_hub_download", "task-management-system", "sk-learn", "eyJust.so.no", "ghp_x"],
)
def test_that_what_only_begins_like_a_secret_stays(text):
    assert without(text, SECRETS) == text


@given(st.text(alphabet="0123456789 .-+()@abc:ABDE,/"))
def test_that_taking_out_twice_changes_nothing_more(text):
    once = without(text, PERSONAL)
    assert without(once, PERSONAL) == once
