"""A model behind an address: what is sent, what is refused, what is tried again."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from studio.domain.errors import StudioError
from studio.system import chat_address
from studio.system.chat_address import address_of

TOKEN = "sk-very-secret-0123456789"


def answer(text):
    return 200, {"choices": [{"message": {"role": "assistant", "content": text}}]}


class Server(ThreadingHTTPServer):
    """Answers each request with the next of its answers."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = []
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        status, content, *headers = self.server.answers.pop(0)
        if status is None:
            self.close_connection = True
            return  # says nothing and hangs up
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def waits():
    return []


@pytest.fixture
def address(server, waits):
    found = address_of(server.url, "big", environment={"OPENAI_API_KEY": TOKEN})
    return chat_address.ChatAddress(
        url=found.url,
        model=found.model,
        token=found.token,
        timeout_s=5.0,
        wait=waits.append,
    )


def test_that_a_prompt_is_sent_as_a_chat_and_answered(server, address):
    server.answers = [answer("Hanne."), answer("1874.")]
    assert address.ask(["Who?", "When?"], 64) == ["Hanne.", "1874."]
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert body == {
        "model": "big",
        "messages": [{"role": "user", "content": "Who?"}],
        "max_tokens": 64,
        "temperature": 0,
    }


def test_that_no_token_is_sent_where_there_is_none(server):
    server.answers = [answer("Hanne.")]
    address_of(server.url, "big", environment={}).ask(["Who?"], 8)
    assert "Authorization" not in server.requests[0][1]


def test_that_the_token_is_never_shown(address):
    assert TOKEN not in repr(address)
    assert TOKEN not in address.made_by


def test_that_a_busy_or_broken_server_is_asked_again(server, address, waits):
    server.answers = [(429, {}), (503, {}), answer("Hanne.")]
    assert address.ask(["Who?"], 8) == ["Hanne."]
    assert waits == [1.0, 4.0]


def test_that_a_server_s_own_pause_is_kept_within_reason(server, address, waits):
    server.answers = [
        (429, {}, ("Retry-After", "7")),
        (429, {}, ("Retry-After", "86400")),
        (429, {}, ("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")),
        answer("Hanne."),
    ]
    assert address.ask(["Who?"], 8) == ["Hanne."]
    assert waits == [7.0, 60.0, 15.0]


def test_that_a_connection_that_breaks_is_tried_again(server, address, waits):
    server.answers = [(None, b""), answer("Hanne.")]
    assert address.ask(["Who?"], 8) == ["Hanne."]
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("status", "words", "tries"),
    [
        (400, "does not understand", 1),
        (401, "wants a token", 1),
        (403, "refuses this token", 1),
        (404, "no such page or model", 1),
        (413, "too long", 1),
        (418, "refuses the request", 1),
        (429, "limit is reached", 4),
        (500, "broken at the moment", 4),
        (503, "broken at the moment", 4),
    ],
)
def test_that_each_refusal_is_put_into_words(server, address, status, words, tries):
    server.answers = [(status, {"error": {"message": f"No. {TOKEN} is\nbad"}})] * tries
    with pytest.raises(StudioError, match=words) as refused:
        address.ask(["Who?"], 8)
    assert server.answers == []
    assert f"HTTP {status}" in refused.value.finding.what
    assert refused.value.finding.how_to_fix
    assert "No. (the token) is bad" in refused.value.finding.why
    assert TOKEN not in str(refused.value)


def test_that_a_redirect_is_not_followed(server, address):
    server.answers = [(302, {}, ("Location", f"{server.url}/elsewhere"))]
    with pytest.raises(StudioError, match="sends elsewhere"):
        address.ask(["Who?"], 8)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        ({"choices": []}, "without an answer"),
        ({"choices": [{"message": {}}]}, "without an answer"),
        ([1], "without an answer"),
    ],
)
def test_that_a_strange_answer_is_told(server, address, content, words):
    server.answers = [(200, content)]
    with pytest.raises(StudioError, match=words):
        address.ask(["Who?"], 8)


def test_that_an_answer_without_content_is_an_empty_draft(server, address):
    server.answers = [(200, {"choices": [{"message": {"content": None}}]})]
    assert address.ask(["Who?"], 8) == [""]


def test_that_an_endless_answer_is_cut_off(server, address, monkeypatch):
    monkeypatch.setattr(chat_address, "_MOST_BYTES", 100)
    server.answers = [(200, b" " * 1000)]
    with pytest.raises(StudioError, match="more than an answer"):
        address.ask(["Who?"], 8)


def test_that_nobody_there_is_told(server, waits):
    server.shutdown()
    server.server_close()
    found = address_of(server.url, "big", environment={})
    gone = chat_address.ChatAddress(url=found.url, model="big", wait=waits.append)
    with pytest.raises(StudioError, match="can't be reached"):
        gone.ask(["Who?"], 8)
    assert len(waits) == 3


def test_that_an_answer_that_does_not_come_is_told(server, waits):
    gate = threading.Event()

    class Silent(list):
        def pop(self, _):
            gate.wait(10)
            return None, b""

    server.answers = Silent()
    found = address_of(server.url, "big", environment={})
    slow = chat_address.ChatAddress(
        url=found.url, model="big", timeout_s=0.05, wait=waits.append
    )
    try:
        with pytest.raises(StudioError, match="did not answer within the time"):
            slow.ask(["Who?"], 8)
    finally:
        gate.set()
    assert len(waits) == 3


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/v1",
        "https://example.org/v1/",
        "https://example.org/v1/chat/completions",
        " https://example.org/v1 ",
    ],
)
def test_that_an_address_is_taken_with_and_without_its_end(url):
    found = address_of(url, "big", environment={})
    assert found.url.geturl() == "https://example.org/v1/chat/completions"
    assert found.made_by == "big at example.org"


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8080/v1", "http://127.0.0.1/v1", "http://[::1]:1/v1"],
)
def test_that_this_machine_needs_no_encryption(url):
    assert address_of(url, "big", environment={}).url.scheme == "http"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is no address"),
        ("example.org/v1", "is no address"),
        ("ftp://example.org/v1", "is no address"),
        ("file:///etc/passwd", "is no address"),
        ("https://", "is no address"),
        ("https://example.org:port/v1", "is no address"),
        ("https://[::1/v1", "is no address"),
        ("http://example.org/v1", "isn't encrypted"),
        ("http://localhost.example.org/v1", "isn't encrypted"),
        ("http://192.168.1.5/v1", "isn't encrypted"),
        ("https://me:word@example.org/v1", "a password"),
        ("https://example.org/v1?key=1", "a query"),
    ],
)
def test_that_what_is_no_safe_address_is_refused(url, words):
    with pytest.raises(StudioError, match=words):
        address_of(url, "big", environment={})


def test_that_an_address_that_is_not_encrypted_can_be_allowed():
    found = address_of("http://192.168.1.5/v1", "m", allow_http=True, environment={})
    assert found.url.scheme == "http"


def test_that_an_address_needs_a_model():
    with pytest.raises(StudioError, match="name of a model"):
        address_of("https://example.org/v1", " ", environment={})
