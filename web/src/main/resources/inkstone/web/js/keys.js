// The keyboard of the whole page, and the list of its keys.

import { html, nothing } from "lit";
import { InkElement } from "./element.js";

const KEPT = "inkstone.letter-keys";

const LIST = [
  ["Enter", "send"], ["Shift Enter", "new line"], ["Esc", "stop the answer or the picture; close; leave the field"], ["Up", "in an empty field: edit the last question"],
  ["Alt N", "new chat, picture or job"], ["Alt 1, Alt 2, Alt 3", "Chat, Images, Train"], ["Ctrl Enter", "paint, or start a job"], ["Arrows", "in the film strip: step; in the gallery: move"], ["Space", "pause or continue a job in the list"], ["Ctrl Z", "undo, while a message offers it"], ["Alt Left, Alt Right", "earlier or later version of the message"],
  ["F2, Delete", "rename or delete a chat in the list, or a picture"], ["J, K", "next, previous message"], ["C, R, E", "copy, try again, edit the message"], ["?", "this list"],
];

const isField = element => element?.closest("textarea, select, input:not([type=range], [type=checkbox], [type=file])") !== null;

export class Keys {
  /** page: what keys can do, by name; see app.js. */
  constructor(page) {
    this.page = page;
    addEventListener("keydown", event => {
      if (event.isComposing || event.defaultPrevented || !this.#pressed(event)) return;
      event.preventDefault();
    });
  }

  #pressed({ key, altKey, ctrlKey, metaKey, target, code }) {
    const { page } = this, field = isField(target), turn = target.closest?.("ink-turn");
    if (key === "Escape") return page.escape(field ? target : null);
    if (altKey && code === "KeyN") return page.fresh();                         // the key, not the letter: Option N is a dead key on a Mac
    if (altKey && code === "Digit1") return page.goTo("chat");
    if (altKey && code === "Digit2") return page.goTo("images");
    if (altKey && code === "Digit3") return page.goTo("train");
    if (altKey && turn && key === "ArrowLeft") return turn.turnTo(-1) ?? true;
    if (altKey && turn && key === "ArrowRight") return turn.turnTo(1) ?? true;
    if ((ctrlKey || metaKey) && key === "z" && !(field && target.value)) return page.undo();   // a field with text has its own undo
    if (altKey || ctrlKey || metaKey || field || document.querySelector("dialog:modal") || !lettersOn()) return false;
    switch (key.toLowerCase()) {
      case "?": return page.showKeys();
      case "j": return page.step(1);
      case "k": return page.step(-1);
      default: return turn?.act(key.toLowerCase()) ?? false;
    }
  }
}

function lettersOn() {
  return localStorage.getItem(KEPT) !== "off";
}

/** <ink-keys>: the list of keys in a dialog. */
class KeyList extends InkElement {
  show() {
    this.querySelector("dialog").showModal();
  }

  render() {
    const mac = navigator.platform.startsWith("Mac");
    const caps = keys => keys.split(", ").map((key, i) => html`${i ? ", " : nothing}<kbd>${mac ? key.replace("Ctrl", "Cmd") : key}</kbd>`);
    return html`<dialog class="window" aria-labelledby="keys-title" closedby="any">
      <div class="window-head"><h2 id="keys-title">Keys</h2><button class="btn" type="button" @click=${() => this.querySelector("dialog").close()}>Close</button></div>
      <dl class="keys">${LIST.map(([keys, does]) => html`<div><dt>${caps(keys)}</dt><dd>${does}</dd></div>`)}</dl>
      <label class="switch"><input type="checkbox" .checked=${lettersOn()} @change=${e => localStorage.setItem(KEPT, e.target.checked ? "on" : "off")}>
        Single letters are keys outside of fields</label>
    </dialog>`;
  }
}

customElements.define("ink-keys", KeyList);
