// The server's API: which models there are, and one question with a streamed answer.

export class Refused extends Error {
  constructor(status, message, param) {
    super(message);
    Object.assign(this, { status, param });
  }
}

export async function modelIds(key) {
  const response = await call("v1/models", { headers: headers(key) });
  return (await response.json()).data.map((model) => model.id);
}

export async function readyExamples() {
  const response = await call("page/examples/index.json");
  return (await response.json()).sets;
}

export async function readyVideo(name) {
  const response = await call(`page/examples/${encodeURIComponent(name)}`);
  return response.blob();
}

// Chunks of the answer, as OpenAI's clients get them.
export async function* ask(body, key, signal) {
  const response = await call("v1/chat/completions", {
    method: "POST",
    headers: { ...headers(key), "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Refused(0, "The server broke off in the middle of the answer.");
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Refused(0, chunk.error.message, chunk.error.param);
      yield chunk;
    }
  }
}

function headers(key) {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const message = told.error?.message ?? `The server answered with status ${response.status}.`;
  throw new Refused(response.status, message, told.error?.param);
}
