"""A hub of data sets on this machine: as much of its HTTP as the libraries ask for."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from tests.engine.served import served

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Shelf:
    """What the hub holds.

    Attributes:
        sets: Files of each data set, by its id and their path.
        refused: Ids that are answered by a status and an error code.
        asked: Every request, method and path.
        tokens: Authorization headers that came.
        pause: Is waited for before a file's bytes are given.
    """

    sets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    pause: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        self.pause.set()


def hub(shelf):
    """Serve a shelf; gives its address."""
    return served(_Handler, shelf.pause, shelf=shelf)


class _Handler(BaseHTTPRequestHandler):
    shelf: Shelf
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self._answer(self.rfile.read(length))

    def _answer(self, body=b""):
        path = unquote(urlsplit(self.path).path)
        self.shelf.asked.append(f"{self.command} {path}")
        if token := self.headers.get("Authorization"):
            self.shelf.tokens.add(token)
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "datasets"] and len(parts) >= 4:
            self._api("/".join(parts[2:4]), parts[4:], body)
        elif parts[0] == "datasets" and "resolve" in parts:
            self._resolve("/".join(parts[1:3]), parts[4], "/".join(parts[5:]))
        else:
            self._send(404, b"{}")

    def _files(self, name, revision=""):
        if name in self.shelf.refused:
            status, code = self.shelf.refused[name]
            self._send(status, b"{}", {"X-Error-Code": code})
            return None
        if name not in self.shelf.sets:
            self._send(401, b"{}", {"X-Error-Code": "RepoNotFound"})
            return None
        if revision not in {"", "main", COMMIT}:
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return None
        return self.shelf.sets[name]

    def _api(self, name, rest, body):
        revision = rest[1] if len(rest) > 1 else ""
        files = self._files(name, revision)
        if files is None:
            return
        match rest[:1]:
            case [] | ["revision"]:
                siblings = [{"rfilename": each} for each in files]
                told = {"id": name, "sha": COMMIT, "siblings": siblings}
                told |= {"private": False, "gated": False, "tags": [], "downloads": 0}
                self._json(told)
            case ["tree"]:
                under = "/".join(rest[2:])
                self._json(_tree(files, under, self._query()))
            case ["paths-info"]:
                form = parse_qs(body.decode())
                wanted = form.get("paths") or json.loads(body or b"{}").get("paths", [])
                self._json([_entry(files, p) for p in wanted if _is_there(files, p)])
            case _:
                self._send(404, b"{}")

    def _query(self):
        return parse_qs(urlsplit(self.path).query)

    def _resolve(self, name, revision, file):
        files = self._files(name, revision)
        if files is None:
            return
        if file not in files:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        content = files[file]
        headers = {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
            "Accept-Ranges": "bytes",
        }
        if self.command != "HEAD" and file != "README.md":
            self.shelf.pause.wait()
        asked = self.headers.get("Range")
        if asked and asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            stop = min(int(last) + 1 if last else len(content), len(content))
            headers["Content-Range"] = f"bytes {first}-{stop - 1}/{len(content)}"
            self._send(206, content[int(first) : stop], headers)
        else:
            self._send(200, content, headers)

    def _json(self, told):
        kind = {"Content-Type": "application/json"}
        self._send(200, json.dumps(told).encode(), kind)

    def _send(self, status, content, headers=()):
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _is_there(files, path):
    return path in files or any(each.startswith(f"{path}/") for each in files)


def _entry(files, path):
    if path not in files:
        return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
    oid = hashlib.sha1(files[path]).hexdigest()
    return {"type": "file", "path": path, "oid": oid, "size": len(files[path])}


def _tree(files, under, query):
    start = f"{under}/" if under else ""
    inside = [each for each in files if each.startswith(start)]
    folders, here = set(), []
    for each in inside:
        parts = each.removeprefix(start).split("/")
        for depth in range(1, len(parts)):
            folders.add(start + "/".join(parts[:depth]))
        here.append(each)
    if query.get("recursive", ["false"])[0].lower() != "true":
        here = [each for each in here if "/" not in each.removeprefix(start)]
        folders = {each for each in folders if "/" not in each.removeprefix(start)}
    return [_entry(files, each) for each in [*sorted(folders), *here]]
