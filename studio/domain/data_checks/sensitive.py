"""Personal data and secrets in the rows: named by their kind, never shown."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from studio.domain.data_checks.chat_texts import until_stable
from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.words import Places, told
from studio.domain.data_report import DataFinding

_IBAN_REMAINDER: Final = 1  # ISO 13616: the number, its head moved behind, mod 97
_LUHN_BASE: Final = 10  # ISO/IEC 7812-1, annex B


def _always(_found: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of what should not be taught.

    Attributes:
        kind: In words.
        hints: It is looked for only where one of these is in the text,
        sign: and this, which is found faster than the form is.
        form: How it looks.
        holds: Whether something of that form is one, by its check digits.
    """

    kind: str
    hints: tuple[str, ...]
    form: re.Pattern[str]
    sign: re.Pattern[str] | None = None
    holds: Callable[[str], bool] = _always

    def is_in(self, text: str) -> bool:
        """Whether a text has one."""
        if self.hints and not any(hint in text for hint in self.hints):
            return False
        if self.sign is not None and not self.sign.search(text):
            return False
        return any(self.holds(found[0]) for found in self.form.finditer(text))

    def taken_out(self, text: str) -> str:
        """A text with a word for the kind in place of each."""
        if not self.is_in(text):
            return text
        word = f"[{self.kind}]"
        return self.form.sub(lambda f: word if self.holds(f[0]) else f[0], text)


def _is_iban(found: str) -> bool:
    signs = found.replace(" ", "")
    moved = signs[4:] + signs[:4]
    return int("".join(str(int(s, 36)) for s in moved)) % 97 == _IBAN_REMAINDER


def _is_card_number(found: str) -> bool:
    digits = [int(sign) for sign in found if sign.isdigit()]
    doubled = (
        sum(divmod(2 * digit, _LUHN_BASE)) if place % 2 else digit
        for place, digit in enumerate(reversed(digits))
    )
    return len(set(digits)) > 1 and sum(doubled) % _LUHN_BASE == 0


def _is_public_address(found: str) -> bool:
    try:
        return ipaddress.ip_address(found).is_global
    except ValueError:
        return False


PERSONAL: Final = (
    Pattern(
        "e-mail",
        ("@",),
        re.compile(
            r"(?<![\w.+-])(?!git@)[\w.+-]{1,64}"
            r"@(?!example\.)(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
        ),
    ),
    Pattern(
        "IBAN",
        (),
        re.compile(
            r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}"
            r"(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
        ),
        re.compile("[A-Z][A-Z][0-9][0-9] ?[A-Z0-9]{4}"),
        _is_iban,
    ),
    Pattern(
        "card number",
        (),
        re.compile(
            r"(?<![\d.,-])(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6011|65\d{2})"
            r"(?:[ -]?\d{4}){3}(?!\w|[.,-]\d)"
            r"|(?<![\d.,-])3[47]\d{2}[ -]?\d{6}[ -]?\d{5}(?!\w|[.,-]\d)"
        ),
        re.compile("[2-6][0-9]{3}[ -]?[0-9]{4}"),
        _is_card_number,
    ),
    Pattern(
        "IP address",
        (".",),
        re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)"),
        re.compile(r"[0-9]\.[0-9]{1,3}\.[0-9]"),
        _is_public_address,
    ),
    Pattern(
        "IP address",
        (":",),
        re.compile(r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])"),
        re.compile("[0-9A-Fa-f]:[0-9A-Fa-f]{1,4}:"),
        _is_public_address,
    ),
    Pattern(
        "phone",
        (),
        re.compile(
            r"(?<!\d[ -])(?:"
            r"(?<![\w.+])(?:\+|00)[1-9]\d{0,2}(?:[ ./()-]{0,3}\d){7,12}(?![\w]|\.\d)"
            r"|(?<![\w.+-])\(?[2-9]\d{2}(?:\) ?|[ .-])\d{3}[ .-]\d{4}(?![\w-]|\.\d)"
            r"|(?<![\w.+-])0[1-9]\d{1,4}(?: ?[/-] ?| )\d{3}(?:[ -]?\d){2,6}"
            r"(?![\w-]|\.\d))"
        ),
        re.compile("[0-9](?:[ ./()-]{0,3}[0-9]){6}"),
    ),
)
"""Likely data about a person."""

SECRETS: Final = (
    Pattern(
        "private key",
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:.*?-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|.*)",
            re.DOTALL,
        ),
    ),
    Pattern("Hugging Face token", ("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{30,}(?!\w)")),
    Pattern(
        "API key",
        ("sk-", "sk_", "rk_"),
        re.compile(r"\bsk-[\w-]{20,}|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ),
    Pattern("AWS key", ("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    Pattern(
        "GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{22,}"),
    ),
    Pattern("GitLab token", ("glpat-",), re.compile(r"\bglpat-[\w-]{20,}")),
    Pattern("Slack token", ("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    Pattern("Google key", ("AIza",), re.compile(r"\bAIza[\w-]{35}")),
    Pattern(
        "web token",
        ("eyJ",),
        re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    ),
)
"""What gives access to something."""


def without(text: str, patterns: tuple[Pattern, ...]) -> str:
    """A text with a word in brackets in place of each that is found."""

    def once(text: str) -> str:
        for pattern in patterns:
            text = pattern.taken_out(text)
        return text

    return until_stable(text, once)


class _Sensitive:
    """Counts rows by what they hold."""

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self._patterns = patterns
        self.places = Places()
        self._kinds: dict[str, int] = {}

    def take(self, row: CheckedRow) -> None:
        text = row.text
        kinds = {each.kind for each in self._patterns if each.is_in(text)}
        for kind in kinds:
            self._kinds[kind] = self._kinds.get(kind, 0) + 1
        if kinds:
            self.places.add(row)

    def in_words(self) -> str:
        often = sorted(self._kinds.items(), key=lambda pair: (-pair[1], pair[0]))
        return ", ".join(f"{kind} in {count:,}" for kind, count in often)


class PersonalData:
    """Tells of rows with what looks like data about a person."""

    def __init__(self) -> None:
        self._found = _Sensitive(PERSONAL)

    def take(self, row: CheckedRow) -> None:
        """Look for it."""
        self._found.take(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one; it names kinds and rows, never what was found."""
        yield from told(
            "data.personal",
            self._found.places,
            f"{{rows}} seem to hold personal data: {self._found.in_words()}.",
            why="A model can repeat what it was trained on, word for word.",
            fix="Put words such as [e-mail] in place of it in a new file.",
        )


class Secrets:
    """Tells of rows with what looks like a key or a token."""

    def __init__(self) -> None:
        self._found = _Sensitive(SECRETS)

    def take(self, row: CheckedRow) -> None:
        """Look for it."""
        self._found.take(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one; it names kinds and rows, never what was found."""
        yield from told(
            "data.secret",
            self._found.places,
            f"{{rows}} seem to hold secrets: {self._found.in_words()}.",
            why="A model can repeat them, and whoever has this file can use them.",
            fix="Put words such as [API key] in place of them in a new file, and "
            "withdraw the keys where they were given.",
        )
