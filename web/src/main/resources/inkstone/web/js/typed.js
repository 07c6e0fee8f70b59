// typed(value): what a field shows, unless someone is typing in it. Like Lit's live(), but between the first letter and the field's "change" the field belongs to its
// writer: what an answer of the server draws anew meanwhile must not take the letters away.

import { noChange } from "lit";
import { Directive, directive } from "lit/directive.js";
import { setCommittedValue } from "lit/directive-helpers.js";

class Typed extends Directive {
  #field = null;
  #writing = false;

  render(value) {
    return value;
  }

  update(part, [value]) {
    const field = part.element;
    if (!this.#field) this.#watch(field);
    if (this.#writing || field.value === value && !field.validity.badInput) return noChange;   // what is no number reads as "", but stands there
    setCommittedValue(part);   // the field may hold another value than the last that was set here
    return value;
  }

  /* Before the form's own listeners are told of a change, so that what they draw is shown. Leaving the field ends the writing also where nothing was changed. */
  #watch(field) {
    this.#field = field;
    field.addEventListener("input", () => { this.#writing = true; });
    for (const end of ["change", "blur"]) field.addEventListener(end, () => { this.#writing = false; });
  }
}

export const typed = directive(Typed);
