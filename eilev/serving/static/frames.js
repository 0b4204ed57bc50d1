// A clip as a strip of its frames; pressed, it plays in their place.

import { html } from "./html.js";

export function Frames({ clip, label }) {
  if (!clip.frames) return html`<div class="frames pending"></div>`;
  if (!clip.frames.length)
    return html`<div class="frames none">
      <span>${clip.name}</span><small>This browser can’t show it; the server may read it.</small>
    </div>`;
  return html`<button class="quiet frames" aria-label=${`Play ${label} (${clip.name})`} title=${clip.name} onClick=${toggle}>
    ${clip.frames.map((url, number) => html`<img src=${url} alt="" key=${number} />`)}
    <video src=${clip.url} muted loop playsinline preload="none" hidden></video>
  </button>`;
}

function toggle(event) {
  const button = event.currentTarget;
  const video = button.querySelector("video");
  const playing = button.classList.toggle("playing");
  video.hidden = !playing;
  if (playing) video.play();
  else video.pause();
}
