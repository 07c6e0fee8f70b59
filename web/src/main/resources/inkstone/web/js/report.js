// What was understood of a file of examples: how many, how long, what is odd, and the first five as the model sees them.

import { html, nothing, svg } from "lit";
import { count, short } from "./format.js";
import { icon } from "./icon.js";

/**
 * report: the server's; null while it is being made. `onFormat(id)` reads the file as another format; without it that cannot be changed any more.
 */
export function reportView(report, name, onFormat) {
  const bad = report?.findings.some(({ severity }) => severity === "bad"), chosen = report?.formats.find(({ id }) => id === report.format);
  return html`<div class="card-head"><h2>${name}</h2>${report
      ? html`<span class="chip ${bad ? "bad" : "ok"} end">${icon(bad ? "warn" : "ok")}${bad ? "Look here" : "Ready"}</span>` : html`<span class="chip end">Reading</span>`}</div>
    ${report ? html`
      ${onFormat && report.formats.length > 1 ? html`<div class="field as"><label for="format">Read as</label>
          <select class="input" id="format" .value=${report.format} @change=${event => onFormat(event.target.value)}>
            ${report.formats.map(({ id, name }) => html`<option value=${id} ?selected=${id === report.format}>${name}</option>`)}</select></div>`
        : html`<p class="small quiet as">Read as ${chosen?.name ?? report.format}</p>`}
      <dl class="facts"><div><dt>Examples</dt><dd>${count(report.examples)}</dd></div>
        <div><dt>Tokens</dt><dd>${short(report.tokens)} <small>${short(report.learnedTokens)} learned</small></dd></div>
        <div><dt>Held out</dt><dd>${report.examples ? Math.round(100 * report.heldOut / report.examples) : 0}% <small>${count(report.heldOut)} examples</small></dd></div></dl>
      ${report.lengths ? histogram(report.lengths) : nothing}
      ${report.findings.map(finding)}
      ${report.first.length ? html`<details class="fold"><summary>The first ${report.first.length === 1 ? "one" : count(report.first.length)} as the model sees ${report.first.length === 1 ? "it" : "them"}
        <span class="sum">what it learns to write is marked</span></summary>
        <ol class="seen">${report.first.map(spans => html`<li><pre tabindex="0">${spans.map(({ text, learned }) => learned
          ? html`<mark><span class="sr">learned: </span>${text}</mark>` : html`<span>${text}</span>`)}</pre></li>`)}</ol></details>` : nothing}` : nothing}`;
}

function histogram({ shortest, typical, longest, bins }) {
  const top = Math.max(...bins, 1), wide = 10;
  return html`<div class="hist"><svg class="chart" height="56" role="img" aria-label="Length of the examples: from ${shortest} to ${longest} tokens, typically ${typical}">
      <svg viewBox="0 0 ${bins.length * wide} 70" preserveAspectRatio="none" width="100%" height="100%">
        ${bins.map((n, i) => svg`<rect class="hb" x=${i * wide + 0.6} y=${70 - 68 * n / top} width=${wide - 1.2} height=${68 * n / top}/>`)}</svg></svg>
    <div class="ends num"><span>${count(shortest)} tokens</span><span>typical ${count(typical)}</span><span>${count(longest)}</span></div></div>`;
}

function finding({ severity, title, text, rows }) {
  const said = html`<span class="chip ${severity}">${icon("warn")}${title}</span> <span class="small">${text}</span>`;
  if (!rows.length) return html`<p class="finding">${said}</p>`;
  return html`<details class="fold finding"><summary>${said}<span class="sum">See them</span></summary>
    <ol class="rows">${rows.map(({ line, text }) => html`<li><span class="quiet">line ${count(line)}</span><span>${text}</span></li>`)}</ol></details>`;
}
