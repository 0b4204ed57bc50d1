// Videos as the page holds them: the file, and a few of its frames to look at.

const NUM_FRAMES = 4;
const FRAME_HEIGHT = 128;
const PATIENCE_MS = 8000;

// One after the other: a phone has few decoders.
let looked = Promise.resolve();

// `seen` is called when the clip's frames (URLs of pictures) are there; until then they are null.
// None are if this browser can't decode the video; the server may still be able to.
export function makeClip(blob, name, seen) {
  const clip = { name, blob, url: URL.createObjectURL(blob), frames: null };
  looked = looked.then(async () => {
    clip.frames = await framesOf(clip.url).catch(() => []);
    seen();
  });
  return clip;
}

export async function dataUrl(blob) {
  const reader = new FileReader();
  const read = happens(reader, "load");
  reader.readAsDataURL(blob);
  await read;
  // Not the recorder's own type: in "video/webm;codecs=vp8,opus" is a comma, which ends the head.
  const type = blob.type.split(";")[0] || "application/octet-stream";
  const base64 = reader.result.slice(reader.result.indexOf("base64,"));
  return `data:${type};${base64}`;
}

async function framesOf(url) {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
  const ready = happens(video, "loadedmetadata");
  video.src = url;
  await ready;
  const duration = await durationOf(video);
  const frames = [];
  for (let number = 0; number < NUM_FRAMES; number++) {
    await seek(video, Math.max(0, ((duration - 0.05) * number) / (NUM_FRAMES - 1)));
    frames.push(await picture(video));
  }
  video.removeAttribute("src");
  return frames;
}

// A recorder does not write how long its video is; a browser finds out on the way to its end.
async function durationOf(video) {
  if (!Number.isFinite(video.duration)) {
    const known = happens(video, "durationchange");
    video.currentTime = 1e9;
    await known;
  }
  return video.duration;
}

async function seek(video, time) {
  const there = happens(video, "seeked");
  video.currentTime = time;
  await there;
}

async function picture(video) {
  const canvas = document.createElement("canvas");
  canvas.height = FRAME_HEIGHT;
  canvas.width = Math.round((FRAME_HEIGHT * video.videoWidth) / video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
  return URL.createObjectURL(blob);
}

function happens(target, event) {
  return new Promise((done, fail) => {
    target.addEventListener(event, done, { once: true });
    target.addEventListener("error", () => fail(target.error ?? new Error(event)), { once: true });
    setTimeout(() => fail(new Error(`no ${event}`)), PATIENCE_MS);
  });
}
