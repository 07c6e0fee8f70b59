// Ways to tune a model, in words; the names are those of the field.

export const METHODS = {
  lora: { name: "LoRA", says: "Learns a small addition and leaves the model as it is. Usually right.", adapter: true },
  qlora: { name: "QLoRA", says: "The same on a model with fewer bits a weight: least memory.", adapter: true },
  dora: { name: "DoRA", says: "LoRA that also learns how long each weight's row is. A little better, a little slower.", adapter: true },
  full: { name: "Full", says: "Changes every weight. Most memory, and forgets more of what the model knew." },
  dpo: { name: "DPO", says: "Learns from pairs of a better and a worse answer.", adapter: true },
};

/** "LoRA, rank 16" or "Full". */
export function methodOf({ method, rank }) {
  const { name, adapter } = METHODS[method];
  return adapter ? `${name}, rank ${rank}` : name;
}
