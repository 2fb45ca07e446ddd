// A picture from the camera. The stream ends when the dialog does.

import { open } from "./dialog.js";
import { field, fill, h, icon, select } from "./dom.js";

const REFUSED = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it for this page and try again.",
  NotFoundError: "There is no camera on this device.",
  NotReadableError: "The camera is in use by another program.",
};

/** Whether this page may ask for a camera at all: browsers want HTTPS or localhost for that. */
export function cameraAllowed() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

function stop(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

async function start(video, deviceId) {
  stop(video);
  const wanted = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
  video.srcObject = await navigator.mediaDevices.getUserMedia({
    video: { ...wanted, width: { ideal: 1280 } },
    audio: false,
  });
  await video.play();
}

function shot(video) {
  const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => {
    canvas.toBlob((blob) => resolve(new File([blob], "camera.jpg", { type: "image/jpeg" })), "image/jpeg", 0.95);
  });
}

async function deviceChoice(video) {
  const all = await navigator.mediaDevices.enumerateDevices();
  const cameras = all.filter((device) => device.kind === "videoinput");
  if (cameras.length < 2) return null;
  const names = cameras.map((camera, index) => [camera.deviceId, camera.label || `Camera ${index + 1}`]);
  return field(
    "Camera",
    select(names, null, (deviceId) => start(video, deviceId)),
  );
}

/** Show the camera's picture in a dialog; resolves to a File, or null where none was taken. */
export async function takePicture() {
  const video = h("video", { playsinline: true, muted: true, "aria-label": "Picture of the camera, mirrored" });
  video.muted = true;
  const taken = await open("Take a picture", (close) => {
    const said = h("p", { class: "muted", role: "status", text: "Waiting for the camera…" });
    const choice = h("div");
    const take = h(
      "button",
      { type: "button", class: "primary", disabled: true, on: { click: async () => close(await shot(video)) } },
      icon("camera"),
      "Take the picture",
    );
    const begun = start(video, null).then(async () => {
      said.textContent = "Look straight at the camera, in even light.";
      take.disabled = false;
      take.focus();
      fill(choice, await deviceChoice(video));
    });
    begun.catch((error) => (said.textContent = REFUSED[error.name] ?? `The camera does not work: ${error.message}`));
    const cancel = h("button", { type: "button", text: "Cancel", on: { click: () => close(null) } });
    return h("div", { class: "stack camera" }, video, said, choice, h("div", { class: "buttons end" }, cancel, take));
  });
  stop(video);
  return taken;
}
