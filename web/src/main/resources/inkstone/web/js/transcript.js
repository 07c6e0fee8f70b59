// <ink-transcript>: the branch being read. The view follows the end of a growing answer until the reader scrolls up.

import { html, nothing } from "lit";
import { path } from "./conversation.js";
import { SessionElement } from "./element.js";
import { icon } from "./icon.js";
import "./turn.js";

const NEAR = 48;   // pixels from the end that still count as the end

class Transcript extends SessionElement {
  static properties = { following: { state: true } };

  #chatId = "";
  #grown = new ResizeObserver(() => { if (this.following) this.toEnd(); });

  #follow = () => { this.following = true; };

  constructor() {
    super();
    this.following = true;
  }

  connectedCallback() {
    super.connectedCallback();
    this.session.addEventListener("writing", this.#follow);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.session.removeEventListener("writing", this.#follow);
  }

  render() {
    const { chat } = this.session, messages = path(chat);
    if (chat.id !== this.#chatId) this.following = true;
    this.#chatId = chat.id;
    // Keyed by place, not by id: going to another version keeps the focus on the button that was pressed.
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label="Conversation" @scroll=${this.#scrolled}>
        ${messages.length === 0 ? this.#empty() : html`<ol>${messages.map(message => html`
          <li><ink-turn class="turn ${message.state === "writing" ? "live" : ""}" role="article" tabindex="-1" aria-label=${message.role === "user" ? "Question" : "Answer"}
            .session=${this.session} .message=${message}></ink-turn></li>`)}</ol>`}
      </div>
      ${this.following || messages.length === 0 ? nothing : html`<button class="btn to-end" type="button" @click=${() => this.toEnd()}>${icon("end")}To the end</button>`}`;
  }

  updated() {
    const list = this.querySelector("ol");
    this.#grown.disconnect();
    if (list) this.#grown.observe(list);
    for (const turn of this.turns) turn.requestUpdate();   // not by themselves: they would still hold a message that is gone
  }

  toEnd() {
    const scroll = this.querySelector(".scroll");
    scroll.scrollTop = scroll.scrollHeight;
    this.following = true;
  }

  get turns() {
    return [...this.querySelectorAll("ink-turn")];
  }

  /** Moves the focus to the next (1) or previous (-1) message. */
  step(by) {
    const { turns } = this, at = turns.indexOf(document.activeElement?.closest("ink-turn"));
    const next = turns[at < 0 ? (by > 0 ? 0 : turns.length - 1) : at + by];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  #scrolled(event) {
    const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
    this.following = scrollHeight - scrollTop - clientHeight < NEAR;
  }

  #empty() {
    const model = this.session.studio?.model;
    if (!model) return nothing;
    const samples = model.embedded ? ["Who are you?", "Tell me a story about a fox.", "What can you do?"]
      : [model.chatTemplate ? "Explain softmax to a cook, in three sentences." : "Once upon a time"];
    return html`<section class="empty" aria-labelledby="nothing-yet">
      ${icon("chat")}
      <h2 id="nothing-yet">Nothing written yet</h2>
      ${model.embedded ? html`<p>${model.id} is ready: a very small model that comes with Inkstone and runs offline. It chats a little, tells short stories, and makes mistakes.</p>
          <p class="small">For a larger model, start Inkstone with <code>./inkstone serve -m model.gguf</code></p>`
        : model.chatTemplate ? html`<p>${model.id} is ready. What you write stays on this machine.</p>`
        : html`<p>${model.id} continues text: it was not taught to answer. Write how a text begins, and it goes on from there.</p>`}
      <div class="btns">${samples.map(sample => html`<button class="btn" type="button" @click=${() => this.session.send(sample)}>${sample}</button>`)}</div>
    </section>`;
  }
}

customElements.define("ink-transcript", Transcript);
