// <ink-paint-form>: what to paint. A prompt and a button; everything else is the model's choice until someone changes it, folded away, and a closed fold says what it holds.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { ChatError } from "./api.js";
import { PaintingElement } from "./element.js";
import { bytes, parameters } from "./format.js";
import { icon } from "./icon.js";
import { PARAMETERS, pictures, valuesOf } from "./grid.js";
import { typed } from "./typed.js";

const SEEDS = 1_000_000;   // seeds that are rolled are below: short enough to be told and typed
const COUNTS = [1, 2, 4, 8];
const SHAPES = [["square", 1, 1], ["upright", 3, 4], ["wide", 4, 3], ["tall", 9, 16], ["panorama", 16, 9]];
/** Sliders: label, range, the words at their ends, and how a value reads. */
const SLIDERS = {
  steps: { label: "Steps", min: 1, max: 60, step: 1, ends: ["sketch", "finished"] },
  guidance: { label: "Guidance", min: 1, max: 15, step: 0.25, ends: ["loosely", "word for word"] },
  rescale: { label: "Rescale", min: 0, max: 1, step: 0.05, ends: ["off", "calm colours"] },
  strength: { label: "How much may change", min: 0.05, max: 1, step: 0.05, ends: ["a touch", "everything"] },
};

const newSeed = () => Math.floor(SEEDS * Math.random());

class PaintForm extends PaintingElement {
  static properties = { problem: { state: true }, over: { state: true }, found: { state: true }, gridding: { state: true } };

  constructor() {
    super();
    this.problem = "";
    this.over = false;
    this.found = null;       // settings that the picture which was just given carries
    this.gridding = false;   // the fold of the grid is open: where it has values, Paint paints it
  }

  focus() {
    this.querySelector("textarea").focus();
  }

  updated() {
    for (const slider of this.querySelectorAll("input[type=range]")) slider.style.setProperty("--at", `${100 * (slider.value - slider.min) / (slider.max - slider.min)}%`);
  }

  render() {
    const { painting } = this, { draft, model } = painting;
    if (!model) return html`<p class="quiet">Looking for models.</p>`;
    const changed = key => key in draft;
    return html`<form class="paint-form" @submit=${this.#paint} @keydown=${this.#key} aria-label="What to paint">
      <div class="field"><label for="paint-prompt">What should it paint?</label><textarea class="input prompt-box" id="paint-prompt" rows="4" maxlength="4000" placeholder=${this.#example} .value=${live(draft.prompt)}
        @input=${event => painting.set("prompt", event.target.value)}></textarea></div>
      ${this.problem ? html`<div class="note bad" role="alert">${icon("warn")}<p>${this.problem}</p></div>` : nothing}
      <button class="btn primary wide" type="submit">${icon("brush")}${this.#verb} <kbd class="desk-only">Ctrl Enter</kbd></button>
      ${this.#models()}
      ${this.#seed()}
      ${this.#counts()}
      <div>
        ${this.#fold("Leave out", changed("negative"), painting.value("negative") || "nothing", html`<div class="field"><label class="sr" for="paint-negative">Leave out (negative prompt)</label>
          <textarea class="input" id="paint-negative" rows="2" maxlength="4000" placeholder="text, frame, blur" .value=${live(draft.negative ?? model.defaults.negative)} @input=${event => painting.set("negative", event.target.value)}></textarea>
          <span class="hint">The negative prompt. It counts where guidance is above 1.</span></div>`)}
        ${this.#size()}
        ${this.#fold("Steps and sampler", ["steps", "sampler", "schedule", "noise", "eta"].some(changed), `${painting.value("steps")}, ${painting.value("sampler") ?? model.samplers[0]}`,
          html`${this.#slider("steps", { max: Math.max(60, painting.value("steps")) })}${this.#choice("sampler", "Sampler", model.samplers)}${this.#choice("schedule", "Schedule of noise", model.schedules)}${this.#choice("noise", "Generator of noise", model.noises)}`)}
        ${this.#fold("How closely to follow", ["guidance", "rescale"].some(changed), `guidance ${painting.value("guidance")}`, html`${this.#slider("guidance")}${this.#slider("rescale")}`)}
        ${this.#start()}
        ${this.#grid()}
      </div></form>`;
  }

  get #example() {
    return this.painting.model.embedded ? "red apple, 3d" : "a lighthouse at dusk, oil painting";
  }

  /** The grid that is asked for; null where pictures of one kind are. A side without values is no side. */
  get #variations() {
    const { grid } = this.painting.draft;
    if (!this.gridding || !grid?.x.values.length) return null;
    return grid.y?.values.length ? grid : { x: grid.x };
  }

  get #verb() {
    const { count } = this.painting.draft, grid = this.#variations;
    return grid ? `Paint a grid of ${pictures(grid)}` : count > 1 ? `Paint ${count}` : "Paint";
  }

  #fold(name, changed, sum, content) {
    return html`<details class="fold"><summary>${name} ${changed ? html`<span class="dot"></span><span class="sr">changed</span>` : nothing}<span class="sum">${sum}</span></summary><div>${content}</div></details>`;
  }

  #models() {
    const { painting } = this, { models } = painting.about, { model } = painting;
    return html`<div class="field"><label for="paint-model">Model</label>
      ${models.length > 1 ? html`<select class="input" id="paint-model" @change=${event => painting.set("model", event.target.value)}>
        ${models.map(({ name, family }) => html`<option value=${name} ?selected=${name === model.name}>${name}, ${family}</option>`)}</select>` : html`<output class="said" id="paint-model">${model.name}</output>`}
      <span class="hint">${model.family}, ${parameters(model.parameters)} parameters${model.embedded ? "; comes with Inkstone, nothing to download" : ""}.</span></div>`;
  }

  #seed() {
    const { painting } = this, { seed, lock } = painting.draft;
    const input = event => {
      const text = event.target.value.trim(), number = Number(text), valid = text === "" || (/^\d{1,16}$/.test(text) && Number.isSafeInteger(number));
      event.target.ariaInvalid = String(!valid);
      if (!valid) return;
      painting.set("seed", text === "" ? undefined : number);
      painting.set("lock", text !== "");
    };
    return html`<div class="field"><label for="paint-seed">Seed</label><div class="row">
        <input class="input num" id="paint-seed" inputmode="numeric" autocomplete="off" placeholder="new each time" aria-describedby="paint-seed-hint" .value=${typed(seed === undefined ? "" : String(seed))} @change=${input}>
        <button class="btn icon-only" type="button" aria-label="Roll a new seed" @click=${() => { painting.set("seed", newSeed()); painting.set("lock", true); }}>${icon("dice")}</button>
        <button class="btn icon-only" type="button" aria-pressed=${lock && seed !== undefined} aria-label="Keep this seed" ?disabled=${seed === undefined} @click=${() => painting.set("lock", !lock)}>${icon("lock")}</button></div>
      <span class="hint" id="paint-seed-hint">${lock && seed !== undefined ? "Kept: the same prompt gives the same picture." : "A new one each time, unless it is kept."}</span></div>`;
  }

  #counts() {
    const { painting } = this;
    if (this.#variations) return nothing;
    return html`<div class="field"><span class="label" id="paint-count">Pictures</span><div class="seg" role="group" aria-labelledby="paint-count">${COUNTS.map(count => html`<button type="button" aria-pressed=${count === painting.draft.count}
      @click=${() => painting.set("count", count)}>${count}</button>`)}</div></div>`;
  }

  #size() {
    const { painting } = this, { model } = painting, [width, height] = [painting.value("width"), painting.value("height")];
    if (model.smallest === model.largest) return nothing;
    const area = Math.sqrt(model.defaults.width * model.defaults.height), fit = side => Math.min(model.largest, Math.max(model.smallest, Math.round(side / model.multiple) * model.multiple));
    const shapes = SHAPES.map(([name, w, h]) => [name, fit(area * Math.sqrt(w / h)), fit(area * Math.sqrt(h / w))]).filter(([, w, h], i, all) => all.findIndex(([, a, b]) => a === w && b === h) === i);
    const side = (key, label) => html`<div class="field"><label for="paint-${key}">${label}</label><input class="input num" id="paint-${key}" type="number" min=${model.smallest} max=${model.largest} step=${model.multiple}
      .value=${typed(String(painting.value(key)))} @change=${event => painting.set(key, event.target.validity.valid && event.target.value ? event.target.valueAsNumber : undefined)}></div>`;
    return this.#fold("Size", "width" in painting.draft || "height" in painting.draft, `${width} × ${height}`, html`
      ${shapes.length > 1 ? html`<div class="shapes" role="group" aria-label="Shape">${shapes.map(([name, w, h]) => html`<button class="btn" type="button" aria-pressed=${w === width && h === height} @click=${() => { painting.set("width", w); painting.set("height", h); }}>
        <svg viewBox="0 0 24 24" class="icon" aria-hidden="true"><rect x=${12 - 9 * w / Math.max(w, h)} y=${12 - 9 * h / Math.max(w, h)} width=${18 * w / Math.max(w, h)} height=${18 * h / Math.max(w, h)} rx="1.5"></rect></svg>${name}</button>`)}</div>` : nothing}
      <div class="pairs">${side("width", "Width")}${side("height", "Height")}</div><span class="hint">${model.smallest} to ${model.largest} pixels, in steps of ${model.multiple}.</span>`);
  }

  #slider(key, other = {}) {
    const { painting } = this, { label, min, max, step, ends } = { ...SLIDERS[key], ...other }, value = painting.value(key);
    return html`<div class="field"><label for="paint-${key}"><span>${label}</span><output for="paint-${key}">${value}</output></label>
      <input type="range" id="paint-${key}" min=${min} max=${max} step=${step} .value=${live(String(value))} @input=${event => painting.set(key, event.target.valueAsNumber)}>
      <div class="ends"><span>${ends[0]}</span><span>${ends[1]}</span></div></div>`;
  }

  #choice(key, label, names) {
    if (names.length < 2) return nothing;
    const { painting } = this, value = painting.value(key) ?? names[0];
    return html`<div class="field"><label for="paint-${key}">${label}</label><select class="input" id="paint-${key}" .value=${live(value)} @change=${event => painting.set(key, event.target.value)}>
      ${names.map(name => html`<option value=${name} ?selected=${name === value}>${name}</option>`)}</select></div>`;
  }

  // To begin with a picture

  #start() {
    const { painting } = this, { from, mask } = painting;
    const chosen = html`<div class="from"><img src=${from?.url ?? ""} alt="The picture to begin with" class=${from?.width <= 128 ? "pix" : ""}>${mask ? html`<img class="over" src=${mask.url} alt="The part that may change is marked">` : nothing}</div>
      <div class="btns"><button class="btn" type="button" @click=${() => this.emit("mask")}>${icon("brush")}${mask ? "Change the part" : "Change only a part"}</button>
        ${mask ? html`<button class="btn ghost" type="button" @click=${() => painting.begin(from)}>Change everything</button>` : nothing}
        <button class="btn ghost" type="button" @click=${() => painting.begin(null)}>${icon("x")}Remove</button></div>
      ${this.#slider("strength")}`;
    return html`<details class="fold" ?open=${from !== null}><summary>Start from a picture ${from ? html`<span class="dot"></span>` : nothing}<span class="sum">${from ? (mask ? "a part of it" : "the whole") : "none"}</span></summary>
      <div>${from ? chosen : html`<div class="empty dropzone" ?data-over=${this.over} @dragover=${event => { event.preventDefault(); this.over = true; }} @dragleave=${() => { this.over = false; }} @drop=${this.#drop}>
          <p class="small">Drop a picture here, or choose one.</p><label class="btn file">Choose a picture<input class="sr" type="file" accept="image/*" @change=${event => this.#take(event.target.files[0])}></label></div>
        <span class="hint">A picture painted here or by other programs also brings its settings.</span>`}
      ${this.found ? html`<div class="note">${icon("info")}<p>This picture carries its settings: “${this.found.prompt}”.</p><div class="btns"><button class="btn" type="button" @click=${this.#use}>Use these settings</button>
        <button class="btn ghost" type="button" @click=${() => { this.found = null; }}>Dismiss</button></div></div>` : nothing}</div></details>`;
  }

  #drop(event) {
    event.preventDefault();
    this.over = false;
    this.#take(event.dataTransfer.files[0]);
  }

  #use() {
    const { found } = this;
    this.found = null;
    this.painting.begin(null);
    this.painting.use(found);
  }

  /** The whole file goes, with the settings that it may carry; what begins a picture is made to fit by the server. */
  async #take(file) {
    if (!file) return;
    const most = this.painting.about.pictureBytes;
    this.problem = file.size > most ? `${file.name} has ${bytes(file.size)}; a picture may have ${bytes(most)}.` : "";
    if (this.problem) return;
    try {
      const { id, width, height, settings } = await this.painting.receive(await readable(file));
      this.found = settings;
      this.painting.begin({ id, width, height, url: URL.createObjectURL(file) });
    } catch (error) {
      this.#failed(error);
    }
  }

  // A grid of variations

  #grid() {
    const { painting } = this, grid = painting.draft.grid ?? { x: { parameter: "guidance", values: [] }, y: { parameter: "seed", values: [] } };
    const set = (axis, change) => painting.set("grid", { ...grid, [axis]: { ...grid[axis], ...change } });
    const axis = (name, label) => {
      const { parameter, values } = grid[name], { label: what, example } = PARAMETERS[parameter];
      return html`<fieldset class="axis"><legend>${label}</legend><label class="sr" for="paint-${name}">What varies</label>
        <select class="input" id="paint-${name}" @change=${event => set(name, { parameter: event.target.value, values: [] })}>${Object.entries(PARAMETERS).map(([id, each]) => html`<option value=${id} ?selected=${id === parameter}>${each.label}</option>`)}</select>
        <label class="sr" for="paint-${name}-values">Values of ${what}</label><textarea class="input" id="paint-${name}-values" rows="2" placeholder=${example} aria-describedby="paint-grid-hint" .value=${typed(values.join(PARAMETERS[parameter].words ? "\n" : ", "))}
          @change=${event => set(name, { values: valuesOf(parameter, event.target.value) })}></textarea></fieldset>`;
    };
    return html`<details class="fold" @toggle=${event => { this.gridding = event.target.open; }}><summary>Variations grid <span class="sum">${this.#variations ? `${pictures(this.#variations)} pictures` : "none"}</span></summary>
      <div>${axis("x", "Across")}${axis("y", "Down")}<span class="hint" id="paint-grid-hint">Numbers with commas; a range as 1..8 or 2..10/2. Prompts one a line. One picture is painted for each pair, at most ${painting.about.mostPictures}.</span></div></details>`;
  }

  // Painting

  #key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (event.target.matches("input:not([type=file]), textarea")) event.target.dispatchEvent(new Event("change"));   // what is being typed counts
      this.#paint(event);
    } else if (event.key === "Enter" && event.target.matches("input:not([type=radio], [type=file])")) { event.preventDefault(); event.target.dispatchEvent(new Event("change")); }   // Enter in a field is no order
  }

  async #paint(event) {
    event.preventDefault();
    const { painting } = this, { draft } = painting, grid = this.#variations;
    this.problem = "";
    if (!draft.prompt.trim() && !painting.from && !(grid && [grid.x, grid.y].some(axis => axis?.parameter === "prompt"))) {
      this.problem = "Say what to paint first.";
      this.focus();
      return;
    }
    const { grid: _, ...order } = painting.order();
    try {
      const job = await painting.paint(grid ? { ...order, count: 1, grid } : order);
      painting.set("seed", job.seeds[0]);
      this.emit("painted", job);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error) {
    if (!(error instanceof ChatError)) throw error;
    this.problem = error.kind === "gone" ? "The server on this machine does not answer." : `${error.message[0].toUpperCase()}${error.message.slice(1)}.`.replace(/\.\.$/, ".");
  }
}

/* PNG and JPEG go as they are; other kinds that this browser can show go as PNG. */
async function readable(file) {
  if (/^image\/(png|jpeg)$/.test(file.type)) return file;
  const bitmap = await createImageBitmap(file).catch(() => { throw new ChatError("refused", `${file.name} is no picture that this browser can read`); });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

customElements.define("ink-paint-form", PaintForm);
