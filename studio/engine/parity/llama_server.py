"""A GGUF file, run by llama.cpp itself: the user's own ``llama-server``.

It listens on this machine alone, and ends with the comparison. Of what it expects it
lists the likeliest words; the others count as one (`studio.engine.parity.listed`).
The requests are those of llama.cpp's own tools/server/README.md.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.domain.dataset import Turn
from studio.domain.errors import StudioError, refusal
from studio.engine.parity.llama_program import environment

LISTED = 100
_HOST = "127.0.0.1"
_LEASH = Path(__file__).with_name("leash.py")
_START_S = 300.0
_REPLY_S = 600.0
_LOOK_S = 0.2
_MISSING = 404
_MOST_SAID = 300
_FORCED = 1e6
# The likeliest word, whatever the file advises: newer servers take their sampling from
# fields of it, and would punish words that were said before.
_GREEDY = {"temperature": -1.0, "samplers": ["top_k"], "top_k": 1}
# Whatever proxy the user has, this is a conversation with this machine.
_ASK = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass(frozen=True, slots=True)
class LlamaServer:
    """A server that has a file loaded.

    Attributes:
        address: Of it, without a path.
    """

    address: str

    def rendered(self, turns: Sequence[Turn]) -> str | None:
        """A chat as text, by the file's own template, ready to be answered.

        None where the template refuses it.

        Raises:
            StudioError: It doesn't answer, or not as it should.
        """
        chat = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            return str(self._asked("/apply-template", {"messages": chat}, "prompt"))
        except StudioError as fault:
            if _is_refused(fault.__cause__):
                return None
            raise

    def tokens(self, text: str, *, adds: bool = True) -> list[int]:
        """A rendered chat as tokens, by the file's own tokenizer.

        Args:
            text: The chat.
            adds: Whether what begins and ends a text is added where the file says so,
                as the server does with chats: it takes that off what it renders.

        Raises:
            StudioError: It doesn't answer, or not as it should.
        """
        order = {"content": text, "add_special": adds, "parse_special": True}
        return tokens_in(self._asked("/tokenize", order, "tokens"))

    def expected(self, ids: Sequence[int], said: int) -> Mapping[int, float]:
        """Log-probabilities of the words that it holds likeliest behind some tokens.

        Args:
            ids: The tokens.
            said: A token of whole characters, which is drawn. A server tells nothing
                of a place where it draws a part of a character, and what it expects
                is told from before it draws.

        Raises:
            StudioError: It doesn't answer, or not as it should.
        """
        order = {"prompt": list(ids), "n_predict": 1, "n_probs": LISTED}
        order |= {**_GREEDY, "logit_bias": [[said, _FORCED]], "cache_prompt": True}
        return likeliest_in(
            self._asked("/completion", order, "completion_probabilities")
        )

    def answer(self, ids: Sequence[int], most_tokens: int) -> str:
        """Its greedy answer to a prompt.

        Raises:
            StudioError: It doesn't answer, or not as it should.
        """
        order = {"prompt": list(ids), "n_predict": most_tokens, **_GREEDY}
        return str(self._asked("/completion", order, "content")).strip()

    def is_ready(self) -> bool:
        """Whether the file is loaded."""
        try:
            with _ASK(f"{self.address}/health", timeout=2) as reply:
                return bool(reply.status == 200)  # noqa: PLR2004 - HTTP's own number
        except OSError:
            return False

    def _asked(self, path: str, order: Mapping[str, object], key: str) -> object:
        request = urllib.request.Request(
            f"{self.address}{path}",
            json.dumps(order).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with _ASK(request, timeout=_REPLY_S) as reply:
                return json.loads(reply.read())[key]
        except urllib.error.HTTPError as fault:
            raise _no_answer(path, fault, _said_by(fault)) from fault
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise _no_answer(path, fault) from fault


def tokens_in(told: object) -> list[int]:
    """Tokens of a reply.

    Raises:
        StudioError: It holds none.
    """
    if isinstance(told, list) and all(isinstance(each, int) for each in told):
        return list(told)
    message = "no list of tokens"
    raise _no_answer("/tokenize", ValueError(message))


def likeliest_in(told: object) -> Mapping[int, float]:
    """Log-probabilities by token, of the one place that a reply tells of.

    Raises:
        StudioError: It tells of none, as versions before December 2024 do.
    """
    try:
        place = told[0]  # type: ignore[index]  # whatever was sent
        return {
            int(each["id"]): float(each["logprob"]) for each in place["top_logprobs"]
        }
    except (LookupError, TypeError, ValueError) as fault:
        raise _no_answer("/completion", fault) from fault


@contextlib.contextmanager
def serving(program: Path, file: Path, context: int) -> Iterator[LlamaServer]:
    """Run a server for as long as it is asked.

    Args:
        program: ``llama-server``.
        file: The GGUF file.
        context: Tokens that a text may have.

    Raises:
        StudioError: It doesn't start, or makes nothing of the file.
    """
    port = _free_port()
    command = [str(program), "-m", str(file), "--host", _HOST, "--port", str(port)]
    command += ["-c", str(context), "-np", "1"]
    if not os.access(program, os.X_OK):
        raise _not_started(program, "It isn’t a program.")
    # By a leash, so that the server never outlives who asks it.
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_LEASH), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=dict(environment()),
    )
    try:
        server = LlamaServer(f"http://{_HOST}:{port}")
        _wait_for(server, process, program)
        yield server
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _wait_for(
    server: LlamaServer, process: "subprocess.Popen[bytes]", program: Path
) -> None:
    until = time.monotonic() + _START_S
    while not server.is_ready():
        code = process.poll()
        if code is not None:
            raise _not_started(program, f"It ended with code {code}.")
        if time.monotonic() > until:
            raise _not_started(program, "It took longer than five minutes.")
        time.sleep(_LOOK_S)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((_HOST, 0))
        return int(taken.getsockname()[1])


def _not_started(program: Path, why: str) -> StudioError:
    return refusal(
        "parity.server",
        "llama-server didn’t load this file.",
        why=f"{why} The log holds what it said.",
        fix="Try it by hand, or take llama.cpp off the path to compare without it.",
        where=str(program),
    )


def _is_refused(fault: BaseException | None) -> bool:
    """Whether a server that knows the question doesn't take what is asked."""
    return isinstance(fault, urllib.error.HTTPError) and fault.code != _MISSING


def _said_by(fault: urllib.error.HTTPError) -> str:
    """What a server says beside its number."""
    try:
        told = json.loads(fault.read())["error"]["message"]
    except (OSError, ValueError, KeyError, TypeError):
        return str(fault)
    return f"{fault}: {str(told).strip()[:_MOST_SAID]}"


def _no_answer(path: str, fault: Exception, why: str = "") -> StudioError:
    return refusal(
        "parity.server-answer",
        "llama-server didn’t answer as expected.",
        why=why or str(fault),
        fix="Update llama.cpp, or take it off the path to compare without it.",
        where=path,
    )
