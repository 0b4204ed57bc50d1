// The camera's picture, with the buttons that record it.

import { html } from "./html.js";

export function Recorder({ camera, act }) {
  const { stream, recorder } = camera;
  const open = (dialog) => dialog && !dialog.open && dialog.showModal();
  const show = (video) => {
    if (video && video.srcObject !== stream) video.srcObject = stream;
  };
  return html`<dialog ref=${open} onCancel=${act.closeCamera} aria-label="Record a clip">
    <article>
      <video ref=${show} autoplay muted playsinline></video>
      <p class="hint">${recorder ? "Recording … at most 10 seconds." : "A second or two of one action is best."}</p>
      <div class="ask">
        ${recorder
          ? html`<button key="stop" onClick=${act.stopRecording}><span class="dot live"></span>Stop and use it</button>`
          : html`<button key="start" onClick=${act.startRecording}><span class="dot"></span>Start recording</button>`}
        <button key="cancel" class="secondary outline" onClick=${act.closeCamera}>Cancel</button>
      </div>
    </article>
  </dialog>`;
}
