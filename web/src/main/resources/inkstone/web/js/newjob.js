// <ink-new-job>: what to learn from, which model learns, and what it will take. Everything else is folded away, and a closed fold says what it holds.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { ChatError } from "./api.js";
import { TrainingElement } from "./element.js";
import { bytes, count, learningRate, short } from "./format.js";
import { icon } from "./icon.js";
import { METHODS } from "./methods.js";
import { reportView } from "./report.js";
import { typed } from "./typed.js";

const CALM = 350;   // milliseconds without a change before the server is asked what a job would take
const NUMBERS = {
  rank: ["Rank", 1, 1024, 1, "Larger learns more detail and takes more memory."],
  alpha: ["Alpha", 0, 100000, "any", "How strongly the addition counts; twice the rank is usual."],
  dropout: ["Dropout", 0, 0.9, "any", "Share of the addition left out at random in each step, against memorising."],
  epochs: ["Epochs", 0.01, 1000, "any", "How many times it sees each example."],
  maxSteps: ["Most steps", 0, 10000000, 1, "0: as many as the epochs make."],
  learningRate: ["Learning rate", 1e-9, 1, "any", "How far each step goes."],
  batchTokens: ["Tokens a step", 16, 1048576, 1, "Batch size. More is steadier and slower."],
  context: ["Longest example, in tokens", 0, 1048576, 1, "0: what the model and the data allow."],
  validationShare: ["Held-out share", 0, 0.5, "any", "Kept apart, to see whether it learns or memorises."],
  seed: ["Seed", 0, Number.MAX_SAFE_INTEGER, 1, "The same seed gives the same run."],
};

class NewJob extends TrainingElement {
  static properties = { file: { state: true }, sending: { state: true }, report: { state: true }, plan: { state: true }, problem: { state: true }, over: { state: true }, starting: { state: true } };

  #chosen = {};          // what someone changed; the rest are the server's defaults, which the plan tells
  #timer = 0;
  #asking = null;

  constructor() {
    super();
    this.file = null;    // { id, name, bytes }
    this.sending = null; // { name, part } while a file is on its way
    this.report = null;
    this.plan = null;
    this.problem = "";
    this.over = false;
    this.starting = false;
  }

  get #model() {
    const models = this.training.about?.models ?? [];
    return models.find(({ id }) => id === this.#chosen.model) ?? models[0];
  }

  get #method() {
    const methods = this.#model?.methods ?? [];
    return methods.includes(this.#chosen.method) ? this.#chosen.method : methods[0];
  }

  get #settings() {
    return { ...this.#chosen, title: this.#chosen.title?.trim() || undefined, model: this.#model?.id, method: this.#method, data: this.file?.id };
  }

  render() {
    return html`<form class="new" @submit=${this.#start} @keydown=${this.#key} aria-label="New job">
      <div class="stack">${this.#data()}</div>
      <div class="stack">${this.#choices()}</div></form>`;
  }

  // What to learn from

  #data() {
    const about = this.training.about;
    if (!this.file) {
      return html`<section class="empty dropzone" ?data-over=${this.over} @dragover=${this.#drag} @dragleave=${() => { this.over = false; }} @drop=${this.#drop} aria-labelledby="drop-title">
        ${icon("open")}<h2 id="drop-title">Your examples</h2>
        ${this.sending ? html`<p>Sending ${this.sending.name}, ${Math.round(100 * this.sending.part)}%</p><progress max="1" value=${this.sending.part} aria-label="Sent"></progress>` : html`
          <p>Drop a file here: chats, instructions, pairs, a table or plain text. One example a line (JSONL, CSV), or a text file. Nothing leaves this machine.</p>
          <label class="btn primary file">Choose a file<input class="sr" type="file" accept=".jsonl,.json,.csv,.tsv,.txt,.md,text/*,application/json" @change=${event => this.#send(event.target.files[0])}></label>
          ${about?.samples.map(sample => html`<p class="small quiet">or try a sample: <button class="plain" type="button" @click=${() => this.#sample(sample)}>${sample.name}</button><br>${sample.about}</p>`) ?? nothing}`}
        ${this.#note()}</section>`;
    }
    return html`<section class="card data" aria-live="polite">${reportView(this.report, this.file.name, format => this.#set("format", format))}
      ${this.#note()}
      <div class="btns"><button class="btn ghost" type="button" @click=${this.#another}>${icon("again")}Another file</button></div></section>`;
  }

  #note() {
    return this.problem ? html`<div class="note bad" role="alert">${icon("warn")}<p>${this.problem}</p></div>` : nothing;
  }

  #drag(event) {
    event.preventDefault();
    this.over = true;
  }

  #drop(event) {
    event.preventDefault();
    this.over = false;
    this.#send(event.dataTransfer.files[0]);
  }

  async #send(file) {
    if (!file) return;
    const most = this.training.about?.fileBytes;
    if (file.size > most) {
      this.problem = `${file.name} has ${bytes(file.size)}; at most ${bytes(most)} can be sent here. Split it, or train at the terminal.`;
      return;
    }
    this.sending = { name: file.name, part: 0 };
    await this.#take(this.training.upload(file, part => { this.sending = { name: file.name, part }; }));
  }

  #sample({ id, name }) {
    this.sending = { name, part: 0 };
    return this.#take(this.training.sample(id));
  }

  async #take(coming) {
    this.problem = "";
    try {
      this.file = await coming;
      await this.training.asked;   // a file may be here before the models are, and examples are read as a model sees them
      this.#changed(["report", "plan"]);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.sending = null;
    }
  }

  #another() {
    this.file = this.report = this.plan = null;
    this.problem = "";
    this.#asking?.abort();
    delete this.#chosen.format;
  }

  // Who learns, and how

  #choices() {
    const { about } = this.training, model = this.#model, method = this.#method;
    if (!about) return nothing;
    if (!model) return html`<section class="card"><h2>No model to tune</h2><p class="small">Start Inkstone with a language model, and it can be tuned here.</p></section>`;
    return html`<section class="card choices" aria-labelledby="model-title">
      <h2 class="sr" id="model-title">The model and how it learns</h2>
      <div class="field"><label for="base">Base model</label><select class="input" id="base" @change=${event => this.#set("model", event.target.value)}>
        ${about.models.map(({ id, name, format, bytes: size }) => html`<option value=${id} ?selected=${id === model.id}>${name} (${format}, ${bytes(size)})</option>`)}</select></div>
      <fieldset class="methods"><legend>Method</legend>${model.methods.map(id => html`<label class="method"><input type="radio" name="method" value=${id} .checked=${live(id === method)}
        @change=${() => this.#set("method", id)}><span><b>${METHODS[id].name}</b> <span class="quiet">${METHODS[id].says}</span></span></label>`)}</fieldset>
      <div class="field"><label for="title">Name of the job</label><input class="input" id="title" maxlength="120" autocomplete="off" placeholder=${this.file?.name.replace(/\.\w{1,8}$/, "") ?? "as the file"}
        .value=${live(this.#chosen.title ?? "")} @input=${event => { this.#chosen.title = event.target.value; }}></div>
      ${METHODS[method].adapter ? this.#fold("Adapter", ["rank", "alpha", "dropout"], now => `rank ${now.rank}, alpha ${now.alpha}, dropout ${now.dropout}`) : nothing}
      ${this.#fold("Steps", ["epochs", "maxSteps", "learningRate", "batchTokens"], (now, plan) => `${plan.steps ? `${count(plan.steps)} steps, ` : ""}learning rate ${learningRate(now.learningRate)}`)}
      ${this.#fold("Data", ["validationShare", "context", "seed"], now => `${Math.round(100 * now.validationShare)}% held out, seed ${now.seed}`)}
      ${this.#takes()}
      <div class="btns"><button class="btn primary" type="submit" ?disabled=${!this.file || !this.plan || this.plan.problem !== null || this.starting}>${icon("play")}Start <kbd class="desk-only">Ctrl Enter</kbd></button>
        ${this.training.jobs?.length ? html`<a class="btn ghost" href="#train">Not now</a>` : nothing}</div>
    </section>`;
  }

  #fold(name, keys, sum) {
    const now = this.plan?.settings, changed = keys.some(key => key in this.#chosen);
    return html`<details class="fold"><summary>${name} ${changed ? html`<span class="dot"></span><span class="sr">changed</span>` : nothing}<span class="sum">${now ? sum(now, this.plan) : "as usual"}</span></summary>
      <div class="pairs">${keys.map(key => this.#number(key, now))}</div></details>`;
  }

  #number(key, now) {
    const [label, min, max, step, hint] = NUMBERS[key];
    return html`<div class="field"><label for="job-${key}"><span>${label} ${key in this.#chosen ? html`<span class="dot"></span><span class="sr">changed</span>` : nothing}</span></label>
      <input class="input" id="job-${key}" type="number" min=${min} max=${max} step=${step} aria-describedby="job-${key}-hint" .value=${typed(String(this.#chosen[key] ?? now?.[key] ?? ""))}
        @change=${event => this.#set(key, event.target.value === "" || !event.target.validity.valid ? undefined : event.target.valueAsNumber)}>
      <span class="hint" id="job-${key}-hint">${hint}</span></div>`;
  }

  #takes() {
    const { plan } = this;
    if (!this.file) return html`<p class="small quiet">Memory and steps are reckoned when there are examples.</p>`;
    if (!plan) return html`<p class="small quiet">Reckoning what this takes.</p>`;
    const needs = `needs ${bytes(plan.memoryNeeded)} of ${bytes(plan.memoryFree)}`;
    return html`<div class="takes" role="status"><p class="small"><span class="chip ${plan.problem ? "bad" : "ok"}">${icon(plan.problem ? "warn" : "ok")}${needs}</span>
        <span class="quiet">${count(plan.steps)} steps; learns ${short(plan.trainable)} of ${short(plan.parameters)} weights</span></p>
      <meter min="0" max=${plan.memoryFree} high=${0.9 * plan.memoryFree} optimum="0" value=${plan.memoryNeeded} aria-label="Memory: ${needs}"></meter>
      ${plan.problem ? html`<p class="small">${plan.problem[0].toUpperCase()}${plan.problem.slice(1)}</p>` : html`<p class="small quiet">The chat goes on meanwhile; both are slower then.</p>`}</div>`;
  }

  #set(key, value) {
    if (value === undefined) delete this.#chosen[key]; else this.#chosen[key] = value;
    this.#changed(["model", "method", "format", "validationShare", "context", "seed"].includes(key) ? ["report", "plan"] : ["plan"]);
  }

  /* Asks again what depends on the change. The old answers stay in view until the new ones are there. */
  #changed(what) {
    this.requestUpdate();
    if (!this.file) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      this.#asking?.abort();
      const asking = this.#asking = new AbortController();
      try {
        for (const each of what) this[each] = await this.training[each](this.#settings, asking.signal);
        this.problem = "";
      } catch (error) {
        if (error.name === "AbortError") return;
        this.plan = null;
        this.#failed(error);
      }
    }, this.plan ? CALM : 0);
  }

  #key(event) {
    if (event.key !== "Enter") return;
    const starts = event.ctrlKey || event.metaKey;
    if (event.target.matches("input:not([type=radio], [type=file])")) { event.preventDefault(); event.target.dispatchEvent(new Event("change")); }   // what is being typed counts; Enter alone must not start hours of work
    if (starts) this.#start(event);
  }

  async #start(event) {
    event.preventDefault();
    if (!this.file || !this.plan || this.plan.problem || this.starting) return;
    this.starting = true;
    try {
      const job = await this.training.create(this.#settings);
      location.hash = `train/${job.id}`;
    } catch (error) {
      this.#failed(error);
    } finally {
      this.starting = false;
    }
  }

  #failed(error) {
    if (!(error instanceof ChatError)) throw error;
    this.problem = error.kind === "gone" ? "The server on this machine does not answer." : `${error.message[0].toUpperCase()}${error.message.slice(1)}.`.replace(/\.\.$/, ".");
  }
}

customElements.define("ink-new-job", NewJob);
