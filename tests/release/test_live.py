"""Releases and rollbacks under a server that answers all the while."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from benchmarks.running import serve
from eilev import paths
from eilev.bundle.manifest import Manifest
from eilev.release.live import LiveError, Server, load
from eilev.release.registry import read_registry
from tests.release.projects import commit_model
from tests.serving.running import client_of, few_shot

CLIENTS = 3


@contextmanager
def asking(server, video_urls):
    """Ask without a pause; gives how many answers each fingerprint has had. None may fail."""
    answered, ended = Counter(), threading.Event()

    def ask():
        client = client_of(server)
        while not ended.is_set():
            answer = client.chat.completions.create(model="eilev", messages=few_shot(video_urls))
            assert answer.choices
            answered[answer.system_fingerprint] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(ask) for _ in range(CLIENTS)]
        try:
            yield answered
        finally:
            ended.set()
        for client in clients:
            client.result()


def fingerprint_of(server, video_urls):
    messages = few_shot(video_urls)
    return (
        client_of(server)
        .chat.completions.create(model="eilev", messages=messages)
        .system_fingerprint
    )


def test_a_release_and_a_rollback_under_load(project, eilev, refusal, video_urls):
    live = ["--into", "live"]
    first = Manifest.load(paths.BUNDLE).fingerprint
    eilev("release", *live)
    with serve(project / "live", "--may-load", "true") as server:
        live += ["--server", server.url]
        with asking(server, video_urls) as answered:
            while not answered[first]:
                threading.Event().wait(0.05)
            commit_model(project, 0.5)
            refusal("release", *live)
            assert {*answered} == {first}

            second = commit_model(project, 0.8).fingerprint
            # Without --into, the server's folder has the first one still: nothing is promoted.
            line = refusal("release", "--server", server.url)
            assert f"the server has loaded {first}, not {second}" in line
            assert read_registry(project, "prod").promoted.name == "v0.0.1"

            eilev("release", *live)
            assert fingerprint_of(server, video_urls) == second
            for fingerprint in (first, second):
                assert "locked by" in eilev("trace", fingerprint)

            eilev("rollback", *live)
            assert fingerprint_of(server, video_urls) == first
        assert {*answered} == {first, second}
    assigned = read_registry(project, "prod").assigned
    assert [one.name for one in assigned] == ["v0.0.1", "v0.0.2", "v0.0.1"]


def test_a_server_that_refuses_says_why(tiny_bundle, monkeypatch):
    monkeypatch.setenv("EILEV_API_KEY", "secret")
    monkeypatch.setenv("WRONG", "no secret")
    manifest = Manifest.load(tiny_bundle)
    with serve(tiny_bundle, "--may-load", "true") as server:
        load(Server(server.url, "eilev", "EILEV_API_KEY"), manifest)
        for model, key_from, told in (
            ("eilev", None, "401: .*--api-key-env NAME names"),
            ("eilev", "WRONG", "401: .*--api-key-env NAME names"),
            ("other", "EILEV_API_KEY", "404: .*--may-load true"),
            ("eilev", "MISSING", "--api-key-env MISSING: there is no such environment variable"),
        ):
            with pytest.raises(LiveError, match=told):
                load(Server(server.url, model, key_from), manifest)
