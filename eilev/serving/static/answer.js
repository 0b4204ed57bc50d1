// One answer: its text while it is written, how sure the model was, and what it had seen.

import { html } from "./html.js";
import { python } from "./snippet.js";

const UNSURE = 0.8;
const WORTH_A_LOOK = 0.001;

export function Answer({ answer, latest, act }) {
  const { state, text, error, notes, tokens, examples } = answer;
  // Of the clip with the examples, as they may be told in words of their own.
  const expected = examples.length > 0 && answer.expected;
  return html`<article class="answer" data-state=${state}>
    ${error
      ? html`<p class="error" role="alert">${error}</p>`
      : html`<p class="text">${text || html`<span class="waiting">${state === "running" ? "The clips are being looked at" : "No text"}</span>`}</p>`}
    ${latest && tokens.length > 0 && html`<${Tokens} tokens=${tokens} />`}
    ${expected && !error && html`<p class="expected">Expected after the examples: ${expected}</p>`}
    ${notes.map((note) => html`<p class="note" key=${note}>Note: ${note}</p>`)}
    <p class="facts">${facts(answer)}</p>
    <${Seen} answer=${answer} />
    ${latest && html`<${More} ...${{ answer, act }} />`}
  </article>`;
}

function More({ answer, act }) {
  const { state, tokens, model, examples, query, question } = answer;
  return html`
    ${tokens.length > 0 && html`<${Alternatives} tokens=${tokens} />`}
    <details>
      <summary>The same in Python</summary>
      <pre tabindex="0" aria-label="Program"><code>${python(model, examples, query, question)}</code></pre>
    </details>
    ${state === "done" &&
    html`<button class="secondary outline small" onClick=${() => act.keep(answer)}>Keep it as an example</button>`}
  `;
}

function facts({ state, seconds, tokens, model, reason, examples }) {
  const sure = Math.exp(tokens.reduce((sum, token) => sum + token.logprob, 0));
  const number = examples.length;
  return [
    tokens.length > 0 && state === "done" && `${percent(sure)} sure of the whole`,
    seconds !== null && `${seconds.toFixed(2)} s`,
    number ? `${number} example${number > 1 ? "s" : ""}` : "no examples",
    model,
    state === "stopped" && "stopped",
    reason === "length" && "cut at its greatest length",
  ]
    .filter(Boolean)
    .join(" · ");
}

function Tokens({ tokens }) {
  return html`<ol class="tokens" aria-label="Confidence per token">
    ${tokens.map((token, place) => {
      const sure = Math.exp(token.logprob);
      return html`<li key=${place} class=${sure < UNSURE ? "unsure" : ""} style=${{ "--sure": sure }}>
        <span>${shown(token.token)}</span><small>${percent(sure)}</small>
      </li>`;
    })}
  </ol>`;
}

function Seen({ answer }) {
  return html`<details>
    <summary>What the model was shown</summary>
    <ol class="seen">
      ${answer.examples.map((one) => html`<li key=${one.id}><${Still} clip=${one.clip} />${one.narration}</li>`)}
      <li><${Still} clip=${answer.query} />${answer.question || "to be narrated"}</li>
    </ol>
  </details>`;
}

function Still({ clip }) {
  const middle = clip.frames?.[clip.frames.length >> 1];
  return middle ? html`<img src=${middle} alt=${clip.name} />` : html`<small>${clip.name}</small>`;
}

function Alternatives({ tokens }) {
  return html`<details>
    <summary>What else it thought of</summary>
    <ol class="alternatives">
      ${tokens.map(
        (token, place) => html`<li key=${place}>
          ${token.top_logprobs.filter(worthIt).map(
            (other) => html`<span key=${other.token} class=${other.token === token.token ? "taken" : ""}>
              ${shown(other.token)} <small>${percent(Math.exp(other.logprob))}</small>
            </span>`,
          )}
        </li>`,
      )}
    </ol>
  </details>`;
}

// Of OPT and T5: the token that ends the answer.
const shown = (token) => (token === "</s>" ? "end" : token.trim() || "␣");
const worthIt = (other) => Math.exp(other.logprob) >= WORTH_A_LOOK;
const percent = (share) => `${share < 0.995 ? (100 * share).toFixed(share < 0.1 ? 1 : 0) : "100"} %`;
