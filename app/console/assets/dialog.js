// Native dialogs: they keep the focus, close on Escape and give the focus back.

import { h } from "./dom.js";

let opened = 0;

/** Open a dialog with `content(close)` in it; resolves to what `close` is given, null where it was dismissed. */
export function open(title, content, className = "") {
  return new Promise((resolve) => {
    opened += 1;
    const heading = h("h2", { text: title, id: `dialog-title-${opened}` }); // one dialog may open another
    const dialog = h("dialog", { "aria-labelledby": heading.id, class: className });
    let answer = null;
    const close = (value = null) => {
      answer = value;
      dialog.close();
    };
    dialog.append(h("div", { class: "stack" }, heading, content(close)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Ask before something is erased; true where it is wanted. `typed`: a name that has to be typed first. */
export function confirm({ title, words, action, typed = null }) {
  return open(title, (close) => {
    const yes = h("button", { type: "submit", class: "danger solid", text: action, disabled: typed !== null });
    const cancel = h("button", {
      type: "button",
      text: "Cancel",
      autofocus: typed === null,
      on: { click: () => close(false) },
    });
    const form = h("form", { method: "dialog", on: { submit: submitted } }, h("p", { text: words }));
    if (typed !== null) {
      const input = h("input", { id: "confirm-name", autocomplete: "off", spellcheck: "false", autofocus: true });
      input.addEventListener("input", () => (yes.disabled = input.value !== typed));
      form.append(
        h("div", { class: "field" }, h("label", { for: "confirm-name", text: `Type ${typed} to confirm` }), input),
      );
    }
    form.append(h("div", { class: "buttons end" }, cancel, yes));
    function submitted(event) {
      event.preventDefault();
      if (!yes.disabled) close(true);
    }
    return form;
  });
}
