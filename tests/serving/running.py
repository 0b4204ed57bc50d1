"""How clients ask a server that is a process of its own."""

import openai

from benchmarks.running import Server
from tests.tiny import NARRATIONS


def client_of(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def few_shot(video_urls: list[str]) -> list[dict]:
    content = []
    for url, narration in zip(video_urls, [*NARRATIONS[:2], None], strict=True):
        content.append({"type": "video_url", "video_url": {"url": url}})
        if narration:
            content.append({"type": "text", "text": narration})
    return [{"role": "user", "content": content}]
