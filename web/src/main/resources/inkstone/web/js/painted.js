// <ink-painted>: a picture in a conversation: as it forms, finished, or the word that it was not.

import { html, nothing } from "lit";
import { ChatError } from "./api.js";
import { PaintingElement } from "./element.js";
import { icon } from "./icon.js";
import { Painting } from "./painting.js";
import { pix } from "./sitting.js";

class Painted extends PaintingElement {
  static properties = { message: { attribute: false }, prompt: { attribute: false }, gone: { state: true } };

  constructor() {
    super();
    this.gone = "";   // id of a picture that does not come
  }

  render() {
    const { painting, message, prompt } = this, job = painting.job(message.job), pictures = message.pictures ?? job?.done.map(({ id }) => id) ?? [];
    if (pictures.length) return html`<div class="painted">${pictures.map(id => this.#picture(id))}</div>`;
    if (message.state === "failed" || !message.job) return nothing;
    if (!job) return painting.jobs ? html`<p class="quiet">This picture was not finished.</p>` : nothing;
    if (job.state === "failed") return html`<div class="note bad" role="alert">${icon("warn")}<p>The picture was not painted: ${job.problem}.</p></div>`;
    if (job.state === "cancelled") return html`<p class="quiet">Stopped before it was finished.</p>`;
    const frame = painting.frames(job.id, 0).findLast(each => each), percent = Painting.percent(job);
    return html`<div class="painted">${frame ? html`<img class="pix" src=${frame.predicted} alt="Being painted: ${prompt}">` : nothing}
      <progress max=${job.steps ? 100 : nothing} value=${job.steps ? percent : nothing} aria-label="Painting, ${percent} per cent"></progress>
      <div class="btns"><button class="btn" type="button" @click=${() => this.#stop(job)}>${icon("stop")}Stop</button><span class="small quiet">${job.state === "waiting" ? `waits for ${job.ahead} ${job.ahead === 1 ? "job" : "jobs"}` : job.steps ? `step ${job.step} of ${job.steps}` : "opening the model"}</span></div></div>`;
  }

  #picture(id) {
    if (this.gone === id) return html`<p class="quiet">This picture was deleted.</p>`;
    const known = this.painting.known(id);
    return html`<a href="#images/${id}" aria-label="Open in Images: ${this.prompt}"><img class=${known ? pix(known) : ""} src=${this.painting.src(`/api/images/${id}.png`) ?? ""} alt=${this.prompt} @error=${() => { this.gone = id; }}></a>`;
  }

  async #stop({ id }) {
    try {
      await this.painting.cancel(id);
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
      this.emit("toast", { text: error.message });
    }
  }
}

customElements.define("ink-painted", Painted);
