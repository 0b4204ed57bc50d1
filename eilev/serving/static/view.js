// The page, from what it knows. Text goes in as text, never as HTML.

import { Answer } from "./answer.js";
import { obstacle } from "./camera.js";
import { html } from "./html.js";
import { Frames } from "./frames.js";
import { Recorder } from "./recorder.js";

export function Page({ state, act }) {
  return html`
    <${Header} ...${{ state, act }} />
    <main class="container">
      <${Trouble} ...${{ state, act }} />
      <${Ready} ...${{ state, act }} />
      <div class="columns">
        <${Examples} ...${{ state, act }} />
        <div>
          <${Query} ...${{ state, act }} />
          <${Answers} ...${{ state, act }} />
        </div>
      </div>
    </main>
    <footer class="container"><a href="docs">The API that this page calls</a></footer>
    <p class="unseen" role="status">${state.said}</p>
    ${state.camera && html`<${Recorder} ...${{ camera: state.camera, act }} />`}
  `;
}

function Header({ state, act }) {
  const choose = (event) => act.chooseModel(event.target.value);
  return html`<header class="container">
    <div>
      <h1>EILeV</h1>
      <p>Show a few clips with their narrations. The model narrates the next one.</p>
    </div>
    <label>
      Model
      <select onChange=${choose} disabled=${!state.models.length}>
        ${state.models.map((id) => html`<option key=${id} selected=${id === state.model}>${id}</option>`)}
      </select>
    </label>
  </header>`;
}

function Trouble({ state, act }) {
  const enter = (event) => {
    event.preventDefault();
    act.enterKey(event.target.elements.key.value.trim());
  };
  return html`
    ${state.trouble && html`<p class="error" role="alert">${state.trouble}</p>`}
    ${state.keyWanted &&
    html`<form class="key" onSubmit=${enter}>
      <label>
        API key
        <input name="key" type="password" autocomplete="off" required defaultValue=${state.key} />
      </label>
      <button>Use it</button>
      <small>It is kept in this tab only.</small>
    </form>`}
  `;
}

function Ready({ state, act }) {
  if (!state.sets.length) return null;
  return html`<nav aria-label="Ready examples">
    ${state.sets.map(
      (set) => html`<button
        key=${set.title}
        class="ready outline secondary"
        aria-pressed=${String(state.set === set.title)}
        onClick=${() => act.takeSet(set)}
      >
        <strong>${set.title}</strong>
        <span>${set.about}</span>
      </button>`,
    )}
  </nav>`;
}

function Examples({ state, act }) {
  const { examples, dragged, sets } = state;
  const known = sets.flatMap((set) => [...set.examples, set.query].map((one) => one.narration));
  const narrations = new Set([...known, ...examples.map((one) => one.narration)]);
  return html`<section aria-labelledby="examples">
    <div class="heading">
      <h2 id="examples" tabindex="-1">Examples <small>in the order in which the model sees them</small></h2>
      <button class="quiet" onClick=${act.clear} disabled=${!examples.length && !state.query}>Clear</button>
    </div>
    <datalist id="narrations">
      ${[...narrations].map((text) => html`<option key=${text} value=${text} />`)}
    </datalist>
    <ol class="examples">
      ${examples.map(
        (one, place) =>
          html`<${Example} key=${one.id} ...${{ one, place, last: examples.length - 1, dragged, act }} />`,
      )}
    </ol>
    <${Add} label="examples" many add=${act.addExamples} act=${act} />
  </section>`;
}

function Example({ one, place, last, dragged, act }) {
  const number = place + 1;
  const shift = (to) => (event) => act.shift(place, to, event.currentTarget);
  const hold = (event) =>
    act.startDrag(event, event.currentTarget.closest("ol"), place);
  return html`<li class=${`card ${dragClass(place, dragged)}`}>
    <button class="quiet handle" tabindex="-1" aria-hidden="true" title="Drag to order" onPointerDown=${hold}>⠿</button>
    <${Frames} clip=${one.clip} label=${`example ${number}`} />
    <input
      list="narrations"
      aria-label=${`Narration of example ${number}`}
      placeholder="What does the camera wearer do here?"
      value=${one.narration}
      onInput=${(event) => act.narrate(one.id, event.target.value)}
    />
    <div class="tools">
      <button class="quiet" aria-label=${`Move example ${number} up`} disabled=${place === 0} onClick=${shift(place - 1)}>↑</button>
      <button class="quiet" aria-label=${`Move example ${number} down`} disabled=${place === last} onClick=${shift(place + 1)}>↓</button>
      <button class="quiet" aria-label=${`Remove example ${number}`} onClick=${() => act.remove(one.id)}>✕</button>
    </div>
  </li>`;
}

function dragClass(place, dragged) {
  if (!dragged) return "";
  const { from, to } = dragged;
  if (place === from) return "dragged";
  // Where it would go: before this one, or after the last one.
  const rank = place < from ? place : place - 1;
  if (rank === to) return "before";
  return rank === to - 1 ? "after" : "";
}

function Query({ state, act }) {
  const { query, examples } = state;
  const running = state.answers.some((answer) => answer.state === "running");
  const idle = !query || running || !state.model;
  return html`<section aria-labelledby="query">
    <h2 id="query">Query <small>the clip to be narrated</small></h2>
    ${query && html`<div class="card query"><${Frames} clip=${query} label="the query" /></div>`}
    <${Add} label="the query" add=${act.setQuery} act=${act} />
    <label class="question">
      Question <small>(optional; a model that was trained without any narrates)</small>
      <input value=${state.question} onInput=${(event) => act.ask(event.target.value)} />
    </label>
    <div class="ask">
      <button disabled=${idle} onClick=${() => act.send(examples)}>
        ${examples.length ? `Ask with ${examples.length} example${examples.length > 1 ? "s" : ""}` : "Ask"}
      </button>
      ${examples.length > 0 &&
      html`<button class="secondary outline" disabled=${idle} onClick=${() => act.send([])}>Without examples</button>`}
      ${running && html`<button class="secondary" onClick=${act.stop}>Stop</button>`}
    </div>
    ${!query && html`<p class="hint">Record or choose the clip that you ask about.</p>`}
  </section>`;
}

// A place to drop videos on, with the other ways to them.
function Add({ label, many = false, add, act }) {
  const hindered = obstacle();
  const which = many ? "videos" : "a video";
  const over = (event) => event.preventDefault();
  const drop = (event) => {
    event.preventDefault();
    event.currentTarget.classList.remove("over");
    add([...event.dataTransfer.files]);
  };
  const choose = (event) => {
    const files = [...event.target.files];
    event.target.value = ""; // the same file may be chosen again
    add(files);
  };
  const mark = (event) => event.currentTarget.classList.toggle("over", event.type === "dragenter");
  return html`<div class="add" onDragOver=${over} onDragEnter=${mark} onDragLeave=${mark} onDrop=${drop}>
    <button class="secondary outline" disabled=${hindered !== null} onClick=${(event) => act.openCamera(add, event.currentTarget)} aria-label=${`Record ${label}`}>
      <span class="dot"></span>Record
    </button>
    <button class="secondary outline" onClick=${(event) => event.currentTarget.nextElementSibling.click()} aria-label=${`Choose ${which} for ${label}`}>
      Choose ${which}
    </button>
    <input type="file" accept="video/*" multiple=${many} hidden data-for=${label} onChange=${choose} />
    <span class="hint">or drop ${many ? "them" : "it"} here</span>
    ${hindered && html`<p class="hint wide">${hindered}</p>`}
  </div>`;
}

function Answers({ state, act }) {
  if (!state.answers.length) return null;
  return html`<section aria-labelledby="answers">
    <h2 id="answers">Answers</h2>
    ${state.answers.map(
      (answer) => html`<${Answer} key=${answer.id} answer=${answer} latest=${answer === state.answers[0]} act=${act} />`,
    )}
  </section>`;
}
