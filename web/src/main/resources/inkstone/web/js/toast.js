// <ink-toast>: one line at the bottom left, with Undo where something was taken away. Six seconds, or as long as it can be undone, and longer while it is hovered or focused.

import { html, nothing } from "lit";
import { InkElement } from "./element.js";
import { icon } from "./icon.js";

const SHOWN = 6000;   // milliseconds

class Toast extends InkElement {
  static properties = { toast: { state: true } };

  #timer = 0;

  show(toast) {
    this.toast = toast;
    this.#wait();
  }

  /** Takes back what the toast tells of. Returns false where there is nothing to take back. */
  undo() {
    const undo = this.toast?.undo;
    this.toast = undefined;
    undo?.();
    return undo !== undefined;
  }

  render() {
    const { toast } = this;
    return html`<div role="status" @pointerenter=${this.#hold} @pointerleave=${this.#wait} @focusin=${this.#hold} @focusout=${this.#wait}>${toast ? html`
      <div class="toast"><span>${toast.text}</span>${toast.undo
        ? html`<button class="btn" type="button" @click=${this.undo}>Undo <kbd class="desk-only">Ctrl Z</kbd></button>` : nothing}
        <button class="btn icon-only" type="button" aria-label="Dismiss" @click=${() => { this.toast = undefined; }}>${icon("x")}</button></div>` : nothing}</div>`;
  }

  #hold() {
    clearTimeout(this.#timer);
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.toast = undefined; }, this.toast?.shown ?? SHOWN);
  }
}

customElements.define("ink-toast", Toast);
