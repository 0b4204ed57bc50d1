// Preact without a build step.

import htm from "./vendor/htm.js";
import { h, render } from "./vendor/preact.js";

const html = htm.bind(h);

export { html, render };
