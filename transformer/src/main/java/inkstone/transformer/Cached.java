package inkstone.transformer;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Recurrence;
import inkstone.tensor.Tensor;

/**
 * Rows that continue sequences whose earlier keys and values are in a paged cache: prefill, decoding, and any mix of both.
 *
 * @param positions I32 [n]
 * @param sequences I32 [n], each row's line in the page table
 * @param slots     I32 [n], where each row's key and value go: page · pageSize + offset
 * @param pageTable I32 [sequences, maxPages]
 * @param states    I32 [n], the first page of each row's sequence, which is the line of its states
 */
public record Cached(KvCache cache, Tensor positions, Tensor sequences, Tensor slots, Tensor pageTable, Tensor states) implements Context {
    @Override public Tensor attend(int layer, Tensor q, Tensor k, Tensor v, AttentionShape shape) {
        k.scatterRows(cache.keys(layer), slots);
        v.scatterRows(cache.values(layer), slots);
        return q.pagedAttention(cache.keys(layer), cache.values(layer), positions, sequences, pageTable, shape);
    }

    @Override public Recurrence recurrence(int layer, int state, int width) { return new Recurrence(cache.states(layer, state), states, positions); }
}
