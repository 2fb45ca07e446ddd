// A picture from the camera. The stream ends when the dialog does.

import { open } from "./dialog.js";
import { field, fill, h, icon, select } from "./dom.js";

const REFUSED = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it for this page and try again.",
  NotFoundError: "There is no camera on this device.",
  NotReadableError: "The camera is in use by another program.",
  OverconstrainedError: "This camera is not there any more.",
};

/** Whether this page may ask for a camera at all: browsers want HTTPS or localhost for that. */
export function cameraAllowed() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

function end(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function stop(video) {
  end(video.srcObject);
  video.srcObject = null;
}

async function start(video, deviceId) {
  stop(video);
  const wanted = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { ...wanted, width: { ideal: 1280 } },
    audio: false,
  });
  if (!video.isConnected) return end(stream); // the dialog was left meanwhile
  video.srcObject = stream;
  return video.play();
}

/** What the video shows as a File; null where it shows nothing. */
function shot(video) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => {
    const done = (blob) => resolve(blob && new File([blob], "camera.jpg", { type: "image/jpeg" }));
    canvas.toBlob(done, "image/jpeg", 0.95);
  });
}

async function deviceChoice(onChoice) {
  const all = await navigator.mediaDevices.enumerateDevices();
  const cameras = all.filter((device) => device.kind === "videoinput");
  if (cameras.length < 2) return null;
  const names = cameras.map((camera, index) => [camera.deviceId, camera.label || `Camera ${index + 1}`]);
  return field("Camera", select(names, null, onChoice));
}

/** Show the camera's picture in a dialog; resolves to a File, or null where none was taken. */
export async function takePicture() {
  const video = h("video", { playsinline: true, muted: true, "aria-label": "Picture of the camera, mirrored" });
  video.muted = true;
  const taken = await open("Take a picture", (close) => {
    const said = h("p", { class: "muted", role: "status" });
    const choice = h("div");
    const take = h(
      "button",
      { type: "button", class: "primary", on: { click: shoot } },
      icon("camera"),
      "Take the picture",
    );
    const cancel = h("button", { type: "button", text: "Cancel", on: { click: () => close(null) } });

    async function shoot() {
      const file = await shot(video);
      file ? close(file) : (said.textContent = "There is no picture yet. Wait a moment and try again.");
    }

    async function show(deviceId, next = async () => {}) {
      said.textContent = "Waiting for the camera…";
      take.disabled = true;
      try {
        await start(video, deviceId);
        said.textContent = "Look straight at the camera, in even light.";
        take.disabled = false;
        await next();
      } catch (error) {
        said.textContent = REFUSED[error.name] ?? `The camera does not work: ${error.message}`;
      }
    }

    let shown = show(null, async () => {
      take.focus();
      // One camera after the other: of two that start at once, one would be left on.
      fill(choice, await deviceChoice((deviceId) => (shown = shown.then(() => show(deviceId)))));
    });
    return h("div", { class: "stack camera" }, video, said, choice, h("div", { class: "buttons end" }, cancel, take));
  });
  stop(video);
  return taken;
}
