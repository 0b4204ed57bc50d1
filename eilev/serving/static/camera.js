// Recording a clip with the camera.

const LONGEST_S = 10;
// Safari was long without the first two.
const TYPES = ["video/webm;codecs=vp8", "video/webm", "video/mp4"];

// Why recording is impossible here, or null.
export function obstacle() {
  if (!navigator.mediaDevices?.getUserMedia)
    return "Browsers open the camera to pages on https or localhost only. On a phone, “Choose videos” can film one.";
  if (!window.MediaRecorder) return "This browser can’t record.";
  return null;
}

export async function openCamera() {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: { ideal: "environment" } },
    });
  } catch (error) {
    throw new Error(trouble(error), { cause: error });
  }
}

export function closeCamera(stream) {
  for (const track of stream.getTracks()) track.stop();
}

// Starts at once; `finished` gets the video after stop(), or after the longest time.
export function record(stream, finished) {
  const type = TYPES.find((each) => MediaRecorder.isTypeSupported(each));
  const recorder = new MediaRecorder(stream, { mimeType: type, videoBitsPerSecond: 1_000_000 });
  const pieces = [];
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = () => finished(new Blob(pieces, { type: recorder.mimeType }));
  recorder.start();
  setTimeout(() => recorder.state === "recording" && recorder.stop(), LONGEST_S * 1000);
  return recorder;
}

function trouble(error) {
  if (error.name === "NotAllowedError")
    return "The camera was not allowed. Allow it for this page in the browser’s settings, and try again.";
  // Nothing is demanded of a camera, so WebKit, too, means that there is none.
  if (["NotFoundError", "OverconstrainedError"].includes(error.name)) return "There is no camera.";
  if (error.name === "NotReadableError") return "Another program is using the camera.";
  return `The camera can’t be opened: ${error.message}`;
}
