"""A model behind an address that speaks OpenAI's chat completions.

Only the standard library is used. What is sent goes to the address that was given and
nowhere else: redirects aren't followed, for they would carry the token along. The token
comes from the environment alone and is never written, logged or shown.
"""

import contextlib
import http.client
import ipaddress
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Final
from urllib import error as url_error
from urllib import request as url_request
from urllib.parse import SplitResult, urlsplit, urlunsplit

from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import error

TOKEN_VARIABLE: Final = "OPENAI_API_KEY"
_PATH: Final = "/chat/completions"
_TRIES: Final = 4
_WAITS_S: Final = (1.0, 4.0, 15.0)
_LONGEST_WAIT_S: Final = 60.0
_TIMEOUT_S: Final = 120.0
_MOST_BYTES: Final = 4 << 20
_MOST_WORDS: Final = 200
_TOO_MANY: Final = 429
_BROKEN: Final = 500
_REFUSED: Final = 400
_REASONS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("does not understand the request", "Check the model's name."),
    401: ("wants a token", f"Set the environment variable {TOKEN_VARIABLE}."),
    402: ("wants to be paid first", "Look at your account there."),
    403: ("refuses this token", f"Check {TOKEN_VARIABLE}, and what it is allowed."),
    404: ("knows no such page or model", "Check the address and the model's name."),
    413: ("finds the request too long", "Use documents with shorter paragraphs."),
    429: ("answers too many others, or your limit is reached", "Try again later."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAddress:
    """Where to ask, and whom.

    Attributes:
        url: As checked by `address_of`.
        model: Its name there.
        token: Sent with each request; empty for none. Never shown.
        timeout_s: An answer that takes longer counts as none.
        wait: Sleeps between tries.
    """

    url: SplitResult
    model: str
    token: str = field(default="", repr=False)
    timeout_s: float = _TIMEOUT_S
    wait: Callable[[float], None] = field(default=time.sleep, repr=False)

    @property
    def made_by(self) -> str:
        """What drafts say of who made them: the model and the host."""
        return f"{self.model} at {self.url.netloc}"

    def ask(self, prompts: Sequence[str], most_tokens: int) -> list[str]:
        """Ask each prompt on its own, one after the other.

        Raises:
            StudioError: No answer could be had, in words.
        """
        return [self._answer(prompt, most_tokens) for prompt in prompts]

    def _answer(self, prompt: str, most_tokens: int) -> str:
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": most_tokens,
            "temperature": 0,
        }
        for tried in range(1, _TRIES + 1):
            pause = _WAITS_S[min(tried, len(_WAITS_S)) - 1]
            try:
                return _said(self._post(json.dumps(body).encode()), self.url.netloc)
            except url_error.HTTPError as fault:
                with contextlib.closing(fault):
                    again = fault.code == _TOO_MANY or fault.code >= _BROKEN
                    if not again or tried == _TRIES:
                        raise self._refused(fault) from None
                    pause = _asked_pause(fault.headers, pause)
            except (OSError, http.client.HTTPException) as fault:
                if tried == _TRIES:
                    raise _unreachable(fault, self.url.netloc) from None
            self.wait(pause)
        raise AssertionError  # the last try returns or raises

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = url_request.Request(
            urlunsplit(self.url), data=body, headers=headers, method="POST"
        )
        with self._opener().open(request, timeout=self.timeout_s) as answer:
            content: bytes = answer.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise _strange("more than an answer", self.url.netloc)
        return content

    def _opener(self) -> url_request.OpenerDirector:
        handlers: list[url_request.BaseHandler] = [_NoRedirect()]
        if is_this_machine(self.url.hostname or ""):
            handlers.append(url_request.ProxyHandler({}))
        return url_request.build_opener(*handlers)

    def _refused(self, fault: url_error.HTTPError) -> StudioError:
        broken = ("is broken at the moment", "Try again later.")
        moved = ("sends elsewhere, which isn't followed", "Give the new address.")
        other = ("refuses the request", "Check the address and the model's name.")
        usual = broken if fault.code >= _BROKEN else other
        usual = moved if fault.code < _REFUSED else usual
        words, fix = _REASONS.get(fault.code, usual)
        return _failed(
            f"{self.url.netloc} {words} (HTTP {fault.code}).",
            why=self._words_of(fault),
            fix=fix,
        )

    def _words_of(self, fault: url_error.HTTPError) -> str:
        """What the server says of its refusal: one short line without the token."""
        try:
            document = json.loads(fault.read(_MOST_BYTES))
        except (OSError, ValueError, RecursionError, http.client.HTTPException):
            return ""
        match document:
            case {"error": {"message": str() as words}} | {"error": str() as words}:
                shown = "".join(c if c.isprintable() else " " for c in words)
                if self.token:
                    shown = shown.replace(self.token, "(the token)")
                return f"It says: {' '.join(shown.split())[:_MOST_WORDS]}"
        return ""


class _NoRedirect(url_request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: the answer that redirects is the error then."""
        return


def address_of(
    url: str,
    model: str,
    *,
    allow_http: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> ChatAddress:
    """Check an address.

    Args:
        url: Such as ``https://example.org/v1``; ``/chat/completions`` is added to it.
        model: Its name there.
        allow_http: Take an address of another machine that isn't encrypted.
        environment: Where the token is.

    Raises:
        StudioError: It is none, isn't encrypted, or holds a password.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise _bad_address("is no address", "Give one such as https://example.org/v1.")
    if parts.username is not None or parts.password is not None or parts.query:
        raise _bad_address(
            "holds a name, a password or a query",
            f"Leave them out; a token goes into {TOKEN_VARIABLE}.",
        )
    if parts.scheme == "http" and not (is_this_machine(host) or allow_http):
        raise _bad_address(
            "isn't encrypted, so others could read documents and token",
            "Give an https address, or allow it with --allow-http.",
        )
    if not model.strip():
        raise refusal(
            "address.model",
            "An address needs the name of a model there.",
            fix="Give it with --api-model.",
            where="--api-model",
        )
    path = parts.path.rstrip("/")
    path = path if path.endswith(_PATH) else path + _PATH
    return ChatAddress(
        url=SplitResult(parts.scheme, parts.netloc, path, "", ""),
        model=model.strip(),
        token=environment.get(TOKEN_VARIABLE, "").strip(),
    )


def is_this_machine(host: str) -> bool:
    """Whether what is sent to a host stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _said(content: bytes, host: str) -> str:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _strange("no JSON", host) from None
    match document:
        case {"choices": [{"message": {"content": str() as text}}, *_]}:
            return text
        case {"choices": [{"message": {"content": None}}, *_]}:
            return ""
    raise _strange("JSON without an answer in it", host)


def _asked_pause(headers: Message | None, pause: float) -> float:
    """What the server asks for, within reason."""
    asked = "" if headers is None else str(headers.get("Retry-After", ""))
    return min(float(asked), _LONGEST_WAIT_S) if asked.isdecimal() else pause


def _unreachable(fault: OSError | http.client.HTTPException, host: str) -> StudioError:
    reason = getattr(fault, "reason", fault)
    if isinstance(reason, TimeoutError):
        return _failed(
            f"{host} did not answer within the time.",
            fix="Try again later, or choose a smaller model there.",
        )
    return _failed(
        f"{host} can't be reached: {reason or type(fault).__name__}.",
        fix="Check the address and the connection.",
    )


def _strange(what: str, host: str) -> StudioError:
    return _failed(
        f"{host} answers with {what}.",
        fix="Check that the address speaks OpenAI's chat completions.",
    )


def _failed(what: str, *, why: str = "", fix: str) -> StudioError:
    finding = error("address.failed", what, why=why, fix=fix, where="--address")
    return StudioError(finding, ExitCode.FAILED)


def _bad_address(what: str, fix: str) -> StudioError:
    return refusal("address.bad", f"The address {what}.", fix=fix, where="--address")
