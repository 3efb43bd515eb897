"""A hub that models are pushed to, on this machine: its HTTP, and its stores of files.

Large files come by either of two ways, as the libraries choose: pieces to a store of
pieces (xet), of which a list then says which file they make; or a whole file to an
address (LFS). A commit is refused that names a file which didn't come.
"""

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote, urlsplit

from tests.engine.served import served

CUT = "cut"
ACCOUNT, CLUB = "me", "club"
_LARGE = (".safetensors", ".gguf")


@dataclass
class Repository:
    """What one holds.

    Attributes:
        private: Whether it is.
        branches: Of each, its files: contents, or the digest and size of a large one.
        heads: Of each branch, its newest commit.
        commits: Of each branch, what was committed: message and names.
    """

    private: bool = True
    branches: dict[str, dict[str, object]] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)
    commits: list[tuple[str, str, list[str]]] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)

    def __post_init__(self):
        self.branches.setdefault("main", {".gitattributes": b""})
        self.heads.setdefault("main", "0" * 40)


@dataclass
class Fault:
    """What goes wrong where a request's path holds a word.

    Attributes:
        part: The word.
        answer: A status, or `CUT`.
        after: So many such requests go well before.
        code: Of the hub's own, for its header.
        message: What the hub says.
    """

    part: str
    answer: object
    after: int = 0
    code: str = ""
    message: str = ""


@dataclass
class PlayedHub:
    """The hub's state, and what came to it.

    Attributes:
        token: That it knows.
        role: Of it.
        repositories: By their names.
        faults: The first that fits happens.
        asked: Method, path and length of every request's body.
        signed: What signed each request, by the start of its path.
        pieces: What came of large files: bytes of each piece or file.
        free: So many pieces are taken before any waits.
        pause: Is waited for before a piece is taken, and before a commit is.
        at_piece, at_commit: Set when one waits.
    """

    token: str
    role: str = "write"
    repositories: dict[str, Repository] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    signed: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)
    lists: list[bytes] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)
    pause: threading.Event = field(default_factory=threading.Event)
    free: int = 0
    at_piece: threading.Event = field(default_factory=threading.Event)
    at_commit: threading.Event = field(default_factory=threading.Event)
    created: list[dict] = field(default_factory=list)

    def __post_init__(self):
        self.pause.set()

    def has(self, digest):
        """Whether all of a large file came."""
        raw = bytes.fromhex(digest)
        # The lists of pieces hold a digest as four numbers, low byte first.
        turned = b"".join(raw[at : at + 8][::-1] for at in range(0, 32, 8))
        return digest in self.whole or any(raw in x or turned in x for x in self.lists)


def played(hub):
    """Serve it; gives its address."""
    return served(_Handler, hub.pause, hub=hub)


class _Handler(BaseHTTPRequestHandler):
    hub: PlayedHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self):
        path = unquote(urlsplit(self.path).path)
        body = self._body()
        if body is None:
            return
        self.hub.asked.append((self.command, path, len(body)))
        self.hub.signed.append((path, self.headers.get("Authorization") or ""))
        fault = self._fault(path)
        if fault is None:
            self._act(path.strip("/").split("/"), body)
        elif fault.answer == CUT:
            self.close_connection = True
            self.connection.close()
        else:
            headers = {"X-Error-Code": fault.code} if fault.code else {}
            self._json({"error": fault.message}, fault.answer, headers)

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def do_PUT(self):
        self._answer()

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _fault(self, path):
        for fault in self.hub.faults:
            if fault.part in path:
                fault.after -= 1
                if fault.after < 0:
                    return fault
        return None

    def _act(self, parts, body):
        match parts:
            case ["cas", *rest]:
                self._store(rest, body)
            case ["lfs", digest] if self.command == "PUT":
                self._take_piece(body)
                if hashlib.sha256(body).hexdigest() == digest:
                    self.hub.whole.add(digest)
                self._json({})
            case ["lfs", "verify"]:
                told = json.loads(body)
                self._json({}, 200 if told["oid"] in self.hub.whole else 404)
            case [_, _, "info", "lfs", "objects", "batch"]:
                self._batch(body)
            case ["api", *rest]:
                self._api(rest, body)
            case _:
                self._json({}, 404)

    def _store(self, rest, body):
        match rest:
            case ["v1", "xorbs", *_]:
                self._take_piece(body)
                self._json({"was_inserted": True})
            case ["v1", "shards"]:
                self.hub.lists.append(body)
                self._json({"result": 1})
            case _:
                self._json({}, 404)

    def _take_piece(self, body):
        self.hub.pieces.append(len(body))
        if len(self.hub.pieces) > self.hub.free:
            self.hub.at_piece.set()
            self.hub.pause.wait()

    def _batch(self, body):
        told = []
        for each in json.loads(body)["objects"]:
            if not self.hub.has(each["oid"]):
                up = {"href": f"{self._here}/lfs/{each['oid']}"}
                verify = {"href": f"{self._here}/lfs/verify"}
                each["actions"] = {"upload": up, "verify": verify}
            told.append(each)
        self._json({"transfer": "basic", "objects": told})

    @property
    def _here(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def _api(self, rest, body):
        if rest[0] == "agent-harnesses":
            self._json({}, 404)
        elif self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._json({"error": "Invalid credentials"}, 401)
        elif rest == ["whoami-v2"]:
            auth = {"accessToken": {"role": self.hub.role}}
            self._json({"name": ACCOUNT, "orgs": [{"name": CLUB}], "auth": auth})
        elif rest == ["repos", "create"]:
            self._create(json.loads(body))
        elif rest == ["validate-yaml"]:
            self._json({"errors": [], "warnings": []})
        elif rest[0] == "models":
            self._models("/".join(rest[1:3]), rest[3:], body)
        else:
            self._json({}, 404)

    def _create(self, told):
        self.hub.created.append(told)
        name = f"{told['organization']}/{told['name']}"
        if told["organization"] not in {ACCOUNT, CLUB}:
            words = "You don't have the rights to create a model under this namespace"
            self._json({"error": words}, 403)
        elif name in self.hub.repositories:
            self._json({"error": "You already created this model repo"}, 409)
        else:
            self.hub.repositories[name] = Repository(told["visibility"] == "private")
            self._json({"url": f"{self._here}/{name}", "name": name})

    def _models(self, name, rest, body):
        if name not in self.hub.repositories:
            self._json({}, 404, {"X-Error-Code": "RepoNotFound"})
            return
        repository = self.hub.repositories[name]
        match rest:
            case []:
                self._tell(name, repository, "main")
            case ["revision", revision]:
                self._tell(name, repository, revision)
            case ["branch", branch]:
                files = dict(repository.branches["main"])
                there = branch in repository.branches
                repository.branches.setdefault(branch, files)
                repository.heads.setdefault(branch, repository.heads["main"])
                self._json({}, 409 if there else 200)
            case ["preupload", branch]:
                self._modes(repository, branch, json.loads(body))
            case ["xet-write-token", _]:
                end = int(time.time()) + 3600
                told = {"accessToken": "of-the-store", "exp": end}
                self._json({**told, "casUrl": f"{self._here}/cas"})
            case ["commit", branch]:
                self._commit(name, repository, branch, body)
            case _:
                self._json({}, 404)

    def _tell(self, name, repository, revision):
        branch = next(
            (b for b, head in repository.heads.items() if revision in {b, head}), None
        )
        if branch is None:
            self._json({}, 404, {"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [{"rfilename": each} for each in repository.branches[branch]]
        told = {"id": name, "private": repository.private, "siblings": siblings}
        told |= {"sha": repository.heads[branch], "tags": [], "downloads": 0}
        self._json(told)

    def _modes(self, repository, branch, told):
        if branch not in repository.branches:
            self._json({}, 404, {"X-Error-Code": "RevisionNotFound"})
            return
        files = []
        for each in told["files"]:
            path = each["path"]
            large = path.endswith(_LARGE)
            entry = {"path": path, "uploadMode": "lfs" if large else "regular"}
            entry |= {"shouldIgnore": path in repository.ignored, "oid": None}
            held = repository.branches[branch].get(path)
            if held is not None:
                entry["oid"] = held[0] if large else _git_digest(held)
            files.append(entry)
        self._json({"files": files})

    def _commit(self, name, repository, branch, body):
        self.hub.at_commit.set()
        self.hub.pause.wait()
        header, *operations = [json.loads(line) for line in body.splitlines()]
        head = repository.heads[branch]
        if header["value"].get("parentCommit") not in {None, head}:
            self._json({"error": "The branch has moved"}, 412)
            return
        files, names = dict(repository.branches[branch]), []
        for each in operations:
            told = each["value"]
            names.append(told["path"])
            match each["key"]:
                case "file":
                    files[told["path"]] = base64.b64decode(told["content"])
                case "lfsFile" if self.hub.has(told["oid"]):
                    files[told["path"]] = (told["oid"], told["size"])
                case "lfsFile":
                    self._json({"error": "A file is missing"}, 400)
                    return
                case "deletedFile":
                    del files[told["path"]]
        new = hashlib.sha1(head.encode() + body).hexdigest()
        repository.branches[branch], repository.heads[branch] = files, new
        repository.commits.append((branch, header["value"]["summary"], sorted(names)))
        self._json({"commitOid": new, "commitUrl": f"{self._here}/{name}/commit/{new}"})

    def _json(self, told, status=200, headers=()):
        content = json.dumps(told).encode()
        self.send_response(status)
        for key, value in dict(headers).items():
            self.send_header(key, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _git_digest(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
