"""What llama-server says is read as it is documented; the server is played here."""

import json
import math
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest
import torch

from studio.domain.dataset import Turn
from studio.domain.errors import StudioError
from studio.engine.parity import llama_program, llama_server
from studio.engine.parity.listed import spread
from studio.engine.parity.llama_server import LlamaServer
from studio.engine.parity.speakers import ServedFile
from studio.engine.parity.texts import Text

# As tools/server/README.md shows a reply with n_probs.
PLACE = {
    "id": 3,
    "token": " Brie",
    "bytes": [32, 66],
    "logprob": -0.1,
    "top_logprobs": [
        {"id": 3, "token": " Brie", "bytes": [32, 66], "logprob": math.log(0.7)},
        {"id": 0, "token": " a", "bytes": [32, 97], "logprob": math.log(0.2)},
    ],
}
REPLIES = {
    "/apply-template": {"prompt": "<|im_start|>user\nHello"},
    "/tokenize": {"tokens": [1, 5, 9]},
    "/completion": {"content": " Brie.", "completion_probabilities": [PLACE]},
}
REFUSED = "a prompt that the template refuses"


@pytest.fixture
def played():
    """A server that answers as documented, and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._say({"status": "ok"})

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            order = json.loads(self.rfile.read(length))
            asked.append((self.path, order))
            if REFUSED in json.dumps(order):
                fault = {"message": "No such role.", "code": 500}
                self._say({"error": fault}, fault["code"])
            elif self.path in REPLIES:
                self._say(REPLIES[self.path])
            else:
                self._say({"error": {"message": "File Not Found"}}, 404)

        def _say(self, told, code=200):
            content = json.dumps(told).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield LlamaServer(f"http://127.0.0.1:{server.server_address[1]}"), asked
    server.shutdown()
    thread.join()
    server.server_close()


class Counting:
    def counted(self, items, stage, unit):
        yield from items


def test_that_replies_are_read_as_documented(played):
    server, asked = played
    speaker = ServedFile(server, frozenset({2}))
    assert server.is_ready()
    assert speaker.asked([Turn("user", "Hello")]) == [1, 5, 9]
    assert speaker.answers(["Hello"]) == {"Hello": "Brie."}
    trained = torch.log(torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
    told = list(
        speaker.expected(Counting(), [Text([1, 5, 9], [2])], [trained], "Hearing")
    )
    assert [each.shape for each in told] == [(1, 4)]
    assert told[0].exp().sum() == pytest.approx(1.0)
    assert told[0].argmax() == 3
    order = asked[-1][1]
    assert order["prompt"] == [1, 5]
    assert order["n_predict"] == 1
    assert order["logit_bias"] == [[9, 1e6]]
    assert asked[1] == (
        "/tokenize",
        {
            "content": "<|im_start|>user\nHello",
            "add_special": True,
            "parse_special": True,
        },
    )


def test_that_the_file_s_own_sampling_has_no_say(played):
    server, asked = played
    server.expected([1, 5], 9)
    server.answer([1, 5], 4)
    for _, order in asked:
        assert order["samplers"] == ["top_k"]
        assert order["top_k"] == 1


def test_that_a_chat_that_the_template_refuses_is_none(played):
    server, _ = played
    speaker = ServedFile(server, frozenset())
    assert speaker.asked([Turn("user", REFUSED)]) is None
    assert speaker.answers([REFUSED]) == {REFUSED: ""}


def test_that_a_server_without_a_question_is_to_be_updated(played, monkeypatch):
    server, _ = played
    monkeypatch.delitem(REPLIES, "/apply-template")
    with pytest.raises(StudioError, match=r"File Not Found.*Update llama"):
        server.rendered([Turn("user", "Hello")])


def test_that_a_text_without_places_is_not_asked_about(played):
    server, asked = played
    speaker = ServedFile(server, frozenset())
    nothing = torch.empty(0, 4)
    (told,) = speaker.expected(Counting(), [Text([1, 5], [])], [nothing], "Hearing")
    assert told.shape == (0, 4)
    assert all(path == "/tokenize" for path, _ in asked)


def test_that_words_that_aren_t_listed_count_as_one():
    trained = torch.log_softmax(torch.randn(50, generator=torch.manual_seed(1)), 0)
    other = torch.log_softmax(torch.randn(50, generator=torch.manual_seed(2)), 0)
    best = other.topk(10)
    listed = dict(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    told = spread(listed, trained)
    assert told.exp().sum() == pytest.approx(1.0, abs=1e-5)
    kl = torch.sum(trained.exp() * (trained - told))
    rest = torch.ones(50, dtype=torch.bool)
    rest[best.indices] = False
    p, q = trained[rest].exp().sum(), other[rest].exp().sum()
    known = best.indices
    coarse = torch.sum(trained[known].exp() * (trained[known] - other[known]))
    coarse += p * torch.log(p / q)
    assert kl == pytest.approx(float(coarse), abs=1e-5)
    assert kl <= torch.sum(trained.exp() * (trained - other)) + 1e-6


def test_that_a_model_that_is_itself_is_not_apart():
    trained = torch.log_softmax(torch.randn(50, generator=torch.manual_seed(1)), 0)
    best = trained.topk(10)
    listed = dict(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    assert torch.allclose(spread(listed, trained), trained, atol=1e-5)


@pytest.mark.parametrize("told", [None, [], [{}], [{"top_logprobs": [{"id": 1}]}]])
def test_that_a_reply_of_another_form_is_refused(told):
    with pytest.raises(StudioError, match="Update llama"):
        llama_server.likeliest_in(told)


def test_that_a_server_that_ends_is_told(tmp_path):
    program = tmp_path / "llama-server"
    program.write_text(f"#!{sys.executable}\nraise SystemExit(3)\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with (
        pytest.raises(StudioError, match="code 3"),
        llama_server.serving(program, tmp_path / "a.gguf", 64),
    ):
        pass


def program_of(folder, monkeypatch, code):
    """A llama-server made of Python code, found as a user's own is."""
    program = folder / "llama-server"
    program.write_text(f"#!{sys.executable}\nimport os, sys\n{code}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("SNUGTUNE_LLAMA_CPP", str(folder))
    return program


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("version: 4391 (9ba399df)", "b4391 (9ba399df)"),
        ("version: 0.5.0-dev (build 9999, commit 0c1e570)", "b9999 (0c1e570)"),
        ("version: 0 (unknown)", ""),
        ("version: 0 (9ba399df)", "9ba399df"),
        ("version: 0.5.0", "0.5.0"),
        ("built with cc", ""),
    ],
)
def test_that_a_server_is_named_with_its_version(tmp_path, monkeypatch, said, title):
    code = f"print({said!r}, 'built with cc', sep='\\n', file=sys.stderr)"
    program = program_of(tmp_path, monkeypatch, code)
    found = llama_program.usable_server()
    assert found == llama_program.LlamaProgram(program, title)
    assert found.title == f"llama.cpp (llama-server{' ' * bool(title)}{title})"


def test_that_a_server_that_can_t_run_here_is_passed_over(tmp_path, monkeypatch):
    program_of(tmp_path, monkeypatch, "raise SystemExit(127)")
    assert llama_program.usable_server() is None


def test_that_a_user_s_own_settings_don_t_reach_the_server(tmp_path, monkeypatch):
    for name in ("LLAMA_ARG_CHAT_TEMPLATE", "LLAMA_API_KEY", "AIP_MODE"):
        monkeypatch.setenv(name, "other")
    leaks = "any(n.startswith(('LLAMA_', 'AIP_')) for n in os.environ)"
    program = program_of(
        tmp_path, monkeypatch, f"raise SystemExit(7 if {leaks} else 3)"
    )
    with (
        pytest.raises(StudioError, match="code 3"),
        llama_server.serving(program, tmp_path / "a.gguf", 64),
    ):
        pass


SERVES = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
port = int(sys.argv[sys.argv.index("--port") + 1])
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
ASKS = """
import sys
from pathlib import Path
from studio.engine.parity import llama_server
with llama_server.serving(Path(sys.argv[1]), Path("a.gguf"), 64):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_that_a_server_doesn_t_outlive_an_engine_that_is_killed(tmp_path, monkeypatch):
    program = program_of(tmp_path, monkeypatch, SERVES)
    asker = subprocess.Popen(
        [sys.executable, "-c", ASKS, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with asker:
        assert asker.stdout.readline() == b"ready\n"
        children = psutil.Process(asker.pid).children(recursive=True)
        assert any(str(program) in each.cmdline() for each in children)
        asker.kill()
    assert psutil.wait_procs(children, timeout=60)[1] == []


def test_that_a_server_ends_with_the_comparison(tmp_path, monkeypatch):
    program = program_of(tmp_path, monkeypatch, SERVES)
    with llama_server.serving(program, tmp_path / "a.gguf", 64) as server:
        assert server.is_ready()
        children = psutil.Process().children(recursive=True)
    assert psutil.wait_procs(children, timeout=60)[1] == []
    assert not server.is_ready()
