// <ink-job>: one job: how far it is, its chart and what that means, its data, and what it has learned.

import { html, nothing } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { ChatError } from "./api.js";
import { TrainingElement } from "./element.js";
import { ago, bytes, count, left, loss, parameters, perplexity, speed } from "./format.js";
import { icon } from "./icon.js";
import { methodOf } from "./methods.js";
import { reportView } from "./report.js";
import "./chart.js";
import "./versus.js";

const CHIPS = {
  waiting: ["", "Waiting"], running: ["live", "Running"], stopping: ["live", "Stopping"], paused: ["", "Paused"], interrupted: ["warn", "Interrupted"],
  finished: ["ok", "Finished"], failed: ["bad", "Failed"], cancelled: ["", "Cancelled"],
};
const SAMPLES = 6;   // shown at once

/** The state of a job as a chip. */
export function chip({ state }) {
  const [kind, text] = CHIPS[state], mark = { live: html`<span class="drop"></span>`, ok: icon("ok"), bad: icon("warn"), warn: icon("warn") }[kind] ?? nothing;
  return html`<span class="chip ${kind}">${mark}${text}</span>`;
}

class JobPage extends TrainingElement {
  static properties = { job: { attribute: false }, report: { state: true }, carried: { state: true }, exporting: { state: true }, kinds: { state: true }, all: { state: true } };

  #for = "";

  constructor() {
    super();
    this.#reset();
  }

  #reset() {
    this.report = null;
    this.carried = "";     // the insight that was waved through
    this.exporting = "";
    this.kinds = null;
    this.all = false;
  }

  willUpdate() {
    if (this.job.id !== this.#for) {
      this.#for = this.job.id;
      this.#reset();
      this.#quietly(async id => { const report = await this.training.reportOf(id); if (this.#for === id) this.report = report; });
    }
    if (this.job.resultStep && !this.kinds) {
      this.kinds = [];
      this.#quietly(async id => { const kinds = await this.training.exports(id); if (this.#for === id) this.kinds = kinds; });
    }
  }

  /* What the page can do without: nothing is said where it does not come. */
  async #quietly(work) {
    try {
      await work(this.job.id);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
    }
  }

  render() {
    const { job, training } = this, { curve } = training, { progress } = job;
    if (!curve) return nothing;   // deleted a moment ago: the page goes on to another
    return html`${this.#row()}
      <section class="card loss" aria-labelledby="loss-title">${keyed(job.id, html`<ink-chart .curve=${curve} .steps=${progress.steps} .memorising=${progress.insight?.kind === "memorising"}></ink-chart>`)}</section>
      <div class="aside">${this.#insight()}${this.#facts()}</div>
      <div class="known stack">${this.#result()}<section class="card data" aria-label="Data">${reportView(this.report, job.data)}</section></div>
      <div class="answers stack">${job.resultStep ? html`<section class="card" aria-labelledby="versus-title">${keyed(job.id, html`<ink-versus .training=${training} .job=${job}
          .questions=${this.report?.questions?.length ? this.report.questions : [...new Set(curve.samples.map(({ prompt }) => prompt))]}></ink-versus>`)}</section>` : nothing}${this.#samples()}</div>`;
  }

  updated() {
    this.querySelector("ink-chart")?.requestUpdate();   // the curve is the same object with more in it
  }

  // The job's row

  #row() {
    const { job } = this, { progress: p } = job, { title } = job.settings, going = job.state === "running" || job.state === "stopping";
    const facts = [p.what || `${methodOf(job.settings)}`, p.steps ? `step ${count(p.step)} of ${count(p.steps)}` : nothing, going && p.tokensPerSecond ? `${speed(p.tokensPerSecond)} tokens a second` : nothing].filter(each => each !== nothing);
    const aside = job.state === "running" && p.secondsLeft ? left(p.secondsLeft)
      : job.state === "waiting" ? (job.after ? `starts after ${job.after}` : "starts at once")
      : p.savedStep && !going ? `saved at step ${count(p.savedStep)}, ${ago(p.savedAt)}` : "";
    return html`<article class="card job" aria-label=${title}><h2>${title} ${chip(job)}</h2><div class="btns">${this.#buttons()}</div>
      ${p.steps ? html`<progress class=${going ? "" : "paused"} max=${p.steps} value=${p.step} aria-label="Step ${count(p.step)} of ${count(p.steps)}"></progress>` : nothing}
      <p class="small muted num">${facts.join(" · ")}</p><p class="small muted num nowrap push">${aside}</p>
      ${job.problem ? html`<p class="wide bad-text">${icon("warn")}${job.problem[0].toUpperCase()}${job.problem.slice(1)}</p>` : nothing}</article>`;
  }

  #buttons() {
    const { job } = this, button = (name, symbol, action, kind = "") => html`<button class="btn ${kind}" type="button" @click=${action}>${icon(symbol)}${name}</button>`;
    const act = name => () => this.#act(name);
    switch (job.state) {
      case "waiting": return html`${button("Pause", "pause", act("pause"))}${button("Cancel", "x", () => this.#cancel(), "ghost")}`;
      case "running": return html`${button("Pause", "pause", act("pause"))}${button("Cancel", "x", () => this.#cancel(), "ghost")}`;
      case "stopping": return button("Cancel", "x", () => this.#cancel(), "ghost");
      case "paused": case "interrupted": case "failed":
        return html`${button(job.progress.savedStep ? `Continue from step ${count(job.progress.savedStep)}` : "Continue", "play", act("resume"), "primary")}
          ${job.resultStep ? button("Finish", "ok", act("finish"), "ghost") : nothing}${button("Cancel", "x", () => this.#cancel(), "ghost")}${button("Delete", "bin", () => this.#delete(), "ghost")}`;
      case "cancelled": return html`${job.undoUntil > Date.now() ? button("Undo", "again", act("undo")) : nothing}${button("Delete", "bin", () => this.#delete(), "ghost")}`;
      default: return button("Delete", "bin", () => this.#delete(), "ghost");
    }
  }

  async #act(name) {
    try {
      await this.training.act(this.job.id, name);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #cancel() {
    const { id } = this.job;
    await this.#act("cancel");
    this.emit("toast", { text: "Job cancelled", undo: this.#undo(id), shown: 1000 * (this.training.about?.undoSeconds ?? 10) });
  }

  async #delete() {
    const { id } = this.job;
    try {
      await this.training.remove(id);
    } catch (error) {
      return this.#failed(error);
    }
    this.emit("toast", { text: "Job deleted", shown: 1000 * (this.training.about?.undoSeconds ?? 10), undo: this.#undo(id, () => { location.hash = `train/${id}`; }) });
    location.hash = "train";
  }

  /* Works also when this job's page is long gone. */
  #undo(id, then) {
    const { training } = this, page = this.closest("ink-app");
    return async () => {
      try {
        await training.act(id, "undo");
        then?.();
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
        page.dispatchEvent(new CustomEvent("toast", { detail: { text: error.message } }));
      }
    };
  }

  #failed(error) {
    if (!(error instanceof ChatError)) throw error;
    this.emit("toast", { text: error.kind === "gone" ? "The server on this machine does not answer" : error.message });
  }

  // What it means

  #insight() {
    const { job } = this, { insight } = job.progress, going = job.state === "running";
    if (!insight || this.carried === insight.kind) return nothing;
    const kind = { memorising: "warn", too_fast: "warn", not_a_number: "bad" }[insight.kind] ?? "", best = insight.bestStep;
    const stop = (label, action) => html`<button class="btn ${kind ? "primary" : ""}" type="button" @click=${() => this.#act(action)}>${label}</button>`;
    const keeps = ["memorising", "flat"].includes(insight.kind) && best > 0;
    return html`<section class="note insight ${kind}" aria-labelledby="insight-title">${icon("bulb")}<h2 id="insight-title">${insight.title}</h2><p>${insight.text}</p>
      ${going ? html`<div class="btns">${keeps ? stop(`Stop and keep step ${count(best)}`, "finish") : kind ? stop("Stop", "pause") : nothing}
        <button class="btn ghost" type="button" @click=${() => { this.carried = insight.kind; }}>${keeps || kind ? "Carry on" : "Dismiss"}</button></div>` : nothing}</section>`;
  }

  #facts() {
    const { progress: p } = this.job, memory = p.predictedBytes ? bytes(p.predictedBytes).split(" ") : null;
    const fact = (name, value, small) => html`<div><dt>${name}</dt><dd>${value} ${small ? html`<small>${small}</small>` : nothing}</dd></div>`;
    return html`<dl class="facts card">
      ${fact("Perplexity", perplexity(p.bestValidation ?? p.validation), p.firstValidation !== null ? `was ${perplexity(p.firstValidation)}` : "held-out")}
      ${fact("Loss", loss(p.loss), "training, last step")}
      ${p.parameters ? fact("Learns", parameters(p.trainable), `of ${parameters(p.parameters)} weights`) : nothing}
      ${memory ? fact("Memory", memory[0], `${memory[1]}, predicted`) : nothing}</dl>`;
  }

  // What it has learned

  #samples() {
    const { samples } = this.training.curve;
    if (!samples.length) return nothing;
    const shown = this.all ? samples : samples.slice(-SAMPLES);
    return html`<section class="card samples" aria-labelledby="samples-title"><div class="card-head"><h2 id="samples-title">What it writes</h2><span class="small quiet">the newest first</span></div>
      <ol>${shown.toReversed().map(({ step, prompt, text }) => html`<li><span class="small quiet num">step ${count(step)}</span><div><p class="said">${prompt}</p><p class="written">${text}</p></div></li>`)}</ol>
      ${samples.length > SAMPLES && !this.all ? html`<button class="btn ghost" type="button" @click=${() => { this.all = true; }}>Show all ${count(samples.length)}</button>` : nothing}</section>`;
  }

  #result() {
    const { job } = this;
    if (!job.resultStep) return nothing;
    return html`<section class="card result" aria-labelledby="result-title"><h2 id="result-title">The model of step ${count(job.resultStep)}</h2>
      <div class="btns">${job.loaded ? html`<a class="btn primary" href="/#">${icon("chat")}Chat with it</a><button class="btn ghost" type="button" @click=${() => this.#load("unload")}>Back to the base model</button>`
        : html`<button class="btn primary" type="button" @click=${() => this.#load("load")}>${icon("chat")}Load into chat</button>`}</div>
      ${this.kinds?.length ? html`<ul class="exports">${this.kinds.map(({ id, name, about }) => html`<li><button class="btn" type="button" ?disabled=${this.exporting !== ""} @click=${() => this.#export(id)}>
        ${icon("down")}${this.exporting === id ? `Writing ${name}` : name}</button><span class="small quiet">${about}</span></li>`)}</ul>` : nothing}</section>`;
  }

  async #load(action) {
    await this.#act(action);
    this.emit("model-changed");
    if (this.job.loaded) this.emit("toast", { text: `The chat now answers as ${this.job.settings.title}` });
  }

  /* The browser itself downloads the file: it may be larger than a page can hold. */
  async #export(kind) {
    this.exporting = kind;
    try {
      const { url, file } = await this.training.export(this.job.id, kind);
      Object.assign(document.createElement("a"), { href: url, download: file }).click();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.exporting = "";
    }
  }
}

customElements.define("ink-job", JobPage);
