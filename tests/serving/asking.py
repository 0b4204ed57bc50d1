"""Requests for narrations, and what is in their answers."""

URL = "/v1/chat/completions"


def body(*parts, **fields):
    content = [
        {"type": "text", "text": part} if not part.startswith("data:") else video(part)
        for part in parts
    ]
    return {"model": "eilev", "messages": [{"role": "user", "content": content}], **fields}


def video(url):
    return {"type": "video_url", "video_url": {"url": url}}


def error_of(response):
    (envelope,) = response.json().values()
    assert set(envelope) == {"message", "type", "param", "code"}
    return envelope


def text_of(response):
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]
