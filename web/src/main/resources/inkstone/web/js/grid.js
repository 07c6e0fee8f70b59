// What a grid of variations can vary, and how its values are written. No DOM here.

export const PARAMETERS = {
  prompt: { label: "Prompt", words: true, example: "red apple\ngreen apple" },
  negative: { label: "Leave out", words: true, example: "text\nframe" },
  seed: { label: "Seed", example: "1..4" },
  steps: { label: "Steps", example: "5, 10, 20, 40" },
  guidance: { label: "Guidance", example: "1, 2, 4, 8" },
  rescale: { label: "Rescale", example: "0, 0.35, 0.7" },
  sampler: { label: "Sampler", names: true, example: "euler, heun" },
  schedule: { label: "Schedule of noise", names: true, example: "karras, simple" },
  eta: { label: "Eta", example: "0, 0.5, 1" },
  strength: { label: "How much may change", example: "0.3, 0.6, 0.9" },
};

const MOST = 64;

/** The values that a text lists: lines where values are words, else what stands between commas, with ranges such as 1..8 and 2..10/2 written out. */
export function valuesOf(parameter, text) {
  const { words, names } = PARAMETERS[parameter];
  const parts = text.split(words ? /\n/ : /[,\n]/).map(part => part.trim()).filter(part => part);
  return (words || names ? parts : parts.flatMap(range)).slice(0, MOST);
}

function range(part) {
  const match = /^(-?[\d.]+)\s*\.\.\s*(-?[\d.]+)(?:\s*\/\s*([\d.]+))?$/.exec(part);
  if (!match) return [part];
  const [from, to, step] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 1)], count = Math.floor((to - from) / step + 1e-9) + 1;
  if (!(step > 0) || !(count >= 1)) return [part];
  return Array.from({ length: Math.min(count, MOST) }, (_, i) => String(Number((from + i * step).toPrecision(12))));
}

/** How many pictures a grid has. */
export const pictures = grid => (grid?.x?.values.length ?? 0) * Math.max(1, grid?.y?.values.length ?? 0);
