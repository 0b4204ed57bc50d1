"""Answers as events, and clients that do not take them."""

import asyncio
import itertools
import json

from eilev.bundle.batch import Batch
from eilev.serving.replies import EventStream
from tests.serving.asking import URL, body, text_of


def test_a_stream_that_fails_on_its_way_ends_in_an_error(client, video_urls, monkeypatch):
    steps = itertools.count()
    step = Batch.step

    def failing(batch):
        if batch.answers and next(steps) == 2:
            raise RuntimeError("of the engine")
        step(batch)

    monkeypatch.setattr(Batch, "step", failing)
    response = client.post(URL, json=body(video_urls[0], max_tokens=20, stream=True))
    *events, failure, done = response.text.strip().split("\n\n")
    assert events
    assert json.loads(failure[6:])["error"]["message"].startswith("internal error")
    assert done == "data: [DONE]"
    # The next one is answered.
    assert text_of(client.post(URL, json=body(video_urls[0], max_tokens=20)))


def test_a_client_that_does_not_read_is_not_waited_for():
    closed = []

    async def pieces():
        try:
            while True:
                yield "data: {}\n\n"
        finally:
            closed.append(True)

    async def run():
        stuck = asyncio.Event()

        async def send(message):
            if message["type"] == "http.response.body":
                await stuck.wait()

        await EventStream(pieces(), timeout_s=0.05)({"type": "http"}, stuck.wait, send)

    asyncio.run(asyncio.wait_for(run(), 30))
    assert closed
