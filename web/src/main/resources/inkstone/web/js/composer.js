// <ink-composer>: where one writes. Send turns into Stop in the same place; how full the model's context is stands beside it.

import { html, nothing } from "lit";
import { orderIn, path } from "./conversation.js";
import { SessionElement } from "./element.js";
import { count } from "./format.js";
import { icon } from "./icon.js";

const NEARLY_FULL = 0.85;

class Composer extends SessionElement {
  get #area() {
    return this.querySelector("textarea");
  }

  async focus() {
    await this.updateComplete;
    this.#area.focus();
  }

  render() {
    const { session } = this, model = session.studio?.model;
    return html`<form class="composer" @submit=${this.#submit}>
      <label class="sr" for="ask">Message</label>
      <textarea id="ask" rows="1" placeholder="${model?.chatTemplate === false ? "Begin a text" : "Ask something"}${session.painting.enabled ? ", or /paint something" : ""}" @keydown=${this.#key} @input=${this.#grow}></textarea>
      <div class="row">${this.#fill(session.contextUsed, model?.contextLength)}
        <div class="end">${session.painting.enabled ? html`<button class="btn ghost" type="button" aria-label="Paint what the message says" @click=${this.#paint}>${icon("brush")}<span class="desk-only">Paint</span></button>` : nothing}${session.writing
          ? html`<button class="btn primary" type="button" @click=${() => session.stop()}>${icon("stop")}Stop <kbd class="desk-only">Esc</kbd></button>`
          : html`<button class="btn primary" type="submit">${icon("send")}Send</button>`}</div></div>
    </form>`;
  }

  #fill(used, length) {
    if (!length) return nothing;
    const nearly = used >= NEARLY_FULL * length;
    return html`<span class="fill ${nearly ? "nearly" : ""}">
      <meter min="0" max=${length} value=${used} high=${NEARLY_FULL * length} optimum="0" aria-label="Context used"></meter>
      ${count(used)} of ${count(length)} <span class="desk-only">tokens used${nearly ? ", nearly full" : nothing}</span></span>`;
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#area.value.trim();
    if (!text || this.session.writing) return;
    this.session.send(text);
    this.#area.value = "";
    this.#grow();
  }

  /* Paints what stands in the field; an empty one begins an order. */
  #paint() {
    const area = this.#area, text = area.value.trim();
    if (!text.startsWith("/paint")) area.value = `/paint ${text}`;
    if (text && orderIn(area.value)) this.querySelector("form").requestSubmit();
    else area.focus();
  }

  #key(event) {
    if (event.isComposing) return;   // Enter belongs to the input method while it composes
    if (event.key === "Enter" && !event.shiftKey) {
      this.#submit(event);
    } else if (event.key === "ArrowUp" && this.#area.value === "") {
      const last = path(this.session.chat).findLast(m => m.role === "user");
      if (last) { event.preventDefault(); this.session.startEditing(last.id); }
    }
  }

  /* Browsers without field-sizing get the height from here. */
  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#area.style.blockSize = "auto";
    this.#area.style.blockSize = `${this.#area.scrollHeight}px`;
  }
}

customElements.define("ink-composer", Composer);
