// <ink-images>: the place for painting: what to paint, the picture on the easel, and the gallery. On smaller windows pictures come first, and the prompt is a dock above the bar.

import { html, nothing } from "lit";
import { ChatError } from "./api.js";
import { PaintingElement } from "./element.js";
import { icon } from "./icon.js";
import "./gallery.js";
import "./masker.js";
import "./paintform.js";
import "./sitting.js";

class Images extends PaintingElement {
  static properties = { at: { attribute: false }, wide: { attribute: false }, opened: { state: true }, absent: { state: true } };

  /** at: "" all pictures, "kept" those that are kept, or the id of one; wide: the form stands beside the pictures. */
  constructor() {
    super();
    this.at = "";
    this.wide = true;
    this.opened = null;   // the picture of the address
    this.absent = false;
    this.addEventListener("painted", event => this.#painted(event.detail));
    this.addEventListener("mask", () => this.#mask());
    this.addEventListener("form", () => this.form());
    this.addEventListener("sample", event => { this.painting.set("prompt", event.detail); this.#quick(); });
  }

  /** Goes to where one says what to paint. */
  async form() {
    if (!this.wide) this.querySelector("#paint-sheet").showModal();
    await this.updateComplete;
    this.querySelector("ink-paint-form").focus();
  }

  willUpdate(changed) {
    if (changed.has("at")) this.#open();
    else if (this.opened) this.opened = this.painting.known(this.at) ?? this.opened;   // it may have been kept meanwhile
  }

  async #open() {
    const { gallery } = this.painting, kept = this.at === "kept", id = kept ? "" : this.at;
    if (!id && kept !== gallery.favourites) this.painting.search(gallery.words, kept);
    this.opened = this.painting.known(id) ?? null;
    this.absent = false;
    if (!id || this.opened) return;
    try {
      const picture = await this.painting.picture(id);
      if (this.at === id) this.opened = picture;
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      if (this.at === id) this.absent = true;
    }
  }

  render() {
    const { painting } = this, job = painting.running ?? painting.jobs?.[0];
    const sitting = this.opened ? html`<ink-sitting .painting=${painting} .picture=${this.opened} .job=${undefined}></ink-sitting>`
      : this.absent ? html`<section class="empty"><h2>This picture is not here any more</h2><p>It was deleted, here or in another tab.</p><a class="btn" href="#images">All pictures</a></section>`
      : job && (!this.at || this.at === "kept") ? html`<ink-sitting .painting=${painting} .job=${job} .picture=${undefined}></ink-sitting>` : nothing;
    const form = html`<ink-paint-form .painting=${painting}></ink-paint-form>`;
    return html`
      ${this.wide ? nothing : html`<header class="bar"><h1>Images</h1><div class="end"><button class="btn ghost icon-only phone-only" type="button" data-theme-toggle aria-label="Switch between light and dark">${icon("theme")}</button></div></header>`}
      <div class="studio">
        ${this.wide ? html`<aside class="panel" aria-label="Prompt and settings"><h1>Images</h1>${form}</aside>` : nothing}
        <div class="stage" tabindex="0" role="region" aria-label="Pictures">${sitting}<ink-gallery .painting=${painting} .at=${this.at}></ink-gallery></div>
      </div>
      ${this.wide ? nothing : html`<div class="paintdock"><button class="btn" type="button" aria-haspopup="dialog" @click=${() => this.form()}><span>${painting.draft.prompt || "What should it paint?"}</span></button>
          <button class="btn icon-only" type="button" aria-haspopup="dialog" aria-label="Model, seed and steps" @click=${() => this.form()}>${icon("settings")}</button>
          <button class="btn primary" type="button" @click=${this.#quick}>Paint</button></div>
        <dialog class="sheet" id="paint-sheet" aria-label="Prompt and settings" closedby="any"><div class="window-head"><h2>What to paint</h2><button class="btn ghost icon-only" type="button" aria-label="Close" @click=${() => this.querySelector("#paint-sheet").close()}>${icon("x")}</button></div>${form}</dialog>`}
      <ink-masker .painting=${painting}></ink-masker>`;
  }

  /* The dock's button asks for what the form holds. */
  #quick() {
    if (!this.painting.draft.prompt.trim()) this.form();
    else this.querySelector("ink-paint-form form").requestSubmit();
  }

  #painted() {
    this.querySelector("#paint-sheet")?.close();
    if (this.at) location.hash = "images";
    this.querySelector(".stage").scrollTo({ top: 0 });
    if (!this.wide) scrollTo({ top: 0 });
  }

  #mask() {
    if (!this.painting.from) return;
    this.querySelector("#paint-sheet")?.close();
    this.querySelector("ink-masker").show();
  }
}

customElements.define("ink-images", Images);
