// <ink-masker>: marks the part of a picture that may change, with a mouse, a finger, a pen, or the keyboard: arrow keys move the brush, Space marks, Enter keeps it marking.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { ChatError } from "./api.js";
import { PaintingElement } from "./element.js";
import { icon } from "./icon.js";

const STEP = 1 / 40, LARGE_STEP = 1 / 10;   // of the picture, with an arrow key and with Shift
const SHARP = 512;                           // pixels that the sheet has at least on its shorter side, so that the brush is round over small pictures
const INK = "rgb(201 69 43)";                // cinnabar; the sheet over the picture is let through by the style

class Masker extends PaintingElement {
  static properties = { from: { state: true }, erase: { state: true }, size: { state: true }, strokes: { state: true }, place: { state: true }, down: { state: true }, sending: { state: true } };

  #stroke = null;

  constructor() {
    super();
    this.from = null;
    this.erase = false;
    this.size = 0.15;      // of the shorter side
    this.strokes = [];
    this.place = null;     // where the keyboard's brush is, { x, y } from 0 to 1; null: it is not in use
    this.down = false;
    this.sending = false;
  }

  /** Opens over the page for the picture that painting begins with. */
  async show() {
    const { from } = this.painting;
    if (from.id !== this.from?.id) this.strokes = [];
    this.from = from;
    this.place = null;
    await this.updateComplete;
    this.querySelector("dialog").showModal();
    this.#draw();
  }

  render() {
    const { from } = this;
    if (!from) return nothing;
    return html`<dialog class="window masker" aria-labelledby="mask-title">
      <div class="window-head"><h2 id="mask-title">What may change</h2><button class="btn ghost icon-only" type="button" aria-label="Close" @click=${this.#close}>${icon("x")}</button></div>
      <p class="small muted" id="mask-hint">Mark it by drawing. With the keyboard: arrow keys move the brush, Space marks, Enter keeps marking while it moves.</p>
      <div class="sheet-of-mask"><img src=${this.painting.src(from.url) ?? ""} alt="The picture" class=${Math.max(from.width, from.height) <= 160 ? "pix" : ""}>
        <canvas width=${from.width * this.#times} height=${from.height * this.#times} tabindex="0" role="application" aria-label="Drawing sheet" aria-describedby="mask-hint" @pointerdown=${this.#begin} @pointermove=${this.#move} @pointerup=${this.#end} @pointercancel=${this.#end}
          @keydown=${this.#key} @blur=${() => { this.place = null; this.down = false; this.#draw(); }}></canvas></div>
      <div class="sr" role="status">${this.place ? `${Math.round(100 * this.place.x)} per cent across, ${Math.round(100 * this.place.y)} down${this.down ? ", marking" : ""}` : nothing}</div>
      <div class="row tools-of-mask"><div class="seg" role="group" aria-label="What drawing does">${[[false, "Mark"], [true, "Erase"]].map(([erase, label]) => html`<button type="button" aria-pressed=${erase === this.erase} @click=${() => { this.erase = erase; }}>${label}</button>`)}</div>
        <label class="row small" for="mask-size">Brush <input type="range" id="mask-size" min="0.03" max="0.5" step="0.01" .value=${live(String(this.size))} aria-valuetext="${Math.round(100 * this.size)} per cent" @input=${event => { this.size = event.target.valueAsNumber; this.#draw(); }}></label>
        <button class="btn ghost" type="button" ?disabled=${!this.strokes.length} @click=${() => this.#set(this.strokes.slice(0, -1))}>${icon("again")}Undo</button>
        <button class="btn ghost" type="button" @click=${() => this.#set([...this.strokes, { all: true }])}>Turn round</button>
        <button class="btn ghost" type="button" ?disabled=${!this.strokes.length} @click=${() => this.#set([])}>Clear</button></div>
      <div class="btns end-of-mask"><button class="btn primary" type="button" ?disabled=${!this.strokes.length || this.sending} @click=${this.#done}>${icon("ok")}Done</button><button class="btn ghost" type="button" @click=${this.#close}>Cancel</button></div></dialog>`;
  }

  updated() {
    for (const slider of this.querySelectorAll("input[type=range]")) slider.style.setProperty("--at", `${100 * (slider.value - slider.min) / (slider.max - slider.min)}%`);
  }

  /* Pixels of the sheet to one of the picture, along a side. */
  get #times() {
    return Math.max(1, Math.ceil(SHARP / Math.min(this.from.width, this.from.height)));
  }

  get #sheet() {
    return this.querySelector("canvas");
  }

  #close() {
    this.querySelector("dialog").close();
  }

  #set(strokes) {
    this.strokes = strokes;
    this.#draw();
  }

  // Drawing: strokes are kept as they were made, so that the last can be taken back

  #at(event) {
    const box = this.#sheet.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  #begin(event) {
    event.preventDefault();
    event.currentTarget.setPointerCapture(event.pointerId);
    this.place = null;
    this.#stroke = { erase: this.erase, size: this.size, points: [this.#at(event)] };
    this.#draw();
  }

  #move(event) {
    if (!this.#stroke) return;
    for (const each of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) this.#stroke.points.push(this.#at(each));
    this.#draw();
  }

  #end() {
    if (!this.#stroke) return;
    this.strokes = [...this.strokes, this.#stroke];
    this.#stroke = null;
    this.#draw();
  }

  #key(event) {
    const by = event.shiftKey ? LARGE_STEP : STEP, move = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[event.key];
    if (!move && event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    const before = this.place ?? { x: 0.5, y: 0.5 };
    if (move) {
      const place = { x: Math.min(1, Math.max(0, before.x + move[0])), y: Math.min(1, Math.max(0, before.y + move[1])) };
      this.place = place;
      if (this.down) this.strokes = [...this.strokes, { erase: this.erase, size: this.size, points: [before, place] }];
    } else {
      this.place = before;
      if (event.key === "Enter") this.down = !this.down;
      if (event.key === " " || this.down) this.strokes = [...this.strokes, { erase: this.erase, size: this.size, points: [before] }];
    }
    this.#draw();
  }

  #draw() {
    const sheet = this.#sheet;
    if (!sheet) return;
    const pen = sheet.getContext("2d", { willReadFrequently: true }), { width, height } = sheet, shorter = Math.min(width, height);
    pen.globalCompositeOperation = "source-over";
    pen.clearRect(0, 0, width, height);
    for (const stroke of this.#stroke ? [...this.strokes, this.#stroke] : this.strokes) {
      pen.globalCompositeOperation = stroke.all ? "xor" : stroke.erase ? "destination-out" : "source-over";
      pen.fillStyle = pen.strokeStyle = INK;
      if (stroke.all) {
        pen.fillRect(0, 0, width, height);
        continue;
      }
      pen.lineCap = pen.lineJoin = "round";
      pen.lineWidth = stroke.size * shorter;
      pen.beginPath();
      pen.arc(stroke.points[0].x * width, stroke.points[0].y * height, pen.lineWidth / 2, 0, 2 * Math.PI);   // a touch without a move is a dot
      pen.fill();
      pen.beginPath();
      pen.moveTo(stroke.points[0].x * width, stroke.points[0].y * height);
      for (const { x, y } of stroke.points) pen.lineTo(x * width, y * height);
      pen.stroke();
    }
    if (!this.place) return;
    pen.globalCompositeOperation = "source-over";
    pen.lineWidth = Math.max(1, shorter / 100);
    pen.strokeStyle = INK;
    pen.beginPath();
    pen.arc(this.place.x * width, this.place.y * height, this.size * shorter / 2, 0, 2 * Math.PI);
    pen.stroke();
  }

  /* White where it was marked, black elsewhere: what the server takes. The sheet itself is shown over the picture. */
  async #done() {
    this.place = null;
    this.#draw();
    const sheet = this.#sheet, { width, height } = this.from, canvas = new OffscreenCanvas(width, height), pen = canvas.getContext("2d");
    pen.drawImage(sheet, 0, 0, width, height);
    const marked = pen.getImageData(0, 0, width, height), { data } = marked;
    for (let i = 0; i < data.length; i += 4) {
      data[i] = data[i + 1] = data[i + 2] = data[i + 3];
      data[i + 3] = 255;
    }
    pen.putImageData(marked, 0, 0);
    this.sending = true;
    try {
      const { id } = await this.painting.receive(await canvas.convertToBlob({ type: "image/png" }));
      this.painting.begin(this.from, { id, url: sheet.toDataURL() });
      this.#close();
      this.emit("form");
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.emit("toast", { text: error.message });
    } finally {
      this.sending = false;
    }
  }
}

customElements.define("ink-masker", Masker);
