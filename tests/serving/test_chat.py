import pytest
from pydantic import TypeAdapter

from eilev.inputs.turns import Turn
from eilev.serving.chat import MAX_VIDEOS, read_chat
from eilev.serving.protocol import ApiError, Message

PROMPT = "Answer:"
CUT = "The camera wearer cuts the onion."


def video(name="v"):
    return {"type": "video_url", "video_url": {"url": name}}


def text(content):
    return {"type": "text", "text": content}


def user(*parts):
    return {"role": "user", "content": list(parts)}


def assistant(content):
    return {"role": "assistant", "content": content}


def read(*messages):
    return read_chat(TypeAdapter(list[Message]).validate_python(list(messages)), PROMPT)


def turns(*messages):
    return read(*messages).turns


def test_a_video_alone_is_asked_the_default_prompt():
    assert turns(user(video())) == [Turn(PROMPT, None)]


def test_the_text_of_the_last_video_is_the_prompt():
    assert turns(user(video(), text("What is done?"))) == [Turn("What is done?", None)]


@pytest.mark.parametrize("context", [CUT, f"{PROMPT} {CUT}", f"  {PROMPT}{CUT} "])
def test_context_in_one_message(context):
    expected = [Turn(PROMPT, CUT), Turn(PROMPT, None)]
    assert turns(user(video(), text(context), video(), text(PROMPT))) == expected
    assert turns(user(video(), text(context), video())) == expected


def test_context_follows_the_prompt_of_the_request():
    expected = [Turn("Say:", CUT), Turn(PROMPT, CUT), Turn("Say:", CUT), Turn("Say:", None)]
    parts = [video(), text(f"Say: {CUT}"), video(), text(f"{PROMPT} {CUT}"), video(), text(CUT)]
    assert turns(user(*parts, video(), text("Say:"))) == expected


def test_context_as_turns_of_a_chat():
    expected = [Turn("What?", CUT), Turn("Say:", CUT), Turn("Say:", None)]
    chat = [user(video(), text("What?")), assistant(CUT), user(video()), assistant([text(CUT)])]
    assert turns(*chat, user(video(), text("Say:"))) == expected


def test_order_counts_not_the_messages():
    expected = turns(user(video(), text(CUT), video(), text(PROMPT)))
    messages = [user(video()), {"role": "user", "content": CUT}, user(video()), user(text(PROMPT))]
    assert turns(*messages) == expected


def test_a_run_of_videos_is_one_turn():
    episode = read(user(video("a"), video("b"), text(CUT), video("c")))
    assert episode.turns == [Turn(PROMPT, CUT, num_videos=2), Turn(PROMPT, None)]
    assert [source.url for source in episode.videos] == ["a", "b", "c"]
    assert episode.videos[2].param == "messages.0.content.3"


@pytest.mark.parametrize(
    ("messages", "param", "reason"),
    [
        ([user(text("hello"))], "messages.0.content.0", "before the first video"),
        ([user()], "messages", "no video"),
        ([user(video(), text(PROMPT), video())], "messages.0.content.0", "no narration"),
        ([user(video()), assistant(CUT)], "messages.0.content.0", "nothing is asked"),
        ([user(video()), assistant(CUT), user(text("and now?"))], "messages.2.content.0", "video"),
        ([user(*[video()] * (MAX_VIDEOS + 1))], "messages", "at most 64"),
    ],
)
def test_broken_rules_are_named(messages, param, reason):
    with pytest.raises(ApiError, match=reason) as error:
        read(*messages)
    assert error.value.status == 400
    assert error.value.body["error"]["param"] == param
