// The service's HTTP API: one function a route, and every failure a Problem. The API key lives in this tab's session.

const KEY = "sameface.key";

/** What went wrong, as the service's problem document (RFC 9457) says it. */
export class Problem extends Error {
  constructor(document) {
    super(document.detail);
    this.document = document;
    this.code = document.code;
    this.status = document.status;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

let askForKey = async () => false;
let onWork = () => {};
let underWay = 0;

/** `ask(problem)` is called when a key is missing or refused; it resolves to true where another one was entered. */
export function whenKeyIsNeeded(ask) {
  askForKey = ask;
}

/** `listener(count)` is told how many requests are under way. */
export function whenWorking(listener) {
  onWork = listener;
}

async function answered(method, path, { query = {}, body = null, json = null, signal = null } = {}) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") address.searchParams.set(name, value);
  }
  const headers = {};
  if (key.get()) headers["X-API-Key"] = key.get();
  if (json !== null) headers["Content-Type"] = "application/json";
  const options = {
    method,
    headers,
    body: json === null ? body : JSON.stringify(json),
    signal,
    cache: "no-store",
    credentials: "omit",
  };
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ code: "unreachable", status: 0, title: "No answer", detail: "The service does not answer." });
  }
}

async function problemOf(response) {
  const type = response.headers.get("content-type") ?? "";
  const retry = response.headers.get("retry-after");
  const more = retry ? { retry_after_seconds: Number(retry) } : {};
  if (type.includes("json")) return new Problem({ ...more, ...(await response.json()) });
  const detail = `The service, or something in front of it, answered ${response.status} without saying why.`;
  return new Problem({ ...more, code: "http_error", status: response.status, title: response.statusText, detail });
}

async function request(method, path, { quiet = false, accept = [], ...options } = {}) {
  if (!quiet) onWork((underWay += 1));
  try {
    let response = await answered(method, path, options);
    while (!response.ok && !accept.includes(response.status)) {
      const problem = await problemOf(response);
      const mended = response.status === 401 && !quiet && (await askForKey(problem));
      if (!mended) throw problem;
      response = await answered(method, path, options);
    }
    return response;
  } finally {
    if (!quiet) onWork((underWay -= 1));
  }
}

async function asked(method, path, options) {
  return (await request(method, path, options)).json();
}

/** Fields of a form; null is left out, lists repeat. Objects are written as JSON. */
function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === null || one === undefined || one === "") continue;
      if (one instanceof Blob) data.append(name, one, one.name ?? "picture.jpg");
      else data.append(name, typeof one === "object" ? JSON.stringify(one) : one);
    }
  }
  return data;
}

const id = encodeURIComponent;

export const model = (options) => asked("GET", "model", options);
export const verify = (fields, signal) => asked("POST", "verify", { body: form(fields), signal });
export const identify = (fields, signal) => asked("POST", "identify", { body: form(fields), signal });
export const enroll = (fields, signal) => asked("POST", "gallery/enroll", { body: form(fields), signal });

export const galleries = (query) => asked("GET", "galleries", { query });
export const gallery = (name) => asked("GET", `galleries/${id(name)}`);
export const createGallery = (name) => asked("POST", "galleries", { json: { name } });
export const dropGallery = (name) => asked("DELETE", `galleries/${id(name)}`);

export const subjects = (query, signal) => asked("GET", "gallery/subjects", { query, signal });
export const subject = (name, subjectId) =>
  asked("GET", `gallery/subjects/${id(subjectId)}`, { query: { gallery: name } });
export const changeSubject = (name, subjectId, json) =>
  asked("PATCH", `gallery/subjects/${id(subjectId)}`, { query: { gallery: name }, json });
export const eraseSubject = (name, subjectId) =>
  asked("DELETE", `gallery/subjects/${id(subjectId)}`, { query: { gallery: name } });
export const verifySubject = (name, subjectId, fields) =>
  asked("POST", `gallery/subjects/${id(subjectId)}/verify`, { query: { gallery: name }, body: form(fields) });

export const facesOf = (name, subjectId) =>
  asked("GET", `gallery/subjects/${id(subjectId)}/faces`, { query: { gallery: name } });
export const eraseFace = (name, faceId) => asked("DELETE", `gallery/faces/${id(faceId)}`, { query: { gallery: name } });

/** The crop of an enrolled face as a Blob; null where the service keeps none or the key may not see it. */
export async function crop(name, faceId) {
  try {
    const response = await request("GET", `gallery/faces/${id(faceId)}/crop`, {
      query: { gallery: name },
      quiet: true,
    });
    return response.headers.get("content-type")?.startsWith("image/") ? response.blob() : null;
  } catch {
    return null;
  }
}

/** The health report, ready or not. */
export const ready = () => asked("GET", "health/ready", { quiet: true, accept: [503] });
export const metrics = async () => (await request("GET", "metrics", { quiet: true })).text();
