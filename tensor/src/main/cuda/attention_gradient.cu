// The way back through attention without a matrix of scores in memory (Dao et al. 2022, arXiv:2205.14135, appendix B). Must equal attention and crossAttention of ReferenceGradients.
//
// q, k, v and dy are packed as bfloat16 [heads][n][width], widths filled up with zeros to a multiple of 16 (attention_gradient_pack). Then three passes of one shape: a block owns 16
// rows for each of its warps (1 to 4) of one head, and meets the rows of the other side, 32 at a time, those of the next step arriving (cp.async) while these are worked on:
//   log_sums  owns queries and meets keys:     the logarithm of each row's sum of exponentials
//   queries   owns queries and meets keys:     dq, for a block of the features of a head
//   keys      owns keys and meets the queries of all query heads of its key head: dk and dv, for a block of features
// Every product is a tensor core's; scores stay in registers, where the result of one product has the layout of the next one's left factor: that is why keys own rows too, and
// transposed scores are computed for them. Sums are F32, probabilities and their gradients are rounded to bfloat16 for the second product. Nothing is added by two blocks, so sums
// have one order. What a row sees is an interval that moves up with the row, on either side (attention_gradient_bounds), so that a block meets one interval of rows.
// Scores are in units of ln 2, for exp2.
//
// Grid: tiles of own rows · heads · blocks of features, in this order from slow to fast; queries from the last tile, keys from the first, which under a causal mask have most to do.
// Dynamic shared memory: (own rows + 2 · 32) · (width of keys + width of values + 16) · 2 bytes: own rows, then two steps of rows met. 16 bytes behind each row shift its banks, so
// that load_matrices has no conflicts; behind rows of queries that are met lie their log-sum and share.
// Designed for 4 warps, two blocks a multiprocessor with heads of 128 (70 KB, at most 255 registers), three with heads of 64 (37 KB).
#include "port.cuh"

#define MET 32
#define LOG2E 1.44269504088896340736f

enum Pass { LOG_SUMS, QUERIES, KEYS };

// ---- what the passes need -------------------------------------------------------------------------------------------------------------------------------------

// Of each row: the rows that its query sees, from seesLow on and below seesHigh; those whose queries see its key; and itself where its query sees nothing else, or -1.
// Grid: one thread a row, blocks of 256. starts grow along rows.
KERNEL attention_gradient_bounds(int *seesLow, int *seesHigh, int *seenLow, int *seenHigh, int *lone, const int *starts, int n, int window, int causal, int sinks) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int start = max(0, min(starts[i], i)), end = i + 1, beyond = n;
  while (end < beyond) {
    int middle = end + (beyond - end) / 2;
    if (starts[middle] > start) beyond = middle;
    else end = middle + 1;
  }
  int low = causal ? (window ? max(start, i + 1 - window) : start) : start, high = causal ? i + 1 : end;
  seesLow[i] = low;
  seesHigh[i] = high;
  seenLow[i] = causal ? i : start;
  seenHigh[i] = window && window < end - i ? i + window : end;
  lone[i] = high - low == 1 && !sinks ? i : -1;
}
REGISTER(attention_gradient_bounds)

// Stands for every row.
#define EVERY -2

// The same of sequences of `queries` rows of q with `keys` rows of k each, of which the first lengths[sequence] count, or all where lengths is null; n and all: rows of all sequences. Keys that do
// not count are seen by an empty interval. loneKeys: EVERY where a key is all that its queries see. Grid: one thread a row of the longer side, blocks of 256.
KERNEL attention_gradient_cross_bounds(int *seesLow, int *seesHigh, int *seenLow, int *seenHigh, int *lone, int *loneKeys, const int *lengths, int n, int all, int queries, int keys) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    int sequence = i / queries, length = lengths ? lengths[sequence] : keys;
    seesLow[i] = sequence * keys;
    seesHigh[i] = sequence * keys + length;
    lone[i] = length == 1 ? sequence * keys : -1;
  }
  if (i < all) {
    int sequence = i / keys, place = i % keys, length = lengths ? lengths[sequence] : keys;
    seenHigh[i] = (sequence + 1) * queries;
    seenLow[i] = place < length ? sequence * queries : seenHigh[i];
    loneKeys[i] = length == 1 && place == 0 ? EVERY : -1;
  }
}
REGISTER(attention_gradient_cross_bounds)

// packed[head][row][0 .. width) = x[row][head][0 .. dim), then zeros. Grid: one block a row, of 256 threads, each of which owns groups of four of a row.
KERNEL attention_gradient_pack(u16 *packed, const float *x, i64 n, int heads, int dim, int width) {
  i64 row = blockIdx.x;
  int groups = width / 4;
  for (int g = threadIdx.x; g < heads * groups; g += blockDim.x) {
    int head = g / groups, d = g % groups * 4;
    const float *from = x + row * heads * dim + (i64)head * dim + d;
    float a = 0.0f, b = 0.0f, c = 0.0f, e = 0.0f;
    if (dim % 4 == 0) {
      if (d < dim) {
        float4 four = *(const float4 *)from;
        a = four.x;
        b = four.y;
        c = four.z;
        e = four.w;
      }
    } else {
      if (d < dim) a = from[0];
      if (d + 1 < dim) b = from[1];
      if (d + 2 < dim) c = from[2];
      if (d + 3 < dim) e = from[3];
    }
    uint2 pairs;
    pairs.x = pack_bf16(a, b);
    pairs.y = pack_bf16(c, e);
    *(uint2 *)(packed + (head * n + row) * width + d) = pairs;
  }
}
REGISTER(attention_gradient_pack)

// shares[head][row] = sum of dy y over the head's features. Grid: one warp for each head of each row, blocks of 256.
KERNEL attention_gradient_shares(float *shares, const float *dy, const float *y, i64 n, int heads, int dim) {
  i64 part = (i64)blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
  if (part >= n * heads) return;
  float sum = 0.0f;
  for (int d = threadIdx.x & 31; d < dim; d += 32) sum += dy[part * dim + d] * y[part * dim + d];
  sum = warp_sum(sum);
  if ((threadIdx.x & 31) == 0) shares[part % heads * n + part / heads] = sum;
}
REGISTER(attention_gradient_shares)

// ---- tiles ----------------------------------------------------------------------------------------------------------------------------------------------------

// Rows from first on, and zeros from row n on, to shared memory, without waiting; all threads of the block, eight a row.
DEVICE void fetch(u16 *to, const u16 *from, int first, int rows, int n, int width) {
  for (int r = threadIdx.x >> 3; r < rows; r += blockDim.x >> 3) {
    int row = first + r, count = row < n ? 16 : 0;
    const u16 *source = from + (i64)min(row, n - 1) * width;
    for (int at = (threadIdx.x & 7) * 8; at < width; at += 64) copy_async(to + r * (width + 8) + at, source + at, count);
  }
}

// scores = own metᵀ: 16 rows of a warp by MET, over all of the width. scores[t][i] is own row lane / 4 + 8 (i / 2), met row 8 t + 2 (lane % 4) + i % 2.
DEVICE void products(float (&scores)[MET / 8][4], const u16 *own, const u16 *met, int width, int lane) {
  int stride = width + 8;
  const u16 *a = own + (lane & 15) * stride + (lane >> 4) * 8, *b = met + ((lane >> 4) * 8 + (lane & 7)) * stride + (lane >> 3 & 1) * 8;
  #pragma unroll
  for (int t = 0; t < MET / 8; t++) for (int i = 0; i < 4; i++) scores[t][i] = 0.0f;
  #pragma unroll 4
  for (int k = 0; k < width; k += 16) {
    u32 left[4], right[4];
    load_matrices(left, a + k);
    #pragma unroll
    for (int t = 0; t < MET / 8; t += 2) {
      load_matrices(right, b + t * 8 * stride + k);
      multiply_bf16(scores[t], left, right);
      multiply_bf16(scores[t + 1], left, right + 2);
    }
  }
}

// sums += weights met, of features from .. from + D - 1 of the met rows, as many as there are; sums[t][i] is own row lane / 4 + 8 (i / 2), feature from + 8 t + 2 (lane % 4) + i % 2.
template <int D> DEVICE void accumulate(float (&sums)[D / 8][4], const float (&weights)[MET / 8][4], const u16 *met, int width, int from, int lane) {
  int stride = width + 8;
  const u16 *b = met + (lane & 15) * stride + from + (lane >> 4) * 8;
  #pragma unroll
  for (int t = 0; t < MET / 8; t += 2) {
    u32 left[4] = {pack_bf16(weights[t][0], weights[t][1]), pack_bf16(weights[t][2], weights[t][3]),
      pack_bf16(weights[t + 1][0], weights[t + 1][1]), pack_bf16(weights[t + 1][2], weights[t + 1][3])};
    #pragma unroll
    for (int f = 0; f < D / 8; f += 2) {
      if (from + 8 * f >= width) continue;
      u32 right[4];
      load_matrices_transposed(right, b + t * 8 * stride + 8 * f);
      multiply_bf16(sums[f], left, right);
      multiply_bf16(sums[f + 1], left, right + 2);
    }
  }
}

// y[row][feature] += sums · factor, for the features of a head that there are.
template <int D> DEVICE void add(float *y, i64 stride, const float (&sums)[D / 8][4], int row, int n, int from, int dim, float factor, int lane) {
  #pragma unroll
  for (int f = 0; f < D / 8; f++) {
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      int r = row + lane / 4 + 8 * (i / 2), feature = from + 8 * f + 2 * (lane % 4) + i % 2;
      if (r < n && feature < dim) y[r * stride + feature] += sums[f][i] * factor;
    }
  }
}

// ---- the passes -----------------------------------------------------------------------------------------------------------------------------------------------

// Packed inputs and what all passes are told: low, high and lone of own rows; n rows of queries, `all` of keys; widths are of packed rows; logSums and shares [heads][n]; bias, added to the scores of
// `queries` rows with `keys` rows of each sequence, [heads][queries][keys] or null.
struct Call {
  const u16 *q, *k, *v, *dy;
  float *logSums;
  const float *shares;
  const int *low, *high, *lone;
  int n, heads, kvHeads, keyWidth, valueWidth;
  float scale, cap;
  int all;
  const float *bias;
  int queries, keys;
};

// Own rows against met rows. ownSums: dq or dk, valueSums: dv, either null where it is not wanted; D features of each for every value of feature block, of `blocks`.
template <int PASS, int D> DEVICE void pass(Call call, float *ownGradient, float *valueGradient, const float *sinks, int keyDim, int valueDim, int blocks) {
  DYNAMIC_SHARED(u16, shared);
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, ownRows = (blockDim.x >> 5) * 16, n = PASS == KEYS ? call.all : call.n, others = PASS == KEYS ? call.n : call.all, tiles = (n + ownRows - 1) / ownRows;
  int heads = PASS == KEYS ? call.kvHeads : call.heads, group = call.heads / call.kvHeads;
  int block = blockIdx.x % blocks, head = blockIdx.x / blocks % heads, tile = blockIdx.x / blocks / heads, from = block * D;
  if (PASS != KEYS) tile = tiles - 1 - tile;
  int first = tile * ownRows, last = min(first + ownRows, n) - 1, low = call.low[first], high = call.high[last];
  int steps = (high - low + MET - 1) / MET, count = PASS == KEYS ? group * steps : steps;

  // shared memory: own rows of keys' width, and of values', then two steps of the same
  bool values = PASS != LOG_SUMS;
  int keyWidth = call.keyWidth, valueWidth = call.valueWidth, keyStride = keyWidth + 8, valueStride = values ? valueWidth + 8 : 0;
  u16 *own = shared, *ownValues = own + ownRows * keyStride, *met = ownValues + ownRows * valueStride;
  const u16 *ownFrom = (PASS == KEYS ? call.k : call.q) + (i64)head * n * keyWidth, *ownValuesFrom = (PASS == KEYS ? call.v : call.dy) + (i64)head * n * valueWidth;
  int metHead = PASS == KEYS ? head * group : head / group;
  const u16 *metFrom = (PASS == KEYS ? call.q : call.k) + (i64)metHead * others * keyWidth, *metValuesFrom = (PASS == KEYS ? call.dy : call.v) + (i64)metHead * others * valueWidth;

  // where the step to fetch next lies: a head of those met, counted from the first, and a row
  int nextHead = 0, nextRow = low;
  auto rowsOf = [&](int step) { return met + (step & 1) * MET * (keyStride + valueStride); };
  // log-sum and share of queries that are met: thread t < MET has those of row t of a step
  float metLog = 0.0f, metShare = 0.0f;
  auto arrive = [&](int step) {
    if (step < count) {
      fetch(rowsOf(step), metFrom + (i64)nextHead * others * keyWidth, nextRow, MET, others, keyWidth);
      if (values) fetch(rowsOf(step) + MET * keyStride, metValuesFrom + (i64)nextHead * others * valueWidth, nextRow, MET, others, valueWidth);
      if (PASS == KEYS && threadIdx.x < MET) {
        i64 at = (i64)(metHead + nextHead) * others + min(nextRow + (int)threadIdx.x, others - 1);
        metLog = call.logSums[at];
        metShare = call.shares[at];
      }
      nextRow += MET;
      if (nextRow >= high) {
        nextRow = low;
        nextHead++;
      }
    }
    copy_async_commit();
  };
  auto keep = [&](int step) {
    if (PASS != KEYS || threadIdx.x >= MET || step >= count) return;
    float *pair = (float *)(rowsOf(step) + threadIdx.x * keyStride + keyWidth);
    pair[0] = metLog;
    pair[1] = metShare;
  };

  fetch(own, ownFrom, first, ownRows, n, keyWidth);
  if (values) fetch(ownValues, ownValuesFrom, first, ownRows, n, valueWidth);
  arrive(0);
  keep(0);

  // of the thread's two own rows; a row beyond the last one computes what is never written
  int rowLow[2], rowHigh[2], rowLone[2];
  float rowLog[2] = {0.0f, 0.0f}, rowShare[2] = {0.0f, 0.0f};
  #pragma unroll
  for (int h = 0; h < 2; h++) {
    int row = min(first + warp * 16 + lane / 4 + 8 * h, n - 1);
    rowLow[h] = call.low[row];
    rowHigh[h] = call.high[row];
    rowLone[h] = call.lone[row];
    if (PASS == QUERIES) {
      rowLog[h] = call.logSums[(i64)head * n + row];
      rowShare[h] = call.shares[(i64)head * n + row];
    }
  }
  int wholeLow = call.low[last], wholeHigh = call.high[first];

  float scores[MET / 8][4], slopes[MET / 8][4], ownSums[D / 8][4], valueSums[D / 8][4];
  #pragma unroll
  for (int f = 0; f < D / 8; f++) for (int i = 0; i < 4; i++) ownSums[f][i] = valueSums[f][i] = 0.0f;
  // of log_sums: the largest score so far that the thread has met, and the sum of exponentials, both of its columns alone
  float largest[2] = {-3e38f, -3e38f}, sum[2] = {0.0f, 0.0f};

  for (int step = 0, row = low; step < count; step++, row = row + MET < high ? row + MET : low) {
    arrive(step + 1);
    copy_async_wait<1>();
    __syncthreads();
    const u16 *rows = rowsOf(step), *rowsValues = rows + MET * keyStride;
    bool whole = row >= wholeLow && row + MET <= wholeHigh;             // every own row sees, or is seen by, every row of the step

    products(scores, own + warp * 16 * keyStride, rows, keyWidth, lane);
    if (values) products(slopes, ownValues + warp * 16 * valueStride, rowsValues, valueWidth, lane);

    #pragma unroll
    for (int t = 0; t < MET / 8; t++) {
      #pragma unroll
      for (int i = 0; i < 4; i++) {
        const float *pair = (const float *)(rows + (8 * t + 2 * (lane & 3) + (i & 1)) * keyStride + keyWidth);
        float log = PASS == KEYS ? pair[0] : rowLog[i / 2], share = PASS == KEYS ? pair[1] : rowShare[i / 2], score = scores[t][i], slope = slopes[t][i] - share;
        if (call.cap == 0.0f) {
          score *= call.scale * LOG2E;
        } else {
          float part = tanhf(score * call.scale / call.cap);
          score = call.cap * LOG2E * part;
          slope *= 1.0f - part * part;
        }
        if (call.bias) {
          int own = first + warp * 16 + lane / 4 + 8 * (i / 2), other = row + 8 * t + 2 * (lane & 3) + (i & 1), query = PASS == KEYS ? other : own, key = PASS == KEYS ? own : other;
          int biased = PASS == KEYS ? metHead + step / steps : head;
          if (query < call.n && key < call.all) score += call.bias[((i64)biased * call.queries + query % call.queries) * call.keys + key % call.keys] * LOG2E;
        }
        if (values) {
          score = fast_exp2(score - log);
          slope *= score;
        }
        scores[t][i] = score;
        if (values) slopes[t][i] = slope;
      }
    }
    if (!whole || rowLone[0] == EVERY || rowLone[1] == EVERY) {
      #pragma unroll
      for (int t = 0; t < MET / 8; t++) {
        #pragma unroll
        for (int i = 0; i < 4; i++) {
          int other = row + 8 * t + 2 * (lane & 3) + (i & 1);
          bool sees = other >= rowLow[i / 2] && other < rowHigh[i / 2];
          if (!sees) scores[t][i] = values ? 0.0f : -INFINITY;
          // who sees one position has no choice: rounding would leave something where nothing is
          if (values && (!sees || other == rowLone[i / 2] || rowLone[i / 2] == EVERY)) slopes[t][i] = 0.0f;
        }
      }
    }

    if (values) {
      if (PASS == KEYS && valueGradient) accumulate<D>(valueSums, scores, rowsValues, valueWidth, from, lane);
      if (ownGradient) accumulate<D>(ownSums, slopes, rows, keyWidth, from, lane);
    } else {
      #pragma unroll
      for (int h = 0; h < 2; h++) {
        float most = largest[h];
        #pragma unroll
        for (int t = 0; t < MET / 8; t++) most = fmaxf(most, fmaxf(scores[t][2 * h], scores[t][2 * h + 1]));
        sum[h] *= fast_exp2(largest[h] - most);
        largest[h] = most;
        #pragma unroll
        for (int t = 0; t < MET / 8; t++) sum[h] += fast_exp2(scores[t][2 * h] - most) + fast_exp2(scores[t][2 * h + 1] - most);
      }
    }
    keep(step + 1);
    __syncthreads();
  }

  if (values) {
    int ownRow = first + warp * 16;
    i64 keyRow = (i64)heads * keyDim, valueRow = (i64)heads * valueDim;
    if (ownGradient) add<D>(ownGradient + (i64)head * keyDim, keyRow, ownSums, ownRow, n, from, keyDim, call.scale, lane);
    if (PASS == KEYS && valueGradient) add<D>(valueGradient + (i64)head * valueDim, valueRow, valueSums, ownRow, n, from, valueDim, 1.0f, lane);
  } else {
    #pragma unroll
    for (int h = 0; h < 2; h++) {
      // the four threads of a row, then the sink, a position seen before all others
      float most = largest[h], total = sum[h];
      for (int mask = 1; mask <= 2; mask <<= 1) {
        float otherMost = shuffle_xor(most, mask), otherTotal = shuffle_xor(total, mask), both = fmaxf(most, otherMost);
        total = total * fast_exp2(most - both) + otherTotal * fast_exp2(otherMost - both);
        most = both;
      }
      if (sinks) {
        float sink = sinks[head] * LOG2E, both = fmaxf(most, sink);
        total = total * fast_exp2(most - both) + fast_exp2(sink - both);
        most = both;
      }
      int row = first + warp * 16 + lane / 4 + 8 * h;
      if (lane % 4 == 0 && row < n) call.logSums[(i64)head * n + row] = most + log2f(total);
    }
  }
}

// logSums[head][row] = log2 of the sum of exponentials of the row's scores, in units of ln 2.
KERNEL __launch_bounds__(128) attention_gradient_log_sums(float *logSums, const u16 *q, const u16 *k, const float *sinks, const int *low, const int *high, int n, int heads, int kvHeads,
  int keyWidth, float scale, float cap, int all, const float *bias, int queries, int keys) {
  Call call = {q, k, 0, 0, logSums, 0, low, high, low, n, heads, kvHeads, keyWidth, 0, scale, cap, all, bias, queries, keys};
  pass<LOG_SUMS, 16>(call, 0, 0, sinks, 0, 0, 1);
}
REGISTER(attention_gradient_log_sums)

#define ARGUMENTS const u16 *q, const u16 *k, const u16 *v, const u16 *dy, float *logSums, const float *shares, const int *low, const int *high, const int *lone, \
  int n, int heads, int kvHeads, int keyDim, int valueDim, int keyWidth, int valueWidth, int blocks, float scale, float cap, \
  int all, const float *bias, int queries, int keys
#define CALL {q, k, v, dy, logSums, shares, low, high, lone, n, heads, kvHeads, keyWidth, valueWidth, scale, cap, all, bias, queries, keys}

// D features of a head for each block of features: 64 for narrow heads, with fewer registers, or 128. low and high of queries: what they see; of keys: who sees them.
#define PASSES(D, RESIDENT) \
KERNEL __launch_bounds__(128, RESIDENT) attention_gradient_queries_##D(float *dq, ARGUMENTS) { \
  Call call = CALL; \
  pass<QUERIES, D>(call, dq, 0, 0, keyDim, valueDim, blocks); \
} \
REGISTER(attention_gradient_queries_##D) \
KERNEL __launch_bounds__(128, RESIDENT) attention_gradient_keys_##D(float *dk, float *dv, ARGUMENTS) { \
  Call call = CALL; \
  pass<KEYS, D>(call, dk, dv, 0, keyDim, valueDim, blocks); \
} \
REGISTER(attention_gradient_keys_##D)

PASSES(64, 3)
PASSES(128, 2)
