// What can be set for a chat. A conversation keeps only what someone changed; everything else follows the server's defaults, which the panel shows.

/** Sliders of the panel: range, the words at their ends, and how a value reads. `off` is the value at which a filter does nothing. */
export const SLIDERS = {
  temperature: { label: "Temperature", min: 0, max: 2, step: 0.05, ends: ["careful", "inventive"] },
  max_tokens: { label: "Longest answer", unit: "tokens" },
  top_k: { label: "Top-k", min: 0, max: 200, step: 1, off: 0 },
  top_p: { label: "Top-p", min: 0, max: 1, step: 0.01, off: 1 },
  min_p: { label: "Min-p", min: 0, max: 1, step: 0.01, off: 0 },
  repeat_penalty: { label: "Repetition penalty", min: 1, max: 2, step: 0.05, off: 1 },
};

export const SAMPLING = ["top_k", "top_p", "min_p", "repeat_penalty", "seed"];

/** The value in force: what was chosen here, else the server's default. */
export function value(settings, defaults, key) {
  return settings[key] ?? defaults?.[key];
}

export function reading(key, value) {
  const slider = SLIDERS[key];
  if (value === undefined || value === null) return "";
  if (value === slider.off) return "off";
  return value.toLocaleString("en") + (slider.unit ? ` ${slider.unit}` : "");
}

/** Settings with one value changed; a value equal to the default is no longer a change. */
export function changed(settings, defaults, key, value) {
  const { [key]: _, ...rest } = settings;
  return value === undefined || value === "" || value === defaults?.[key] ? rest : { ...rest, [key]: value };
}

/** The fields of a request: only what was changed, so that a default has one place, the server. */
export function requestFields({ system, ...fields }) {
  return fields;
}

/** Lengths that the slider stops at: doubling with one step between, up to what the model can hold; the default is among them. */
export function lengths(contextLength, standard) {
  const stops = new Set([standard, contextLength].filter(n => n > 0));
  for (let n = 16; n < contextLength; n *= 2) stops.add(n).add(Math.min(n * 1.5, contextLength));
  return [...stops].sort((a, b) => a - b);
}
