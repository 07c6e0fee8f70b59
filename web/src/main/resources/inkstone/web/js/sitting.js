// <ink-sitting>: a picture on the easel. While it is painted, or any time later: what the network expected at each step and what it saw, as a film strip to go back and forth in.

import { html, nothing } from "lit";
import { ChatError } from "./api.js";
import { PaintingElement } from "./element.js";
import { count, left, seconds } from "./format.js";
import { icon } from "./icon.js";
import { Painting } from "./painting.js";

const COLUMNS = 12;       // frames of the strip; arrow keys reach the steps between
const NEIGHBOURS = 8;     // seeds beside one
const SMALL = 160;        // pixels: up to so many on a side each is shown as a square
const SETTINGS = ["model", "prompt", "negative", "width", "height", "steps", "guidance", "rescale", "sampler", "schedule", "eta", "noise", "seed"];

/** What would paint a picture of the gallery again. */
export function orderOf(picture) {
  const order = Object.fromEntries(SETTINGS.map(key => [key, picture[key]]).filter(([, value]) => value !== "" && value !== null));
  return picture.from && picture.changed === "whole" ? { ...order, from: picture.from, strength: picture.strength } : order;
}

export const pix = ({ pixelWidth, pixelHeight }) => Math.max(pixelWidth, pixelHeight) <= SMALL ? "pix" : "";

class Sitting extends PaintingElement {
  static properties = { job: { attribute: false }, picture: { attribute: false }, chosen: { state: true }, at: { state: true }, kind: { state: true }, film: { state: true } };

  #for = "";
  #filmed = "";

  constructor() {
    super();
    this.kind = "predicted";
    this.#reset();
  }

  #reset() {
    this.chosen = null;   // which of a job's pictures; null: the newest
    this.at = null;       // the frame in view; null: the newest, or the finished picture
    this.film = null;     // { id, frames } of a finished picture, cut from its strip
  }

  get #index() {
    return this.job ? this.chosen ?? Math.min(this.job.done.length, this.job.pictures - 1) : 0;
  }

  /** The finished picture in view; undefined while it is being painted. */
  get #finished() {
    return this.picture ?? this.job.done[this.#index];
  }

  get #frames() {
    const told = this.job ? this.painting.frames(this.job.id, this.#index) : [];
    return told.length ? told : this.film?.id === this.#finished?.id ? this.film?.frames ?? [] : [];
  }

  willUpdate() {
    const now = this.picture?.id ?? this.job.id;
    if (now !== this.#for) {
      this.#for = now;
      this.#reset();
    }
    const finished = this.#finished, missing = finished?.sigmas.length && !(this.job && this.painting.frames(this.job.id, this.#index).length === finished.sigmas.length);
    if (missing && this.#filmed !== finished.id) this.#load(finished);
  }

  async #load(picture) {
    this.#filmed = picture.id;
    try {
      const frames = await this.painting.film(picture);
      if (this.#filmed === picture.id) this.film = { id: picture.id, frames };
    } catch (error) {
      if (!(error instanceof ChatError) && error.name !== "EncodingError") throw error;   // no strip: the picture is shown without its steps
    }
  }

  render() {
    const { job } = this, frames = this.#frames, finished = this.#finished, steps = frames.at(-1)?.steps ?? job?.steps ?? 0;
    return html`<section class="sitting" aria-label=${finished ? "The picture" : "Being painted"}>
      <figure class="easel">${this.#easel(frames, finished)}</figure>
      ${steps ? this.#strip(frames, steps, finished) : nothing}
      <div class="about">${this.picture ? this.#kept(finished) : this.#progress(steps)}
        <p class="prompt">${(finished ?? job.order).prompt || "No words"}</p>
        ${job ? this.#bar(steps) : nothing}
        ${frames.length ? html`<div class="field"><span class="label" id="show-label">Show</span><div class="seg" role="group" aria-labelledby="show-label">
            ${["predicted", "noisy"].map(kind => html`<button type="button" aria-pressed=${kind === this.kind} @click=${() => this.#show(kind)}>${kind === "predicted" ? "What it expects" : "What it sees"}</button>`)}</div>
          <span class="hint">${this.#where(frames, finished)}</span></div>` : nothing}
        ${finished && !this.#going ? this.#facts(finished) : nothing}
        <div class="btns">${finished && !this.#going ? this.#actions(finished) : this.#stop()}</div>
        ${job?.pictures > 1 && !job.order.grid ? this.#batch() : nothing}
      </div>
      ${job?.order.grid ? this.#grid() : nothing}
      ${frames.length ? this.#how(frames) : nothing}</section>`;
  }

  get #going() {
    return this.job?.state === "running" || this.job?.state === "waiting";
  }

  // The easel

  #easel(frames, finished) {
    const frame = this.at === null ? undefined : frames[this.at] , newest = frames.findLast(each => each);
    if (frame || (!finished && newest)) {
      const shown = frame ?? newest;
      return html`<img class="pix" src=${shown[this.kind]} alt="${this.kind === "predicted" ? "What the network expects" : "The noisy picture"} at step ${shown.step}: ${(finished ?? this.job.order).prompt}">`;
    }
    if (finished) return html`<img class=${pix(finished)} src=${this.painting.src(`/api/images/${finished.id}.png`) ?? ""} width=${finished.pixelWidth} height=${finished.pixelHeight} alt=${finished.prompt || "A picture"}>`;
    return html`<div class="slot" role="img" aria-label="Nothing painted yet"></div>`;
  }

  #show(kind) {
    this.kind = kind;
    if (this.at === null && this.#finished) this.at = this.#frames.length - 1;   // of the finished picture there is but one kind
  }

  #where(frames, finished) {
    if (this.at !== null && frames[this.at]) return html`Step ${frames[this.at].step} of ${frames[this.at].steps}, noise ${sigma(frames[this.at].sigma)} before it.${finished ? html` <button class="plain" type="button" @click=${() => { this.at = null; this.kind = "predicted"; }}>To the finished picture</button>` : nothing}`;
    return "At each step the network expects a finished picture, then a little noise is taken away.";
  }

  // The film strip

  #strip(frames, steps, finished) {
    const columns = Math.min(COLUMNS, steps), last = i => Math.round((i + 1) * steps / columns) - 1, newest = frames.findLastIndex(frame => frame);
    const at = this.at ?? (finished ? steps - 1 : newest), pressed = Array.from({ length: columns }, (_, i) => i).find(i => at <= last(i)) ?? 0;
    return html`<section class="film" aria-label="Steps of this picture"><div class="frames" role="group" aria-label="Step" @keydown=${event => this.#key(event, newest)} @pointerdown=${this.#drag} @pointermove=${this.#drag}>
        ${Array.from({ length: columns }, (_, i) => {
          const own = frames[i === pressed && this.at !== null ? this.at : last(i)] ?? frames.slice(last(i - 1) + 1, last(i) + 1).findLast(frame => frame);
          return html`<button type="button" aria-label="Step ${last(i) + 1}" aria-pressed=${i === pressed && own !== undefined} tabindex=${i === pressed ? 0 : -1} ?disabled=${own === undefined} @click=${() => { this.at = own.step - 1; }}>
            ${own ? html`<img class="pix" src=${own[this.kind]} alt="" draggable="false">` : nothing}</button>`;
        })}</div>
      <div class="ends"><span>pure noise</span><span class="desk-only">Drag across, or use the arrow keys, to go back in time</span><span>finished</span></div></section>`;
  }

  #key(event, newest) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], at = this.at ?? newest;
    const next = step ? at + step : event.key === "Home" ? 0 : event.key === "End" ? newest : null;
    if (next === null || newest < 0) return;
    event.preventDefault();
    this.at = Math.min(newest, Math.max(0, next));
    this.updateComplete.then(() => this.querySelector(".frames [tabindex='0']")?.focus());
  }

  #drag(event) {
    if (!event.buttons) return;
    const box = event.currentTarget.getBoundingClientRect(), frames = this.#frames, newest = frames.findLastIndex(frame => frame), steps = frames[newest]?.steps ?? 0;
    const at = Math.floor(steps * (event.clientX - box.left) / box.width);
    if (newest >= 0) this.at = Math.min(newest, Math.max(0, at));
  }

  // How far it is

  #progress(steps) {
    const { job } = this, { state, pictures, done, step, ahead } = job, grid = job.order.grid;
    const chip = { running: html`<span class="chip live"><span class="drop"></span>${pictures > 1 ? `Painting ${Math.min(done.length + 1, pictures)} of ${pictures}` : job.kind === "enlarge" ? "Enlarging" : "Painting"}</span>`,
      waiting: html`<span class="chip">${ahead ? `Waits for ${count(ahead)} ${ahead === 1 ? "job" : "jobs"}` : "Begins at once"}</span>`, finished: html`<span class="chip ok">${icon("ok")}${pictures > 1 ? `${pictures} pictures` : "Finished"}</span>`,
      cancelled: html`<span class="chip">Stopped${done.length ? `, ${done.length} of ${pictures} finished` : ""}</span>`, failed: html`<span class="chip bad">${icon("warn")}Failed</span>` }[state];
    return html`<div class="row">${chip}${state === "running" && steps ? html`<span class="small muted num nowrap push" data-step>step ${step} of ${steps}</span>` : nothing}${grid ? html`<span class="small quiet">a grid</span>` : nothing}</div>`;
  }

  #bar(steps) {
    const { job } = this;
    if (job.state === "failed") return html`<div class="note bad" role="alert">${icon("warn")}<p>${job.problem[0].toUpperCase()}${job.problem.slice(1)}</p></div>`;
    if (job.state !== "running") return nothing;
    const known = steps > 0, percent = Painting.percent(job);
    return html`<div><progress max=${known ? 100 : nothing} value=${known ? percent : nothing} aria-label=${known ? `${percent} per cent` : "The model is opened"}></progress>
      <div class="ends"><span>${job.secondsLeft ? left(job.secondsLeft) : known ? "" : "opening the model"}</span><span>${job.secondsPerStep ? `${pace(job.secondsPerStep)} a step` : ""}</span></div></div>`;
  }

  #stop() {
    const { job } = this;
    return html`${this.#going ? html`<button class="btn" type="button" @click=${() => this.#do(() => this.painting.cancel(job.id))}>${icon("stop")}${job.state === "waiting" ? "Cancel" : "Stop here"} <kbd class="desk-only">Esc</kbd></button>` : nothing}
      ${job.kind === "paint" && !job.order.grid ? this.#near(() => ({ ...job.order, seed: job.seeds[this.#index] ?? job.seeds[0] })) : nothing}
      ${this.#going || job.kind !== "paint" ? nothing : html`<button class="btn ghost" type="button" @click=${() => this.painting.use({ ...job.order, seed: job.seeds[0], changed: job.order.from ? "whole" : "" })}>${icon("again")}Use these settings</button>`}`;
  }

  #near(order) {
    return html`<button class="btn ghost" type="button" @click=${() => this.#paint({ ...order(), seed: order().seed + 1, count: NEIGHBOURS, grid: null })}>${icon("seed")}Near seeds</button>`;
  }

  #batch() {
    const { job } = this, index = this.#index, running = job.state === "running" ? job.done.length : -1;
    return html`<ol class="batch" aria-label="This batch">${job.seeds.map((seed, i) => {
      const done = job.done[i], frame = i === running ? this.painting.frames(job.id, i).findLast(each => each) : undefined, now = i === index;
      const inside = done ? html`<img class=${pix(done)} src=${this.painting.src(`/api/images/${done.id}/small.png`) ?? ""} alt="Finished: seed ${seed}">` : frame ? html`<img class="pix" src=${frame.predicted} alt="Being painted: seed ${seed}">` : html`<span class="slot"></span>`;
      return html`<li class=${now ? "now" : ""}>${done || frame ? html`<button class="plain" type="button" aria-pressed=${now} @click=${() => { this.chosen = i === running ? null : i; this.at = null; }}>${inside}</button>` : inside}<span class="num">${seed}</span></li>`;
    })}</ol>`;
  }

  #grid() {
    const { job } = this, { x, y } = job.order.grid, rows = y ? y.values : [""], running = job.state === "running" ? job.done.length : -1;
    const cell = i => {
      const done = job.done[i], frame = i === running ? this.painting.frames(job.id, i).findLast(each => each) : undefined;
      return done ? html`<a href="#images/${done.id}"><img class=${pix(done)} src=${this.painting.src(`/api/images/${done.id}/small.png`) ?? ""} alt="${x.parameter} ${x.values[i % x.values.length]}${y ? `, ${y.parameter} ${y.values[Math.floor(i / x.values.length)]}` : ""}"></a>`
        : frame ? html`<img class="pix" src=${frame.predicted} alt="Being painted">` : html`<span class="slot"></span>`;
    };
    return html`<div class="table variations" tabindex="0" role="region" aria-label="Variations"><table><thead><tr><td>${y ? html`<span class="tiny quiet">${y.parameter} \\ ${x.parameter}</span>` : html`<span class="tiny quiet">${x.parameter}</span>`}</td>${x.values.map(value => html`<th scope="col">${value}</th>`)}</tr></thead>
      <tbody>${rows.map((value, row) => html`<tr><th scope="row">${value}</th>${x.values.map((_, column) => html`<td>${cell(row * x.values.length + column)}</td>`)}</tr>`)}</tbody></table></div>`;
  }

  // A finished picture

  #kept(picture) {
    return html`<div class="row"><a class="btn ghost" href="#images">${icon("left")}All pictures</a>${picture.changed ? html`<span class="chip">${{ whole: "began as another picture", part: "a part was changed", larger: "enlarged" }[picture.changed]}</span>` : nothing}
      ${picture.from ? html`<a class="small" href="#images/${picture.from}">the one before</a>` : nothing}</div>`;
  }

  #facts(p) {
    const fact = (name, value) => value === "" || value === null ? nothing : html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
    return html`<dl class="made">${fact("Seed", html`<span class="num">${p.seed}</span>`)}${fact("Model", p.model)}${fact("Steps", p.steps ? `${p.steps}, ${p.sampler}, ${p.schedule}` : "")}${fact("Guidance", p.steps ? `${p.guidance}${p.rescale ? `, rescale ${p.rescale}` : ""}` : "")}
      ${fact("Left out", p.negative)}${fact("Size", `${p.pixelWidth} × ${p.pixelHeight}`)}${fact("Change", p.changed === "whole" || p.changed === "part" ? `${Math.round(100 * p.strength)}%` : "")}${fact("Took", p.seconds ? seconds(1000 * p.seconds) : "")}</dl>`;
  }

  #actions(p) {
    const { painting } = this, { enlarging } = painting.about ?? {};
    const button = (symbol, label, action, kind = "ghost") => html`<button class="btn ${kind}" type="button" @click=${action}>${icon(symbol)}${label}</button>`;
    const begin = () => painting.begin({ id: p.id, url: `/api/images/${p.id}.png`, width: p.pixelWidth, height: p.pixelHeight });
    return html`${button("again", "Again", () => this.#paint({ ...orderOf(p), seed: undefined, count: 1 }), "")}
      ${button("settings", "Use these settings", () => { painting.begin(null); painting.use(p); this.emit("form"); }, "")}
      <button class="btn" type="button" aria-pressed=${p.favourite} @click=${() => this.#do(() => painting.keep(p.id, !p.favourite).then(kept => { if (this.picture) this.picture = kept; }))}>${icon("star")}${p.favourite ? "Kept" : "Keep"}</button>
      ${this.#near(() => orderOf(p))}
      ${button("images", "Start from this", () => { begin(); this.emit("form"); })}
      ${button("brush", "Change a part", () => { begin(); this.emit("mask"); })}
      ${enlarging && p.changed !== "larger" ? button("larger", `Enlarge ${enlarging.factor} times`, () => this.#do(() => painting.enlarge(p.id).then(job => this.emit("painted", job)))) : nothing}
      <a class="btn ghost" href=${painting.src(`/api/images/${p.id}.png`) ?? ""} download="${(p.prompt || "picture").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}-${p.seed}.png">${icon("down")}Download</a>
      ${button("bin", "Delete", () => this.#delete(p))}`;
  }

  async #paint(order) {
    await this.#do(async () => this.emit("painted", await this.painting.paint(order)));
  }

  async #delete({ id }) {
    await this.#do(async () => {
      const { painting } = this, undo = () => painting.undo(id);
      await painting.remove(id);
      this.emit("toast", { text: "Picture deleted", shown: 1000 * (painting.about?.undoSeconds ?? 10), undo });
      if (this.picture) location.hash = "images";
    });
  }

  async #do(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.emit("toast", { text: error.kind === "gone" ? "The server on this machine does not answer" : error.message });
    }
  }

  // How it works

  #how(frames) {
    return html`<details class="fold how"><summary>How it came about<span class="sum">${frames.filter(each => each).length} steps</span></summary><div>
      <p class="small muted">It begins with pure noise. At each step the network looks at the noisy picture (below) and says what it expects to find under the noise (above); the sampler then goes a part of the way there.
        Sigma tells how much noise there is: its standard deviation, beside a picture whose colours go from −1 to 1.</p>
      <ol class="steps">${frames.map((frame, i) => frame ? html`<li><button class="plain" type="button" aria-label="Step ${frame.step}, sigma ${sigma(frame.sigma)}" @click=${() => { this.at = i; this.querySelector(".easel").scrollIntoView({ block: "nearest" }); }}><img class="pix" src=${frame.predicted} alt=""><img class="pix" src=${frame.noisy} alt=""></button>
        <span class="num">${frame.step}</span><span class="num quiet">σ ${sigma(frame.sigma)}</span></li>` : nothing)}</ol></div></details>`;
  }
}

const pace = perStep => perStep < 1 ? `${Math.max(1, Math.round(1000 * perStep))} ms` : seconds(1000 * perStep);

const sigma = value => value >= 100 ? String(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(value < 0.1 ? 3 : 2);

customElements.define("ink-sitting", Sitting);
