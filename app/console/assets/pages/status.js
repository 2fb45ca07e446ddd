// How the service is doing: health, queues, latency, the index; asked again every few seconds.

import { metrics, Problem, ready } from "../api.js";
import { fill, h } from "../dom.js";
import { bytes, count, counted, fact, sentence, words } from "../format.js";
import { latencyTable } from "../latency.js";
import { advice, problemView } from "../problem.js";
import { labelValues, parse, sumOf, valueOf } from "../prometheus.js";

const EVERY_MS = 3000;
const KEPT = 60;
const LOOKED_AT = new Set(["ready", "degraded", "not_ready"]);
const TONE = { ready: "good", degraded: "warn", not_ready: "bad" };

export async function statusPage(place, { signal }) {
  const history = [];
  const health = h("section", { class: "card stack", "aria-label": "Health" });
  const now = h("section", { class: "card stack", "aria-label": "Now" });
  const stages = h("section", { class: "card stack", "aria-label": "Latency" });
  const routes = h("section", { class: "card stack", "aria-label": "Requests" });
  const said = h("p", { class: "small muted" });
  const announced = h("p", { class: "unseen", role: "status" });
  const paused = h("input", { type: "checkbox", id: "paused" });
  const again = h("button", { type: "button", class: "slim", text: "Refresh now", on: { click: () => look() } });
  fill(
    place,
    h(
      "div",
      { class: "heading" },
      h(
        "div",
        {},
        h("h1", { text: "Status" }),
        h("p", { class: "lead", text: "What the service says of itself, since it was started." }),
      ),
      h("div", { class: "buttons" }, h("label", { class: "check", for: "paused" }, paused, "Pause"), again),
    ),
    announced,
    h("div", { class: "columns" }, health, now),
    stages,
    routes,
    said,
  );

  async function look() {
    const [report, counters] = await Promise.all([ready().catch(asProblem), metrics().catch(asProblem)]);
    if (signal.aborted) return;
    const status = LOOKED_AT.has(report.status) ? report.status : "unreachable";
    if (announced.textContent !== words(status)) announced.textContent = words(status);
    fill(health, h("h2", { text: "Health" }), healthView(report));
    if (counters instanceof Problem) {
      fill(now, h("h2", { text: "Now" }), withheld(counters));
      fill(stages);
      fill(routes);
    } else show(parse(counters));
    stages.hidden = routes.hidden = counters instanceof Problem;
    const time = new Date().toLocaleTimeString("en-GB");
    said.textContent = `As of ${time}; asked every ${EVERY_MS / 1000} seconds while this page is seen.`;
  }

  function show(samples) {
    history.push({
      at: performance.now(),
      requests: sumOf(samples, "sameface_requests_total", isWork),
      waiting: sumOf(samples, "sameface_queue_depth"),
    });
    if (history.length > KEPT) history.shift();
    fill(now, h("h2", { text: "Now" }), nowView(samples, history));
    fill(
      stages,
      h("h2", { text: "Latency by stage" }),
      latencyTable(samples, "sameface_stage_seconds", "stage", { title: "Latency by stage" }),
    );
    fill(
      routes,
      h("h2", { text: "Requests" }),
      latencyTable(samples, "sameface_request_seconds", "route", { title: "Requests by route", sorted: true }),
    );
  }

  const timer = setInterval(() => {
    if (!paused.checked && !document.hidden) look();
  }, EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  await look();
}

function asProblem(error) {
  return error;
}

function isWork({ route }) {
  return route !== "/metrics" && !route.startsWith("/health") && route !== "unmatched";
}

function withheld(problem) {
  if (problem.status === 404) {
    return h("p", { class: "muted", text: "The proxy in front of the service keeps its counters to itself." });
  }
  const unknown = problem.status === 401;
  return unknown || problem.status === 403
    ? h("p", {
        class: "muted",
        text: ["Counters need an API key with the scope metrics or admin.", unknown && advice(problem.code)]
          .filter(Boolean)
          .join(" "),
      })
    : problemView(problem);
}

function healthView(report) {
  if (!LOOKED_AT.has(report.status)) return problemView(report);
  const rows = Object.entries(report.checks).map(([name, check]) =>
    h(
      "li",
      {},
      h("span", {}, h("span", { class: check.ok ? "tag good" : "tag bad", text: check.ok ? "ok" : "fails" })),
      h("strong", { text: sentence(words(name)) }),
      check.detail ? h("span", { class: "said", text: sentence(check.detail) }) : null,
      h("span", {
        class: "said small muted",
        text: Object.entries(check.facts)
          .map(([key, value]) => `${words(key.replace(/_bytes$/, ""))} ${shown(key, value)}`)
          .join(" · "),
      }),
    ),
  );
  return [
    h("p", {}, h("span", { class: `tag ${TONE[report.status]}`, text: sentence(words(report.status)) })),
    h("ul", { class: "checks" }, rows),
  ];
}

function shown(name, value) {
  return name.endsWith("_bytes") ? bytes(value) : fact(value);
}

function nowView(samples, history) {
  const applied = valueOf(samples, "sameface_index_applied_revision");
  const database = valueOf(samples, "sameface_index_database_revision");
  const waiting = labelValues(samples, "sameface_queue_depth", "queue").map((queue) => [
    queue,
    valueOf(samples, "sameface_queue_depth", { queue }),
  ]);
  const rates = history
    .slice(1)
    .map((point, index) => ((point.requests - history[index].requests) / (point.at - history[index].at)) * 1000);
  const memory = valueOf(samples, "process_resident_memory_bytes");
  const started = valueOf(samples, "process_start_time_seconds");
  return h(
    "div",
    { class: "gauges" },
    gauge("Requests a second", rates.length ? rates.at(-1).toFixed(1) : "0.0", null, rates),
    gauge(
      "Waiting in queues",
      count(history.at(-1).waiting),
      waiting.map(([queue, depth]) => `${queue} ${depth}`).join(" · "),
      history.map((point) => point.waiting),
    ),
    gauge("Requests in progress", count(valueOf(samples, "sameface_requests_in_progress") ?? 0)),
    gauge(
      "Index revision",
      applied === null ? "none" : count(applied),
      lagWords(applied, database, valueOf(samples, "sameface_index_seconds_since_success")),
    ),
    gauge(
      "Enrolled faces",
      count(valueOf(samples, "sameface_index_faces") ?? 0),
      enrolledWords(
        valueOf(samples, "sameface_index_subjects") ?? 0,
        valueOf(samples, "sameface_index_galleries") ?? 0,
      ),
    ),
    memory === null
      ? null
      : gauge("Memory", bytes(memory), started === null ? null : `up for ${uptime(Date.now() / 1000 - started)}`),
  );
}

function enrolledWords(subjects, galleries) {
  return `${counted(subjects, "subject")} in ${counted(galleries, "gallery", "galleries")}`;
}

function lagWords(applied, database, seconds) {
  if (applied === null || database === null) return "the index has not begun";
  const behind = database > applied ? `${count(database - applied)} behind the database` : "in step with the database";
  return seconds === null ? behind : `${behind}, ${seconds.toFixed(1)} s ago`;
}

function uptime(seconds) {
  if (seconds < 5400) return `${count(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${count(seconds / 86400)} days`;
}

function gauge(name, value, more = null, series = null) {
  return h(
    "div",
    { class: "gauge" },
    h("span", { class: "small muted", text: name }),
    h("span", { class: "value number", text: value }),
    more ? h("span", { class: "small muted", text: more }) : null,
    series && series.length > 1 ? spark(series) : null,
  );
}

function spark(series) {
  const most = Math.max(...series, 1e-9);
  const points = series.map(
    (value, index) => `${((index / (series.length - 1)) * 100).toFixed(2)},${(29 - (value / most) * 26).toFixed(2)}`,
  );
  return h(
    "svg",
    { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("polyline", { class: "under", points: `0,30 ${points.join(" ")} 100,30` }),
    h("polyline", { points: points.join(" ") }),
  );
}
