// What the page knows, and everything that changes it. view.js shows it.

import { closeCamera, openCamera, record } from "./camera.js";
import { ask, modelIds, readyExamples, readyVideo } from "./chat.js";
import { dataUrl, makeClip } from "./clips.js";
import { drag, move } from "./drag.js";
import { html, render } from "./html.js";
import { Page } from "./view.js";

const KEY = "eilev-api-key";

let state = {
  models: [],
  model: null,
  key: sessionStorage.getItem(KEY) ?? "",
  keyWanted: false,
  sets: [],
  set: null,
  // {id, clip, narration}
  examples: [],
  query: null,
  // What the query of a ready set shows.
  expected: null,
  question: "",
  // What is wrong on the page as a whole.
  trouble: null,
  // Read out, not shown.
  said: "",
  // {from, to} while an example is dragged.
  dragged: null,
  // {stream, add, opener, recorder} while the camera is open.
  camera: null,
  answers: [],
};

const root = document.body;
let stopAsking = null;
let count = 0;

function change(what) {
  state = { ...state, ...what };
  render(html`<${Page} state=${state} act=${act} />`, root);
}

const act = {
  async start() {
    change({});
    await act.connect();
    try {
      change({ sets: await readyExamples() });
      if (!state.examples.length && !state.query) await act.takeSet(state.sets[0]);
    } catch (error) {
      change({ trouble: error.message });
    }
  },

  async connect() {
    try {
      const models = await modelIds(state.key);
      const model = models.includes(state.model) ? state.model : models[0];
      change({ models, model, keyWanted: false, trouble: null });
    } catch (error) {
      change({ keyWanted: error.status === 401, trouble: error.message });
    }
  },

  chooseModel: (model) => change({ model }),

  enterKey(key) {
    // Of this tab, and gone with it.
    sessionStorage.setItem(KEY, key);
    change({ key });
    return act.connect();
  },

  async takeSet(set) {
    change({ set: set.title, examples: [], query: null, expected: null });
    try {
      const wanted = [...set.examples, set.query].map((one) => one.video);
      const videos = await Promise.all(wanted.map(readyVideo));
      if (state.set !== set.title) return; // something else was chosen meanwhile
      const clips = videos.map((video, place) => makeClip(video, wanted[place], redraw));
      const examples = set.examples.map((one, place) => example(clips[place], one.narration));
      // That a key is wanted stays said.
      const trouble = state.keyWanted ? state.trouble : null;
      change({ examples, query: clips.at(-1), expected: set.query.narration, trouble });
    } catch (error) {
      change({ trouble: error.message });
    }
  },

  addExamples(files) {
    const added = files.map((file) => example(makeClip(file, file.name, redraw), ""));
    change({ examples: [...state.examples, ...added], set: null });
  },

  setQuery([file]) {
    if (!file) return;
    change({ query: makeClip(file, file.name, redraw), expected: null, set: null });
  },

  narrate(id, narration) {
    const examples = state.examples.map((one) => (one.id === id ? { ...one, narration } : one));
    change({ examples, set: null, expected: null });
  },

  remove(id) {
    const examples = state.examples.filter((one) => one.id !== id);
    change({ examples, set: null, expected: null });
    // The button that had the focus is gone.
    document.getElementById("examples").focus();
  },

  clear: () => change({ examples: [], query: null, expected: null, set: null }),

  // The focus moves with the example; at an end of the list only the other button can have it.
  shift(from, to, button) {
    change({
      examples: move(state.examples, from, to),
      said: `Example ${from + 1} is now number ${to + 1}`,
    });
    const buttons = button.parentElement;
    (button.disabled ? buttons.querySelector("button:enabled") : button).focus();
  },

  startDrag(event, list, from) {
    const moved = (to) => change({ dragged: { from, to } });
    drag(event, list, from, moved, (to) => {
      const examples = to === null ? state.examples : move(state.examples, from, to);
      change({ dragged: null, examples });
    });
  },

  ask: (question) => change({ question }),

  keep(answer) {
    const kept = example(answer.query, answer.text);
    change({ examples: [...state.examples, kept], said: "The clip is an example now" });
  },

  // `add` gets the recorded file in a list, as from a file chooser.
  async openCamera(add, opener) {
    try {
      const stream = await openCamera();
      change({ camera: { stream, add, opener, recorder: null }, trouble: null });
    } catch (error) {
      change({ trouble: error.message });
    }
  },

  startRecording() {
    const { stream, add } = state.camera;
    const recorder = record(stream, (blob) => {
      if (!state.camera) return; // it was closed
      act.closeCamera();
      if (!blob.size) return change({ trouble: "This browser has recorded nothing. Choose a video instead." });
      const ending = blob.type.includes("mp4") ? "mp4" : "webm";
      add([new File([blob], `recorded-${++count}.${ending}`, { type: blob.type })]);
    });
    change({ camera: { ...state.camera, recorder } });
  },

  stopRecording: () => state.camera.recorder.stop(),

  closeCamera() {
    const { stream, opener } = state.camera;
    closeCamera(stream);
    change({ camera: null });
    opener.focus();
  },

  stop: () => stopAsking?.abort(),

  async send(examples) {
    const answer = newAnswer(examples);
    change({ answers: [answer, ...state.answers] });
    document.getElementById("answers").scrollIntoView({ block: "nearest", behavior: "smooth" });
    stopAsking = new AbortController();
    const tell = (what) => {
      Object.assign(answer, what, { seconds: (performance.now() - answer.began) / 1000 });
      change({ answers: [...state.answers] });
    };
    try {
      const { body, names } = await request(answer);
      answer.names = names;
      for await (const chunk of ask(body, state.key, stopAsking.signal)) tell(read(answer, chunk));
      tell({ state: "done" });
    } catch (error) {
      if (error.status === 401) change({ keyWanted: true });
      tell(failure(answer, error));
    }
    stopAsking = null;
    change({ said: answer.error ?? answer.text });
  },
};

function example(clip, narration) {
  return { id: ++count, clip, narration };
}

const redraw = () => change({});

function newAnswer(examples) {
  return {
    id: ++count,
    state: "running",
    began: performance.now(),
    seconds: null,
    model: state.model,
    examples: examples.map((one) => ({ ...one, narration: one.narration.trim() })),
    query: state.query,
    expected: state.expected,
    question: state.question.trim(),
    names: [],
    text: "",
    tokens: [],
    notes: [],
    error: null,
    reason: null,
  };
}

// The body, and what a person calls each of its parts.
async function request({ model, examples, query, question }) {
  const parts = [];
  for (const [place, { clip, narration }] of examples.entries()) {
    // The server would take this clip and the next one for one example.
    if (!narration)
      throw new Error(`Example ${place + 1} has no narration: write what it shows, or remove it.`);
    parts.push([await video(clip), `Example ${place + 1} (${clip.name})`]);
    parts.push([{ type: "text", text: narration }, `The narration of example ${place + 1}`]);
  }
  parts.push([await video(query), `The query clip (${query.name})`]);
  if (question) parts.push([{ type: "text", text: question }, "The question"]);
  const content = parts.map(([part]) => part);
  const body = {
    model,
    messages: [{ role: "user", content }],
    stream: true,
    logprobs: true,
    top_logprobs: 3,
  };
  return { body, names: parts.map(([, name]) => name) };
}

const video = async (clip) => ({ type: "video_url", video_url: { url: await dataUrl(clip.blob) } });

function read(answer, chunk) {
  const [choice] = chunk.choices;
  return {
    notes: chunk.notes ?? answer.notes,
    text: answer.text + (choice?.delta.content ?? ""),
    tokens: [...answer.tokens, ...(choice?.logprobs?.content ?? [])],
    reason: choice?.finish_reason ?? answer.reason,
  };
}

// A refusal names a part by its place in the request, which nobody sees here.
function failure(answer, error) {
  if (error.name === "AbortError") return { state: "stopped" };
  const place = /^messages\.0\.content\.(\d+)/.exec(error.param ?? "");
  const name = place && answer.names[place[1]];
  if (!name) return { state: "failed", error: error.message };
  return { state: "failed", error: error.message.replace(error.param, name) };
}

act.start();
