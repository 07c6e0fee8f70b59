// <ink-compare>: what the page offers with a model that makes vectors of texts and does not chat. One text, others beside it, and how near each comes in meaning.

import { html, nothing } from "lit";
import { ChatError, embed } from "./api.js";
import { SessionElement } from "./element.js";
import { count, tokens } from "./format.js";
import { icon } from "./icon.js";

const SAMPLE = { text: "How do I keep bread fresh?", others: ["Store a loaf in a cloth bag.", "A cat sleeps on the roof.", "The train leaves at nine."] };

class Compare extends SessionElement {
  static properties = { found: { state: true }, problem: { state: true }, working: { state: true } };

  constructor() {
    super();
    this.found = null;   // { rows: [{ text, cosine }], tokens }
    this.problem = "";
    this.working = false;
  }

  render() {
    const { model } = this.session.studio;
    return html`<div class="scroll"><div class="compare">
      <section class="note" aria-labelledby="embeds">${icon("info")}
        <h2 id="embeds">This model reads, but does not chat</h2>
        <p>${model.id} turns a text into ${count(model.dimensions)} numbers that stand for its meaning: good for search, sorting and finding what belongs together.
          To chat, start Inkstone with a language model. Programs get the numbers from <code>POST /v1/embeddings</code>.</p></section>
      <form @submit=${this.#submit}>
        <div class="field"><label for="text">A text</label><input class="input" id="text" name="text" autocomplete="off" required .defaultValue=${SAMPLE.text}></div>
        <div class="field"><label for="others">Texts to compare it with, one a line</label>
          <textarea class="input" id="others" name="others" rows="5" required .defaultValue=${SAMPLE.others.join("\n")}></textarea></div>
        <button class="btn primary" type="submit" ?disabled=${this.working}>${this.working ? "Reading…" : "Compare"}</button>
      </form>
      <div role="status">${this.problem ? html`<div class="note bad">${icon("warn")}<p>${this.problem}</p></div>` : this.#result()}</div>
    </div></div>`;
  }

  #result() {
    if (!this.found) return nothing;
    return html`<h2>Nearest first</h2>
      <ol class="nearness">${this.found.rows.map(({ text, cosine }) => html`<li>
        <meter min="0" max="1" value=${Math.max(0, cosine)} aria-label="Similarity"></meter><b>${cosine.toFixed(2)}</b><span>${text}</span></li>`)}</ol>
      <p class="small quiet">1 is the same direction, 0 nothing in common. ${tokens(this.found.tokens)} read.</p>`;
  }

  async #submit(event) {
    event.preventDefault();
    const { text, others } = event.target.elements, rest = others.value.split("\n").map(line => line.trim()).filter(line => line);
    if (this.working || rest.length === 0) return;
    this.working = true;
    this.problem = "";
    try {
      const { vectors: [own, ...vectors], tokens } = await embed([text.value, ...rest]);
      const rows = vectors.map((vector, i) => ({ text: rest[i], cosine: vector.reduce((sum, x, j) => sum + x * own[j], 0) }));
      this.found = { rows: rows.sort((a, b) => b.cosine - a.cosine), tokens };
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.problem = error.message;
    } finally {
      this.working = false;
      this.session.refresh();
    }
  }
}

customElements.define("ink-compare", Compare);
