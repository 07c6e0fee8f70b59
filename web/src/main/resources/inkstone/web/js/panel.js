// <ink-panel>: the settings of the open chat, and what happens under the hood.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { path } from "./conversation.js";
import { SessionElement } from "./element.js";
import { bytes, count, parameters, speed } from "./format.js";
import { icon } from "./icon.js";
import { changed, lengths, reading, SAMPLING, SLIDERS, value } from "./settings.js";
import { typed } from "./typed.js";

const LARGEST_SEED = 2 ** 31 - 1;

class Panel extends SessionElement {
  render() {
    const { settings } = this.session.chat, defaults = this.session.studio?.defaults ?? {};
    const sampled = SAMPLING.some(key => key in settings);
    return html`
      ${this.#model()}
      <details class="fold" open><summary>Instructions ${this.#dot("system")}</summary><div><div class="field">
        <label class="sr" for="system">Instructions for the model</label>
        <textarea class="input small" id="system" rows="3" placeholder="For example: short answers, code in Java" .value=${live(settings.system ?? "")}
          @input=${e => this.#set("system", e.target.value)}></textarea>
        ${this.session.studio?.model?.chatTemplate === false ? html`<span class="hint">Stands before the text, because this model has no chat template.</span>` : nothing}
      </div></div></details>
      <details class="fold" open><summary>Voice</summary><div>${this.#slider("temperature")}${this.#length(defaults)}</div></details>
      <details class="fold"><summary>Sampling ${sampled ? html`<span class="dot"></span><span class="sr">changed</span>` : nothing}
        <span class="sum">top-k ${reading("top_k", value(settings, defaults, "top_k"))}, top-p ${reading("top_p", value(settings, defaults, "top_p"))}</span></summary>
        <div>${["top_k", "top_p", "min_p", "repeat_penalty"].map(key => this.#slider(key))}${this.#seed(settings)}</div></details>
      <details class="fold" open><summary>Under the hood</summary><div>${this.#hood()}</div></details>`;
  }

  updated() {
    for (const slider of this.querySelectorAll("input[type=range]")) {
      slider.style.setProperty("--at", `${100 * (slider.value - slider.min) / (slider.max - slider.min)}%`);
    }
  }

  #model() {
    const { model, machine } = this.session.studio ?? {};
    if (!model) return nothing;
    return html`<div class="modelcard">
      <div class="row"><b>${model.id}</b><span class="chip">${model.format}</span></div>
      <span class="quiet">${parameters(model.parameters)} parameters, ${bytes(model.bytes)} weights, holds ${count(model.contextLength)} tokens</span>
      <meter min="0" max=${machine.memoryTotal} value=${machine.memoryUsed} aria-label="Memory in use"></meter>
      <span class="quiet">${bytes(machine.memoryUsed)} of ${bytes(machine.memoryTotal)} memory in use</span>
      ${model.chatTemplate ? nothing : html`<span class="chip info">${icon("info")}This model continues text</span>`}
    </div>`;
  }

  #slider(key) {
    const { label, min, max, step, ends } = SLIDERS[key], now = value(this.session.chat.settings, this.session.studio?.defaults, key) ?? min;
    return this.#range(key, label, { min, max, step, at: now, text: reading(key, now), ends, chosen: at => at });
  }

  /* The slider runs over stops, because lengths matter by their ratio: 16 to 32 is as large a step as 2,048 to 4,096. */
  #length(defaults) {
    const { settings } = this.session.chat, contextLength = this.session.studio?.model?.contextLength;
    if (!contextLength) return nothing;
    const standard = Math.min(defaults.max_tokens, contextLength), stops = lengths(contextLength, standard), now = Math.min(settings.max_tokens ?? standard, contextLength);
    return this.#range("max_tokens", SLIDERS.max_tokens.label, { min: 0, max: stops.length - 1, step: 1, at: stops.findIndex(stop => stop >= now),
      text: reading("max_tokens", now), chosen: i => stops[i] === standard ? undefined : stops[i] });
  }

  #range(key, label, { min, max, step, at, text, ends, chosen }) {
    return html`<div class="field"><label for=${key}><span>${label} ${this.#dot(key)}</span><output for=${key}>${text}</output></label>
      <input type="range" id=${key} min=${min} max=${max} step=${step} .value=${live(String(at))} aria-valuetext=${text}
        @input=${e => this.#set(key, chosen(e.target.valueAsNumber))}>
      ${ends ? html`<div class="ends"><span>${ends[0]}</span><span>${ends[1]}</span></div>` : nothing}${this.#reset(key)}</div>`;
  }

  #seed({ seed }) {
    const input = event => {
      const text = event.target.value.trim(), number = Number(text), valid = text === "" || (Number.isInteger(number) && number >= 0 && number <= LARGEST_SEED);
      event.target.ariaInvalid = String(!valid);
      if (valid) this.#set("seed", text === "" ? undefined : number);
    };
    return html`<div class="field"><label for="seed"><span>Seed ${this.#dot("seed")}</span></label>
      <input class="input" id="seed" inputmode="numeric" autocomplete="off" placeholder="random each time" aria-describedby="seed-hint"
        .value=${typed(seed === undefined ? "" : String(seed))} @change=${input}>
      <span class="hint" id="seed-hint">The same seed and question give the same answer. Whole numbers up to ${count(LARGEST_SEED)}.</span>${this.#reset("seed")}</div>`;
  }

  #hood() {
    const facts = path(this.session.chat).findLast(m => m.facts?.total)?.facts, { model, kvCache } = this.session.studio ?? {};
    if (!facts) return html`<p class="small quiet">Speeds and memory appear here after the first answer.</p>`;
    const fact = (name, number, unit) => html`<div><dt>${name}</dt><dd>${number} <small>${unit}</small></dd></div>`;
    return html`<dl class="facts">
      ${fact("Reading", facts.readRate ? speed(facts.readRate) : "–", "tok/s")}
      ${fact("Writing", facts.rate ? speed(facts.rate) : "–", "tok/s")}
      ${fact("Context", count(this.session.contextUsed), model ? `of ${count(model.contextLength)}` : "tokens")}
      ${fact("From cache", count(facts.cached), `of ${count(facts.prompt)} read`)}
      ${kvCache ? fact("KV cache", bytes(kvCache.bytes).split(" ")[0], `${bytes(kvCache.bytes).split(" ")[1]}, ${kvCache.dtype}`) : nothing}
    </dl>`;
  }

  #dot(key) {
    return key in this.session.chat.settings ? html`<span class="dot"></span><span class="sr">changed</span>` : nothing;
  }

  #reset(key) {
    if (!(key in this.session.chat.settings)) return nothing;
    return html`<button class="btn ghost reset" type="button" aria-label="Reset ${SLIDERS[key]?.label ?? "Seed"}"
      @click=${() => this.#set(key, undefined)}>Reset</button>`;
  }

  #set(key, to) {
    this.session.set(changed(this.session.chat.settings, this.session.studio?.defaults, key, to));
  }
}

customElements.define("ink-panel", Panel);
