// <ink-gallery>: what was painted before, found by words, page by page. Arrow keys move, Enter opens, Delete asks by toast.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import { ChatError } from "./api.js";
import { PaintingElement } from "./element.js";
import { count } from "./format.js";
import { icon } from "./icon.js";
import { pix } from "./sitting.js";

const SAMPLES = ["red apple, 3d", "smiling cat with heart eyes, 3d", "panda head, red glasses, blue body"];   // what the model that comes with Inkstone paints
const CALM = 250;   // milliseconds without a letter before it is searched

class Gallery extends PaintingElement {
  static properties = { at: { attribute: false }, active: { state: true }, words: { state: true } };

  #timer = 0;

  constructor() {
    super();
    this.at = "";
    this.active = "";   // id of the picture that Tab reaches; arrow keys move it
    this.words = null;  // what is being written; null: what was searched
  }

  render() {
    const { painting } = this, { gallery } = painting, { pictures, all, next, favourites } = gallery;
    if (!pictures) return html`<p class="quiet">Looking for pictures.</p>`;
    const reachable = [this.active, this.at, pictures[0]?.id].find(id => pictures.some(picture => picture.id === id)), searched = gallery.words || favourites;
    if (!pictures.length && !searched) {
      return html`<section class="empty" aria-labelledby="gallery-title">${icon("images")}<h2 id="gallery-title">Nothing painted yet</h2><p>Say what to paint. What comes of it stays on this machine, with all that made it.</p>
        <div class="btns">${(painting.model?.embedded ? SAMPLES : []).map(sample => html`<button class="btn" type="button" @click=${() => this.emit("sample", sample)}>${sample}</button>`)}</div></section>`;
    }
    return html`<section class="stack" aria-labelledby="gallery-title"><div class="card-head"><h2 id="gallery-title">${favourites ? "Kept" : "Earlier"}</h2><span class="small quiet" role="status">${count(all)} ${all === 1 ? "picture" : "pictures"}${gallery.words ? " found" : ""}</span>
        <form class="row end" role="search" @submit=${event => { event.preventDefault(); this.#search(0); }}><label class="sr" for="gallery-words">Find pictures by words</label>
          <input class="input" id="gallery-words" type="search" placeholder="Find by words" maxlength="200" .value=${live(this.words ?? gallery.words)} @input=${event => { this.words = event.target.value; this.#search(CALM); }}>
          <button class="btn icon-only" type="button" aria-pressed=${favourites} aria-label="Only what is kept" @click=${() => { location.hash = favourites ? "images" : "images/kept"; }}>${icon("star")}</button></form></div>
      ${pictures.length ? html`<ul class="shots" @keydown=${this.#key}>${repeat(pictures, ({ id }) => id, picture => html`<li><a class="shot" href="#images/${picture.id}" data-id=${picture.id} tabindex=${picture.id === reachable ? 0 : -1} aria-current=${picture.id === this.at ? "true" : nothing}
          @focus=${() => { this.active = picture.id; }}><img class=${pix(picture)} src=${painting.src(`/api/images/${picture.id}/small.png`) ?? ""} alt="" width="192" height="192" loading="lazy">
          ${picture.favourite ? html`<span class="mark">${icon("star")}<span class="sr">Kept: </span></span>` : nothing}<span class="cap">${picture.prompt || "No words"}</span></a></li>`)}</ul>`
        : html`<p class="quiet">No picture has these words.</p>`}
      ${next ? html`<div class="btns"><button class="btn" type="button" @click=${() => painting.more()}>Show more</button></div>` : nothing}</section>`;
  }

  #search(calm) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      const words = (this.words ?? "").trim();
      await this.painting.search(words, this.painting.gallery.favourites);
      if ((this.words ?? "").trim() === words) this.words = document.activeElement?.id === "gallery-words" ? this.words : null;
    }, calm);
  }

  #key(event) {
    const shot = event.target.closest("[data-id]"), shots = [...this.querySelectorAll("[data-id]")], at = shots.indexOf(shot);
    if (!shot) return;
    const across = shots.findIndex(each => each.offsetTop > shots[0].offsetTop), columns = across < 0 ? shots.length : across;
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: shots.length - 1 }[event.key];
    if (next !== undefined) shots[next]?.focus();
    else if (event.key === "Delete") this.#delete(shot.dataset.id, (shots[at + 1] ?? shots[at - 1])?.dataset.id);
    else return;
    event.preventDefault();
  }

  async #delete(id, next) {
    try {
      const { painting } = this, undo = () => painting.undo(id);
      await painting.remove(id);
      this.emit("toast", { text: "Picture deleted", shown: 1000 * (painting.about?.undoSeconds ?? 10), undo });
      await this.updateComplete;
      this.querySelector(`[data-id="${next}"]`)?.focus();
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.emit("toast", { text: error.message });
    }
  }
}

customElements.define("ink-gallery", Gallery);
