"""The page in a real browser, over real HTTP."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.serving.conftest import data_url
from tests.serving.test_server import Server, serve
from tests.tiny import NARRATIONS
from tests.videos import write_video

# Debian's and Fedora's name, Google's, Ubuntu's.
NAMES = ("chromium", "google-chrome", "chromium-browser")
# Its sandbox does not start for root or in most containers; eilev.test is this machine, by a name
# for which browsers don't open the camera.
OPTIONS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--host-resolver-rules=MAP eilev.test 127.0.0.1",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
KEY = "a-key"
NO_QUESTIONS = {"train": {"prompts": [""]}}
PATIENCE_MS = 60_000
DONE = ".answer[data-state=done]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"needs a browser: {', '.join(NAMES)} (Debian: apt-get install chromium)")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of ready examples with two clips and a query."""
    folder = tmp_path_factory.mktemp("examples")
    for number, name in enumerate("abq"):
        write_video(folder / f"{name}.mp4", num_frames=6 + number, fps=8)
    clips = [
        {"video": f"{name}.mp4", "narration": narration}
        for name, narration in zip("abq", NARRATIONS, strict=False)
    ]
    entry = {"title": "Ready", "about": "Two.", "examples": clips[:2], "query": clips[2]}
    (folder / "index.json").write_text(json.dumps({"sets": [entry]}))
    return folder


@pytest.fixture(scope="module")
def narrating_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a model that was trained without questions."""
    folder = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("narrating") / "bundle")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"params": NO_QUESTIONS}))
    return folder


@pytest.fixture(scope="module")
def server(
    tiny_bundle: Path, narrating_bundle: Path, examples: Path, browser: Browser
) -> Iterator[Server]:
    bundle = f"other={narrating_bundle}"
    options = ("--bundle", bundle, "--page-examples", str(examples), "--api-key", KEY)
    with serve(tiny_bundle, *options, "--num-decoders", "1", "--num-threads", "1") as server:
        yield server


@pytest.fixture(scope="module")
def visit(browser: Browser) -> "Visit":
    return Visit(browser)


class Visit:
    """Opens pages and keeps what went wrong on them, and where they went."""

    def __init__(self, browser: Browser):
        self._browser = browser
        self.wrong: list[str] = []
        self.hosts: set[str] = set()

    def open(self, url: str, key: str | None = KEY, **context: object) -> Page:
        page = self._browser.new_context(**context).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        if key:
            page.add_init_script(f"sessionStorage.setItem('eilev-api-key', '{key}')")
        page.goto(url)
        return page

    def _hear(self, kind: str, text: str) -> None:
        # A refused request is said by the page, too; Chromium can't be told not to.
        if kind in ("error", "warning") and "the server responded with a status of 4" not in text:
            self.wrong.append(text)


@pytest.fixture
def page(server: Server, visit: Visit) -> Iterator[Page]:
    """The page with its ready examples, as a person meets it."""
    page = visit.open(server.url, viewport=DESKTOP, reduced_motion="reduce")
    expect(page.locator("video")).to_have_count(3)
    yield page
    page.context.close()
    assert visit.wrong == []
    assert visit.hosts <= {urlsplit(server.url).netloc, ""}  # "" is that of blobs


def ask(page: Page, button: str = "Ask with") -> dict:
    """Ask, wait for the end, and return the request."""
    with page.expect_request("**/v1/chat/completions") as sent:
        page.get_by_role("button", name=button).click()
    page.wait_for_selector(".answer:first-of-type:not([data-state=running])")
    return sent.value.post_data_json


def narrations(page: Page) -> list[str]:
    return [field.input_value() for field in page.locator("ol.examples input").all()]


def sent_texts(request: dict) -> list[str]:
    (message,) = request["messages"]
    return [part["text"] for part in message["content"] if part["type"] == "text"]


def test_a_newcomer_asks_and_sees_the_answer_grow(page, server, examples):
    page.evaluate(
        """() => {
            window.seen = new Set();
            const look = () => {
                window.seen.add(document.querySelector(".answer .text")?.textContent);
            };
            const options = {subtree: true, childList: true, characterData: true};
            new MutationObserver(look).observe(document.body, options);
        }"""
    )
    request = ask(page)
    assert sent_texts(request) == NARRATIONS[:2]
    videos = [part["video_url"]["url"] for part in request["messages"][0]["content"][::2]]
    assert videos == [data_url((examples / f"{name}.mp4").read_bytes()) for name in "abq"]

    plain = httpx.post(
        f"{server.url}/v1/chat/completions",
        json=request | {"stream": False},
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=60,
    ).json()["choices"][0]
    answer = page.locator(DONE)
    text = answer.locator(".text").inner_text()
    assert text == plain["message"]["content"].strip()
    grown = [said.strip() for said in page.evaluate("[...window.seen]") if said]
    assert len({said for said in grown if text.startswith(said)}) > 2

    sure = [line.split("\n")[-1] for line in answer.locator(".tokens li").all_inner_texts()]
    assert len(sure) == len(plain["logprobs"]["content"])
    assert all(re.fullmatch(r"[\d.]+ %", share) for share in sure)
    assert "2 examples" in answer.locator(".facts").inner_text()
    answer.get_by_text("What the model was shown").click()
    assert answer.locator(".seen li").all_inner_texts() == [*NARRATIONS[:2], "to be narrated"]
    answer.get_by_text("The same in Python").click()
    assert 'clip("q.mp4"),' in answer.locator("pre").inner_text()


def test_examples_are_ordered_by_keys_and_by_hand_and_sent_in_that_order(page):
    first, second = NARRATIONS[:2]
    page.get_by_label("Move example 1 down").focus()
    page.keyboard.press("Enter")
    assert narrations(page) == [second, first]
    # The focus goes with the example.
    assert page.evaluate("document.activeElement.ariaLabel") == "Move example 2 up"
    assert page.get_by_role("status").inner_text() == "Example 1 is now number 2"

    page.locator(".handle").first.hover()
    page.mouse.down()
    box = page.locator("ol.examples li").last.bounding_box()
    page.mouse.move(box["x"], box["y"] + box["height"], steps=4)
    page.mouse.up()
    assert narrations(page) == [first, second]
    page.get_by_label("Move example 2 up").click()
    page.get_by_label("Narration of example 1").fill("The camera wearer <b>bakes</b>.")
    assert sent_texts(ask(page)) == ["The camera wearer <b>bakes</b>.", first]
    page.get_by_label("Remove example 1").click()
    page.locator("header select").select_option("other")
    page.get_by_label("Question").fill("What is this?")
    request = ask(page, "Without examples")
    assert (request["model"], sent_texts(request)) == ("other", ["What is this?"])
    expect(page.get_by_text("Note: the model was trained without questions")).to_be_visible()


def test_a_clip_is_recorded_and_narrated(page):
    page.get_by_label("Record the query").click()
    # On a busy machine the camera's first picture comes late.
    expect(page.locator("dialog video")).not_to_have_js_property("currentTime", 0)
    page.get_by_role("button", name="Start recording").click()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Stop and use it").click()
    expect(page.locator(".query [title^='recorded-']")).to_be_visible()
    expect(page.locator(".query img")).to_have_count(4)
    expect(page.locator("dialog")).to_have_count(0)
    ask(page)
    assert page.locator(f"{DONE} .text").inner_text()
    page.get_by_role("button", name="Keep it as an example").click()
    assert len(narrations(page)) == 3


# WebKit's test camera records so, and a WebKit without one says so.
NOTHING = """
MediaRecorder.prototype.start = function () {
    this.stop = () => { this.ondataavailable({ data: new Blob() }); this.onstop(); };
};
0;
"""
NO_CAMERA = """
const none = Object.assign(new Error("Invalid constraint"), { name: "OverconstrainedError" });
navigator.mediaDevices.getUserMedia = () => Promise.reject(none);
0;
"""


def test_a_browser_that_records_nothing_or_has_no_camera_is_said_so(page):
    page.evaluate(NOTHING)
    page.get_by_label("Record the query").click()
    page.get_by_role("button", name="Start recording").click()
    page.get_by_role("button", name="Stop and use it").click()
    expect(page.get_by_role("alert")).to_contain_text("has recorded nothing")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator(".query [title^='recorded-']")).to_have_count(0)
    page.evaluate(NO_CAMERA)
    page.get_by_label("Record the query").click()
    expect(page.get_by_role("alert")).to_have_text("There is no camera.")


def test_dropped_and_chosen_files_and_what_is_wrong_with_them(page, examples):
    content = base64.b64encode((examples / "a.mp4").read_bytes()).decode()
    dropped = page.evaluate_handle(
        """(content) => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "dropped.mp4", {type: "video/mp4"}));
            return data;
        }""",
        content,
    )
    page.locator(".add").first.dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.locator("ol.examples [title='dropped.mp4']")).to_be_visible()
    page.get_by_role("button", name="Ask with 3 examples").click()
    expect(page.locator(".answer .error").first).to_have_text(
        re.compile("Example 3 has no narration")
    )

    page.get_by_label("Narration of example 3").fill(NARRATIONS[0])
    damaged = (examples / "a.mp4").read_bytes()[:400]
    files = [{"name": "damaged.mp4", "mimeType": "video/mp4", "buffer": damaged}]
    page.locator("input[type=file]").last.set_input_files(files)
    expect(page.locator(".query")).to_contain_text("the server may read it")
    ask(page)
    error = page.locator(".answer .error").first.inner_text()
    assert error.startswith("The query clip (damaged.mp4): ")
    assert "damaged or cut off" in error


def test_it_fits_a_phone_and_everyone_can_use_it(page):
    ask(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    page.set_viewport_size(PHONE)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == PHONE["width"]
    for target in page.locator("button:visible, select:visible, input:visible").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 38, target.evaluate("node => node.outerHTML")


def test_a_key_is_asked_for_and_the_camera_explained(server, visit):
    page = visit.open(server.url.replace("127.0.0.1", "eilev.test"), key=None)
    expect(page.get_by_role("alert")).to_contain_text("send one of the server's API keys")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use it").click()
    expect(page.locator("header select").locator("option")).to_have_text(["eilev", "other"])
    expect(page.get_by_role("alert")).to_have_count(0)
    assert page.evaluate("localStorage.length") == 0
    expect(page.get_by_label("Record the query")).to_be_disabled()
    expect(page.get_by_text("https or localhost only").first).to_be_visible()
    page.context.close()
