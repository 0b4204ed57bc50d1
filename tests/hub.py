"""A hub on this machine: the part of its HTTP interface that downloading a model needs."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

# Files by name.
Files = Mapping[str, bytes]


@dataclass
class Hub:
    """Repositories by name, each with its revisions; `fetched` are the names that were asked for.

    The commit of a revision is the SHA-1 of its name; "GATED" in a repository's name gates it.
    """

    repositories: dict[str, dict[str, Files]]
    fetched: list[str] = field(default_factory=list)
    address: str = ""

    def find(self, repository: str, revision: str) -> tuple[str, Files] | None:
        for name, files in self.repositories[repository].items():
            if revision in (name, commit_of(name)):
                return commit_of(name), files
        return None


def commit_of(revision: str) -> str:
    return hashlib.sha1(revision.encode(), usedforsecurity=False).hexdigest()


def read_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def serve_hub(repositories: dict[str, dict[str, Files]]) -> Iterator[Hub]:
    hub = Hub(repositories)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def answer(self, *, with_body: bool) -> None:
            status, headers, body = reply(hub, unquote(urlsplit(self.path).path), with_body)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reply(hub: Hub, path: str, with_body: bool) -> tuple[int, dict[str, str], bytes]:
    api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path)
    file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
    if path.startswith("/api/models/") and api is None:  # the default revision
        return reply(hub, f"{path}/revision/main", with_body)
    match = api or file
    if match is None or match[1] not in hub.repositories:
        return 404, {"X-Error-Code": "RepoNotFound"}, b""
    if "GATED" in match[1]:
        return 403, {"X-Error-Code": "GatedRepo"}, b""
    found = hub.find(match[1], match[3] if api else match[2])
    if found is None:
        return 404, {"X-Error-Code": "RevisionNotFound"}, b""
    commit, files = found
    if api and match[2] == "revision":
        siblings = [{"rfilename": name} for name in files]
        return 200, JSON, json.dumps({"id": match[1], "sha": commit, "siblings": siblings}).encode()
    if api:
        return 200, JSON, json.dumps([entry(name, files[name]) for name in files]).encode()
    if with_body:
        hub.fetched.append(match[3])
    content = files[match[3]]
    headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
    return 200, headers, content


JSON = {"Content-Type": "application/json"}


def entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(content), "oid": commit_of(name)}
