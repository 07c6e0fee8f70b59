// <ink-chart>: the losses of a job as they come: held-out in cinnabar, training in grey, labels at the lines' ends. Its Table says the same in numbers.

import { html, nothing, svg } from "lit";
import { logTicks, ticks } from "./curve.js";
import { InkElement } from "./element.js";
import { count, learningRate, loss, perplexity, rate } from "./format.js";

const HEIGHT = 236;   // pixels
const RISEN = 1.005;  // as the server's rules have it: a held-out loss this much above the best is memorising

class Chart extends InkElement {
  static properties = { curve: { attribute: false }, steps: { attribute: false }, memorising: { attribute: false }, look: { state: true } };

  constructor() {
    super();
    this.look = "loss";
  }

  render() {
    const { curve, look } = this, empty = curve.steps.length === 0 && curve.evaluations.length === 0;
    const button = (name, label) => html`<button type="button" aria-pressed=${look === name} @click=${() => { this.look = name; }}>${label}</button>`;
    return html`<div class="card-head"><h2 id="loss-title">Loss</h2><span class="small quiet desk-only">lower is better</span>
        <div class="end seg" role="group" aria-label="How to show it">${button("loss", "Loss")}${button("log", "Log")}${button("table", "Table")}</div></div>
      ${empty ? html`<p class="quiet small">The first points appear here when the first step is done.</p>`
        : look === "table" ? this.#table() : html`${this.#plot()}<div class="strips">${this.#strip("Learning rate", "learningRate", learningRate)}${this.#strip("Speed", "tokensPerSecond", rate)}</div>`}`;
  }

  #plot() {
    const { curve } = this, training = curve.smoothed(), heldOut = curve.evaluations.filter(each => each.loss !== null), { best } = curve;
    const last = Math.max(this.steps, curve.steps.at(-1)?.step ?? 0, heldOut.at(-1)?.step ?? 0, 1);
    const all = [...training, ...heldOut].map(point => point.loss), log = this.look === "log";
    const floor = log ? Math.max(Math.min(...all), 1e-4) : Math.min(...all), top = Math.max(...all, floor * 1.001);
    const pad = log ? (Math.log(top) - Math.log(floor)) * 0.08 || 0.1 : (top - floor) * 0.08 || 0.1;
    const [low, high] = log ? [Math.log(floor) - pad, Math.log(top) + pad] : [Math.max(0, floor - pad), top + pad];
    const y = value => 100 - 100 * ((log ? Math.log(Math.max(value, 1e-4)) : value) - low) / (high - low), x = step => 100 * step / last;
    const marks = log ? logTicks(Math.exp(low), Math.exp(high)) : ticks(low, high), gap = 100 * 22 / HEIGHT;
    const shown = marks.filter((mark, i) => i === 0 || Math.abs(y(mark) - y(marks[i - 1])) > gap / 2);
    const line = points => points.map((point, i) => `${i ? "L" : "M"}${point.step} ${y(point.loss).toFixed(2)}`).join("");
    const ends = this.#ends(training.at(-1), heldOut.at(-1), x, y), zone = this.memorising && best && heldOut.at(-1).loss > best.loss * RISEN;
    const right = best && x(best.step) < 60;   // curves fall: there is room on the right
    const up = best && x(best.step) > 76 ? 30 : 0;   // where the lines end their own words stand
    return html`<div class="plot">
      <svg class="chart" height=${HEIGHT} aria-hidden="true">${shown.map(mark => svg`<text x="0" y="${y(mark)}%" dy="4">${mark}</text>`)}</svg>
      <svg class="chart" height=${HEIGHT} role="img" aria-labelledby="chart-title chart-text"><title id="chart-title">Loss while training</title><desc id="chart-text">${this.#sentence(training, heldOut, best)}</desc>
        <svg viewBox="0 0 ${last} 100" preserveAspectRatio="none" width="100%" height="100%">
          ${zone ? svg`<rect class="zone" x=${best.step} y="0" width=${heldOut.at(-1).step - best.step} height="100"/>` : nothing}
          ${shown.map(mark => svg`<line class="grid" x1="0" x2=${last} y1=${y(mark)} y2=${y(mark)}/>`)}
          <path class="ln a" d=${line(training)}/><path class="ln b" d=${line(heldOut)}/></svg>
        ${best && best.step > 0 ? svg`<line class="rule" x1="${x(best.step)}%" x2="${x(best.step)}%" y1="0" y2="100%"/><circle class="dot" cx="${x(best.step)}%" cy="${y(best.loss)}%" r="5"/>
          <text class="ink" x="${x(best.step)}%" y="${Math.max(y(best.loss), up ? 34 : 22)}%" dx=${right ? 9 : -9} dy=${-34 - up} text-anchor=${right ? "start" : "end"}>best: ${loss(best.loss)}</text>
          <text x="${x(best.step)}%" y="${Math.max(y(best.loss), up ? 34 : 22)}%" dx=${right ? 9 : -9} dy=${-18 - up} text-anchor=${right ? "start" : "end"}>step ${count(best.step)}</text>` : nothing}
        ${zone ? svg`<text class="w" x="${x(best.step)}%" y="14" dx="8">memorising</text>` : nothing}
        ${ends.map(({ name, at, text, anchor }) => svg`<text class=${name} x="${at[0]}%" y="${at[1]}%" dx=${anchor === "end" ? -9 : 9} dy="4" text-anchor=${anchor}>${text}</text>`)}
      </svg>
      <div class="ends num"><span>step 0</span><span>${count(Math.round(last / 2))}</span><span>${count(last)}</span></div></div>`;
  }

  /* What each line is, at its end; the two apart by a line of text. Near the right edge the words stand before the end, above the one line and below the other. */
  #ends(training, heldOut, x, y) {
    const ends = [];
    if (heldOut) ends.push({ name: "b", text: `held-out ${loss(heldOut.loss)}`, at: [x(heldOut.step), y(heldOut.loss)], anchor: "start" });
    if (training) ends.push({ name: "a", text: `training ${loss(training.loss)}`, at: [x(training.step), y(training.loss)], anchor: "start" });
    const apart = 100 * 17 / HEIGHT;
    for (const end of ends) if (end.at[0] > 76) end.anchor = "end";
    if (ends.length === 2) {
      const [above, below] = ends[0].at[1] <= ends[1].at[1] ? ends : [ends[1], ends[0]];
      if (above.anchor === "end" || below.anchor === "end") { above.at[1] -= apart; below.at[1] += apart; }
      const near = apart - (below.at[1] - above.at[1]);
      if (near > 0) { above.at[1] -= near / 2; below.at[1] += near / 2; }
      if (below.at[1] > 97) { above.at[1] -= Math.max(0, apart - (97 - above.at[1])); below.at[1] = 97; }
    }
    return ends;
  }

  #sentence(training, heldOut, best) {
    const from = points => `from ${loss(points[0].loss)} to ${loss(points.at(-1).loss)}`;
    const parts = [];
    if (training.length) parts.push(`Training loss goes ${from(training)} by step ${count(training.at(-1).step)}.`);
    if (heldOut.length) parts.push(`Held-out loss goes ${from(heldOut)} by step ${count(heldOut.at(-1).step)}; the lowest is ${loss(best.loss)} at step ${count(best.step)}.`);
    if (this.memorising) parts.push("It has begun to memorise.");
    return `${parts.join(" ")} Table shows the same in numbers.`;
  }

  /* A small line below: what else changes over the run. */
  #strip(name, key, shown) {
    const points = this.curve.steps.filter(each => each[key] !== null), now = points.at(-1)?.[key];
    if (now === undefined) return nothing;
    const last = Math.max(this.steps, points.at(-1).step), top = Math.max(...points.map(each => each[key])) || 1, every = Math.ceil(points.length / 300);
    const d = points.filter((_, i) => i % every === 0 || i === points.length - 1).map((each, i) => `${i ? "L" : "M"}${each.step} ${(30 - 28 * each[key] / top).toFixed(1)}`).join("");
    return html`<div class="strip"><span>${name} <b>${shown(now)}</b></span>
      <svg class="chart" height="32" viewBox="0 0 ${last} 32" preserveAspectRatio="none" aria-hidden="true"><path class="ln a" d=${d}/></svg></div>`;
  }

  #table() {
    const rows = this.curve.rows(), { best } = this.curve;
    if (!rows.length) return html`<p class="quiet small">Rows appear here with the first evaluation.</p>`;
    return html`<div class="table" tabindex="0" role="region" aria-label="Losses at each evaluation"><table>
      <thead><tr><th scope="col">Step</th><th scope="col" align="right">Held-out</th><th scope="col" align="right">Perplexity</th><th scope="col" align="right">Training</th>
        <th scope="col" align="right">Learning rate</th><th scope="col" align="right">Speed</th></tr></thead>
      <tbody>${rows.map(row => html`<tr><th scope="row">${count(row.step)}${row.step === best?.step ? html` <span class="chip live">best</span>` : nothing}</th><td align="right">${loss(row.heldOut)}</td>
        <td align="right">${perplexity(row.heldOut)}</td><td align="right">${loss(row.training)}</td><td align="right">${learningRate(row.learningRate)}</td>
        <td align="right">${row.tokensPerSecond ? rate(row.tokensPerSecond) : "–"}</td></tr>`)}</tbody></table></div>`;
  }
}

customElements.define("ink-chart", Chart);
