// <ink-versus>: talk to both. One question, the same seed, and what the model answered before and answers now.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { ChatError } from "./api.js";
import { TrainingElement } from "./element.js";
import { count, perplexity } from "./format.js";
import { icon } from "./icon.js";

class Versus extends TrainingElement {
  static properties = { job: { attribute: false }, questions: { attribute: false }, said: { state: true }, answers: { state: true }, problem: { state: true }, draft: { state: true } };

  #abort = null;
  #next = 0;

  constructor() {
    super();
    this.said = "";         // the question that was asked
    this.answers = null;    // { base, tuned }
    this.problem = "";
    this.draft = "";
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#abort?.abort();
  }

  render() {
    const { job, answers } = this, { progress: p } = job, writing = this.#abort !== null;
    return html`<div class="card-head"><h2 id="versus-title">Talk to both</h2><span class="small quiet">same question, same seed</span>
        ${this.questions.length ? html`<button class="btn ghost end" type="button" @click=${this.#another}>${icon("dice")}${this.said ? "Another question" : "A question"}</button>` : nothing}</div>
      <form class="row ask-both" @submit=${this.#submit}><label class="sr" for="both">A question for both</label>
        <input class="input" id="both" autocomplete="off" placeholder="Ask something" .value=${live(this.draft)} @input=${event => { this.draft = event.target.value; }}>
        ${writing ? html`<button class="btn" type="button" @click=${() => this.#stop()}>${icon("stop")}Stop</button>` : html`<button class="btn primary" type="submit">${icon("send")}Ask</button>`}</form>
      ${this.problem ? html`<div class="note bad" role="alert">${icon("warn")}<p>${this.problem}</p></div>` : nothing}
      ${answers ? html`<p class="said">${this.said}</p><div class="versus" aria-busy=${writing}>
        ${this.#side(this.#base, answers.base, p.firstValidation, false, writing && answers.tuned === "")}
        ${this.#side(`Tuned, step ${count(job.resultStep)}`, answers.tuned, p.bestValidation, true, writing && answers.tuned !== "")}</div>` : nothing}
      <div class="sr" role="status">${answers ? (writing ? "Both are answering." : "Both have answered.") : nothing}</div>`;
  }

  get #base() {
    return this.training.about?.models.find(({ id }) => id === this.job.settings.model)?.name ?? "Before";
  }

  #side(name, text, validation, tuned, alive) {
    return html`<div><h3>${tuned ? html`<span class="drop"></span>` : nothing}${name}</h3><p>${text}${alive ? html`<span class="nib" aria-hidden="true"></span>` : nothing}</p>
      ${validation === null ? nothing : html`<p class="meta">perplexity ${perplexity(validation)}</p>`}</div>`;
  }

  #another() {
    this.#ask(this.questions[this.#next++ % this.questions.length]);
  }

  #submit(event) {
    event.preventDefault();
    if (this.draft.trim()) this.#ask(this.draft.trim());
  }

  #stop() {
    this.#abort?.abort();
    this.#abort = null;
    this.requestUpdate();
  }

  async #ask(prompt) {
    this.#stop();
    const abort = this.#abort = new AbortController();
    this.said = this.draft = prompt;
    this.answers = { base: "", tuned: "" };
    this.problem = "";
    try {
      for await (const { side, text } of this.training.compare(this.job.id, { prompt, seed: 0 }, abort.signal)) {
        if (abort !== this.#abort) return;
        this.answers = { ...this.answers, [side]: this.answers[side] + text };
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ChatError)) throw error;
      this.problem = error.kind === "gone" ? "The server on this machine does not answer." : error.message;
    } finally {
      if (abort === this.#abort) this.#abort = null;
      this.requestUpdate();
    }
  }
}

customElements.define("ink-versus", Versus);
