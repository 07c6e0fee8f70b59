// <ink-train>: the place for training: one job, or a new one. <ink-jobs>: the list of jobs beside it.

import { html, nothing } from "lit";
import { ChatError } from "./api.js";
import { TrainingElement } from "./element.js";
import { icon } from "./icon.js";
import { chip } from "./job.js";
import { Training } from "./training.js";
import "./newjob.js";

class Train extends TrainingElement {
  static properties = { at: { attribute: false } };

  /** at: "" the newest job, "new" or a job's id. */
  constructor() {
    super();
    this.at = "";
  }

  get #shown() {
    const { jobs, running } = this.training;
    if (this.at === "new" || !jobs) return undefined;
    return this.at ? jobs.find(({ id }) => id === this.at) : running ?? jobs[0];
  }

  willUpdate() {
    this.training.open(this.#shown?.id ?? "");
  }

  render() {
    const { training } = this, { jobs } = training, job = this.#shown;
    const fresh = this.at === "new" || jobs?.length === 0;
    return html`<div class="page train">
      <header class="page-head"><div><h1>Train</h1><p>Teach a model from your own examples, and see whether it learns or only memorises.</p></div>
        <div class="end">${fresh ? nothing : html`<a class="btn primary" href="#train/new">${icon("plus")}New job</a>`}
          <button class="btn ghost icon-only phone-only" type="button" data-theme-toggle aria-label="Switch between light and dark">${icon("theme")}</button></div></header>
      ${fresh ? html`<ink-new-job .training=${training}></ink-new-job>`
        : !jobs ? html`<p class="quiet">Looking for jobs.</p>`
        : !job ? html`<section class="empty"><h2>This job is not here any more</h2><p>It was deleted, here or in another tab.</p><a class="btn" href="#train">All jobs</a></section>`
        : html`<ink-job class="grid" .training=${training} .job=${job}></ink-job>`}
      ${jobs?.length ? html`<nav class="card phone-only" aria-label="Jobs"><h2>Jobs</h2><ink-jobs .training=${training} .at=${job?.id ?? this.at}></ink-jobs></nav>` : nothing}
    </div>`;
  }
}

class JobList extends TrainingElement {
  static properties = { at: { attribute: false } };

  render() {
    const jobs = this.training.jobs ?? [];
    return html`<ul @keydown=${this.#key}>${jobs.map(job => html`<li><div class="conv" ?data-open=${job.id === this.at}>
      <a href="#train/${job.id}" data-id=${job.id} aria-current=${job.id === this.at ? "page" : nothing}><span>${job.settings.title}</span>
        ${job.state === "running" ? html`<span class="live"><span class="drop"></span>${Training.percent(job)}%</span>` : job.state === "finished" ? nothing : chip(job)}</a></div></li>`)}</ul>`;
  }

  /* Space pauses and continues, arrows move. */
  #key(event) {
    const row = event.target.closest("[data-id]"), rows = [...this.querySelectorAll("[data-id]")], step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!row) return;
    if (step) rows[rows.indexOf(row) + step]?.focus();
    else if (event.key === " ") this.#toggle(this.training.jobs.find(({ id }) => id === row.dataset.id));
    else return;
    event.preventDefault();
  }

  async #toggle({ id, state }) {
    const action = { running: "pause", waiting: "pause", paused: "resume", interrupted: "resume", failed: "resume" }[state];
    if (!action) return;
    try {
      await this.training.act(id, action);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.emit("toast", { text: error.message });
    }
  }
}

customElements.define("ink-train", Train);
customElements.define("ink-jobs", JobList);
