// The API key: entered once, kept for this tab only, sent to this service only.

import { key, model, Problem } from "./api.js";
import { open } from "./dialog.js";
import { field, fill, h, icon, toast } from "./dom.js";
import { problemView } from "./problem.js";

let asking = null;

/** Ask for a key; resolves to true where one was entered that the service accepts. One dialog at a time. */
export function askForKey(problem = null) {
  asking ??= ask(problem).finally(() => (asking = null));
  return asking;
}

async function ask(problem) {
  const entered = await open("API key", (close) => {
    const input = h("input", {
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      autofocus: true,
      required: true,
    });
    const said = h("div", { "aria-live": "polite" });
    if (problem && key.get()) said.append(problemView(problem));
    const submit = h("button", { type: "submit", class: "primary", text: "Use this key" });
    const form = h(
      "form",
      { method: "dialog", on: { submit: use } },
      h("p", {
        class: "muted",
        text: "This service asks for a key. It is kept until this tab is closed, and sent to this service only.",
      }),
      field("Key", input, "It begins with sameface_"),
      said,
      h(
        "div",
        { class: "buttons end" },
        key.get()
          ? h("button", { type: "button", text: "Forget the key", on: { click: () => close("forget") } })
          : null,
        h("button", { type: "button", text: "Cancel", on: { click: () => close(null) } }),
        submit,
      ),
    );
    async function use(event) {
      event.preventDefault();
      const before = key.get();
      submit.setAttribute("aria-busy", "true");
      try {
        await tryOut(input.value.trim());
        close("used");
      } catch (error) {
        before ? key.set(before) : key.forget();
        fill(said, problemView(error));
        input.focus();
      } finally {
        submit.removeAttribute("aria-busy");
      }
    }
    return form;
  });
  if (entered === "forget") {
    key.forget();
    toast("The key is forgotten.");
  }
  showState();
  return entered === "used";
}

/** Set the key if the service accepts it; raises the Problem otherwise. */
async function tryOut(value) {
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new Problem({
      code: "not_a_key",
      title: "Not a key",
      detail: "A key has letters, digits and underscores only.",
    });
  }
  key.set(value);
  await model({ quiet: true });
}

/** The button at the top says whether a key is in use. */
export function showState() {
  const button = document.getElementById("key-button");
  const used = key.get() !== null;
  fill(button, icon("key"), h("span", { class: "key-words", text: used ? "Key in use" : "API key" }));
  button.setAttribute("aria-label", used ? "API key in use: change or forget it" : "Enter an API key");
}
