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


def read(*messages, prompt=PROMPT, takes_questions=True):
    parsed = TypeAdapter(list[Message]).validate_python(list(messages))
    return read_chat(parsed, prompt, takes_questions)


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
        ([user(text("hello"))], "messages", "no video"),
        ([assistant(CUT), user(video())], "messages.0.content.0", "answer before"),
        ([user(video(), text("a" * 70_000))], "messages", "70000 bytes of text"),
        ([user()], "messages", "no video"),
        ([user(video(), text(PROMPT), video())], "messages.0.content.0", "no narration"),
        ([user(video()), assistant(CUT)], "messages.0.content.0", "nothing is asked"),
        ([user(*[video()] * (MAX_VIDEOS + 1))], "messages", "at most 64"),
    ],
)
def test_broken_rules_are_named(messages, param, reason):
    with pytest.raises(ApiError, match=reason) as error:
        read(*messages)
    assert error.value.status == 400
    assert error.value.body["error"]["param"] == param


def test_a_question_may_stand_before_its_video():
    assert turns(user(text("What is done?"), video())) == [Turn("What is done?", None)]
    few_shot = user(text("Say:"), video(), text(CUT), video())
    assert turns(few_shot) == [Turn("Say:", CUT), Turn("Say:", None)]
    chat = [user(text("Say:"), video("a")), assistant(CUT), user(text("And?"), video("b"))]
    assert turns(*chat) == [Turn("Say:", CUT), Turn("And?", None)]


def test_a_question_without_a_video_is_about_the_last_one():
    chat = read(user(video("a")), assistant(CUT), user(text("And with what?")))
    assert chat.turns == [Turn("And with what?", None)]
    assert [source.url for source in chat.videos] == ["a"]


def test_what_a_system_message_says_is_left_out_and_noted():
    asked = user(video())
    assert read({"role": "system", "content": ""}, asked).notes == []
    for role in ("system", "developer"):
        chat = read({"role": role, "content": "Be brief."}, asked)
        assert chat.turns == [Turn(PROMPT, None)]
        assert "system message was left out" in chat.notes[0]


def test_a_model_without_questions_narrates_and_says_so():
    ask = text("What is done?")
    chat = read(user(video(), text(CUT), video(), ask), prompt="", takes_questions=False)
    assert chat.turns == [Turn("", CUT), Turn("", None)]
    assert "without questions" in chat.notes[0]
    assert read(user(video()), prompt="", takes_questions=False).notes == []


def test_a_still_is_a_clip():
    still = {"type": "image_url", "image_url": {"url": "i", "detail": "high"}}
    assert [source.url for source in read(user(still)).videos] == ["i"]
