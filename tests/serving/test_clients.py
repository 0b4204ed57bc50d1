"""Clients as people have them, over real HTTP: LangChain, curl, OpenAI's for asyncio."""

import asyncio
import json
import shutil
import subprocess

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from tests.serving.running import client_of, few_shot


@pytest.fixture(scope="module")
def expected(server, video_urls):
    messages = few_shot(video_urls)
    answer = client_of(server).chat.completions.create(model="eilev", messages=messages)
    return answer.choices[0].message.content


def test_langchain_passes_videos_on(server, video_urls, expected):
    chat = ChatOpenAI(model="eilev", base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    message = HumanMessage(few_shot(video_urls)[0]["content"])
    answer = chat.invoke([message])
    assert answer.content == expected
    assert answer.usage_metadata["input_tokens"] > 0
    assert "".join(chunk.content for chunk in chat.stream([message])) == expected


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_curl_streams_as_documented(server, video_urls, expected, tmp_path):
    request = {"model": "eilev", "messages": few_shot(video_urls), "stream": True}
    (tmp_path / "request.json").write_text(json.dumps(request))
    command = ["curl", "-sSfN", f"{server.url}/v1/chat/completions", "--data-binary"]
    shown = subprocess.run(
        [*command, f"@{tmp_path}/request.json", "-H", "Content-Type: application/json"],
        capture_output=True,
        text=True,
        check=True,
    )
    *events, done, end = shown.stdout.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    deltas = [json.loads(event[6:])["choices"][0]["delta"] for event in events]
    assert "".join(delta.get("content", "") for delta in deltas) == expected


def test_openais_asyncio_client_streams_many_at_once(server, video_urls, expected):
    async def ask(client):
        stream = await client.chat.completions.create(
            model="eilev", messages=few_shot(video_urls), stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def ask_all():
        url = f"{server.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            return await asyncio.gather(*(ask(client) for _ in range(8)))

    assert asyncio.run(ask_all()) == [expected] * 8
