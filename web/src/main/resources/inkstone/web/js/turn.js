// <ink-turn>: one message. Name and facts in the margin, the text, and what can be done with it.

import { html, nothing } from "lit";
import { copy } from "./clipboard.js";
import { children, message as find, orderIn, versions } from "./conversation.js";
import { InkElement } from "./element.js";
import { clock, rate, seconds, tokens } from "./format.js";
import { icon } from "./icon.js";
import "./painted.js";
import "./prose.js";

class Turn extends InkElement {
  static properties = { session: { attribute: false }, message: { attribute: false } };

  #editing = false;

  get editing() {
    return this.session.editing === this.message.id;
  }

  /** Where the pressed key has a meaning for this message, does it and returns true. */
  act(key) {
    const { message, session } = this;
    if (message.state === "writing") return false;
    if (key === "c") this.#copy();
    else if (key === "e" && message.role === "user") session.startEditing(message.id);
    else if (key === "r" && message.role === "assistant" && !session.writing) session.retry(message.id);
    else return false;
    return true;
  }

  /** Goes to the version before (-1) or after (1) this one. */
  turnTo(step) {
    const { ids, at } = versions(this.session.chat, this.message.id);
    if (ids[at + step]) this.session.choose(ids[at + step]);
  }

  render() {
    const { message } = this, asked = message.role === "user";
    return html`
      <div class="margin"><h2>${asked ? "You" : message.model}</h2>${asked ? html`<span>${clock(message.time)}</span>` : this.#facts()}</div>
      <div class="body">
        ${this.editing ? this.#editor() : asked ? html`<p class="ask">${message.text}</p>` : this.#answer()}
        ${asked ? nothing : this.#note()}
        ${this.editing || message.state === "writing" ? nothing : this.#tools(asked)}
      </div>`;
  }

  #answer() {
    const { session, message } = this;
    if (!message.paint) return html`<ink-prose .message=${message}></ink-prose>`;
    return session.painting.enabled ? html`<ink-painted .painting=${session.painting} .message=${message} .prompt=${orderIn(find(session.chat, message.parent)?.text ?? "") ?? ""}></ink-painted>` : html`<p class="quiet">A picture, which this server does not keep.</p>`;
  }

  updated() {
    if (this.editing && !this.#editing) {
      const area = this.querySelector("textarea");
      area.focus();
      area.setSelectionRange(area.value.length, area.value.length);
    }
    this.#editing = this.editing;
  }

  #facts() {
    const { state, time, facts = {} } = this.message, waited = Math.round((Date.now() - time) / 1000);
    if (state === "writing" && !facts.first) return waited > 1 ? html`<span>reading, ${waited} s</span>` : html`<span>reading</span>`;
    return html`
      ${facts.rate ? html`<span>${rate(facts.rate)}</span>` : nothing}
      ${facts.tokens ? html`<span>${tokens(facts.tokens)}</span>` : nothing}
      ${facts.first ? html`<span>first in ${seconds(facts.first)}</span>` : nothing}`;
  }

  #tools(asked) {
    const { session, message } = this, { ids, at } = versions(session.chat, message.id);
    const tool = (name, label, action) => html`<button class="btn ghost" type="button" @click=${action}>${icon(name)}${label}</button>`;
    const turner = (name, label, step) => html`<button class="btn ghost icon-only" type="button" aria-label=${label} aria-disabled=${!ids[at + step]}
      @click=${() => this.turnTo(step)}>${icon(name)}</button>`;
    return html`<div class="tools">
      ${message.state === "stopped" ? html`<span class="fact">stopped by you</span>` : nothing}
      ${message.state === "stopped" && message.text && this.#last && !session.writing ? tool("play", "Continue", () => session.resume(message.id)) : nothing}
      ${asked ? tool("edit", "Edit", () => session.startEditing(message.id)) : nothing}
      ${message.text ? tool("copy", "Copy", () => this.#copy()) : nothing}
      ${asked || session.writing || this.#action?.[0] === "Try again" ? nothing : tool("again", "Try again", () => session.retry(message.id))}
      ${tool("bin", "Delete", () => this.#remove())}
      ${ids.length > 1 ? html`<span class="branch" role="group" aria-label="Versions">
        ${turner("left", "Previous version", -1)}<span>${at + 1} of ${ids.length}</span>${turner("right", "Next version", 1)}</span>` : nothing}
    </div>`;
  }

  /* What went wrong, in one sentence with the one action that helps. */
  #note() {
    const { state, error, facts, text } = this.message;
    if (this.#action === undefined) return nothing;
    const [action, run] = this.#action, possible = !this.session.writing && (state !== "length" || this.#last);
    const sentence = this.#full ? html`This chat has reached ${this.#contextLength}, the most this model can hold.`
      : state === "length" ? html`The answer stopped at its longest length, ${tokens(facts.tokens)}.`
      : error.kind === "busy" ? html`The model is busy with other answers${error.retryAfter ? html`; it should be free in about ${error.retryAfter} s` : nothing}.`
      : error.kind === "gone" ? (text ? "The server on this machine stopped in the middle of this answer." : "The server on this machine does not answer.")
      : html`The server did not accept this: ${error.message}.`;
    return html`<div class="note ${state === "length" ? "warn" : "bad"}" role=${state === "failed" ? "alert" : nothing}>${icon("warn")}<p>${sentence}</p>
      ${possible ? html`<div class="btns"><button class="btn" type="button" @click=${run}>${action}</button></div>` : nothing}</div>`;
  }

  get #contextLength() {
    const length = this.session.studio?.model?.contextLength;
    return length ? tokens(length) : "its full length";
  }

  get #full() {
    const { state, error, facts } = this.message;
    return state === "failed" ? error.kind === "full" : state === "length" && facts.total >= this.session.studio?.model?.contextLength;
  }

  get #action() {
    const { message, session } = this;
    if (this.#full) return ["New chat", () => this.emit("new-chat")];
    if (message.state === "length") return ["Continue", () => session.resume(message.id)];
    if (message.state === "failed") return ["Try again", () => session.retry(message.id)];
    return undefined;
  }

  /* Nothing follows: only here can the text be added to. */
  get #last() {
    return children(this.session.chat, this.message.id).length === 0;
  }

  #editor() {
    const { session, message } = this;
    const submit = event => {
      event?.preventDefault();
      const text = this.querySelector("textarea").value.trim();
      if (text) session.edit(message.id, text);
    };
    const close = () => { session.startEditing(0); this.updateComplete.then(() => this.focus()); };
    const key = event => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
      if (event.key === "Escape" && !event.isComposing) { event.stopPropagation(); close(); }
    };
    return html`<form class="composer editor" @submit=${submit}>
      <textarea aria-label="Edit your message" rows="1" .value=${message.text} @keydown=${key}></textarea>
      <div class="row"><span class="tiny quiet">The first version is kept.</span>
        <div class="end"><button class="btn ghost" type="button" @click=${close}>Cancel</button><button class="btn primary" type="submit">Send</button></div></div>
    </form>`;
  }

  async #copy() {
    await copy(this.message.text);
    this.emit("toast", { text: "Copied" });
  }

  #remove() {
    const undo = this.session.remove(this.message.id);
    this.emit("toast", { text: this.message.role === "user" ? "Question and what followed deleted" : "Answer deleted", undo });
  }
}

customElements.define("ink-turn", Turn);
