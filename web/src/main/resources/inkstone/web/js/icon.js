import { html } from "lit";

/** A symbol from the sprite in index.html, for the eye only: what it means is said by the text or label beside it. */
export const icon = name => html`<svg class="icon" aria-hidden="true"><use href="#i-${name}"></use></svg>`;
