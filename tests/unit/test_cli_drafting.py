"""`snugtune data make` in the terminal, by an address that is played."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from studio import cli
from studio.domain.errors import ExitCode
from studio.services.drafting import result_words, usual_model, warning_about


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = sent["messages"][0]["content"]
        self.server.asked.append(prompt)
        if len(self.server.asked) > self.server.ends_after:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        said = "What is seen?" if "Question:" not in prompt else "The lamp is seen."
        raw = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.ends_after = [], 1000
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def command(server, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(12):
        (docs / f"{n:02}.txt").write_text(f"The lamp number {n} is seen from far away.")
    return [
        "data",
        "make",
        str(docs),
        "-o",
        str(tmp_path / "drafts.jsonl"),
        "--address",
        f"http://127.0.0.1:{server.server_port}/v1",
        "--api-model",
        "big",
    ]


def test_that_drafts_are_made_by_an_address(command, capsys):
    assert cli.main([*command, "--json"]) == ExitCode.OK
    said = json.loads(capsys.readouterr().out)
    assert (said["drafts"], said["left"], said["stopped"]) == (12, 0, False)
    assert said["made_by"].startswith("big at 127.0.0.1:")


def test_that_a_failure_keeps_what_was_made_and_says_so(command, server, capsys):
    server.ends_after = 20
    assert cli.main(command) == ExitCode.FAILED
    said = capsys.readouterr()
    assert "8 drafts made before this are kept" in said.err
    assert "wants a token" in said.err
    server.ends_after = 1000
    assert cli.main([*command, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["drafts"] == 4


def test_that_the_terminal_tells_what_came_of_it(command, capsys):
    assert cli.main(command) == ExitCode.OK
    assert "12 drafts for review." in capsys.readouterr().out


def test_that_two_makers_are_refused(command, capsys):
    assert cli.main([*command, "--model", "x"]) == ExitCode.BAD_INPUT
    assert "can't draft together" in capsys.readouterr().err


def test_that_the_example_s_model_drafts_by_default_and_is_doubted():
    assert "135 million weights makes poor drafts" in warning_about(usual_model())


def test_that_results_are_told_by_reason_with_what_is_left():
    assert result_words(1, {"a": 1, "b": 3}, 2) == [
        "1 draft for review.",
        "4 others rejected by the test:",
        "  b: 3",
        "  a: 1",
        "2 passages left; the same command goes on with them.",
    ]
