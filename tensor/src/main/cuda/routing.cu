// The choice of experts, and the sum of what they say. Must equal the methods of the same names of ReferenceKernels and ReferenceGradients.
// Choosing: a warp for each row, four in a block; shared memory for each warp: 2 (experts + groups) floats. Experts of a warp's row lie in shared memory, expert e at lane e % 32, so that no
// two lanes meet in a bank; nothing is written but the choice.
#include "elements.cuh"

enum { WARPS = 4 };

// The index of the largest of the values, the first of equals, for every lane; 0 where none is above -inf.
DEVICE int largest_index(const float *values, int count) {
  int index = 0;
  float best = -INFINITY;
  for (int e = threadIdx.x & 31; e < count; e += 32) if (values[e] > best) { best = values[e]; index = e; }
  for (int mask = 16; mask > 0; mask >>= 1) {
    float other = shuffle_xor(best, mask);
    int otherIndex = shuffle_xor(index, mask);
    if (other > best || (other == best && otherIndex < index)) { best = other; index = otherIndex; }
  }
  return index;
}

DEVICE float chance(float score) { return 1.0f / (1.0f + expf(-score)); }

// The largest score and one over the sum of the exponentials, for every lane.
DEVICE void softmax_of(const float *scores, int count, float *most, float *share) {
  int lane = threadIdx.x & 31;
  float largest = -INFINITY, sum = 0.0f;
  for (int e = lane; e < count; e += 32) largest = fmaxf(largest, scores[e]);
  *most = largest = warp_max(largest);
  for (int e = lane; e < count; e += 32) sum += expf(scores[e] - largest);
  *share = 1.0f / warp_sum(sum);
}

// Experts outside the groups with the largest sums of their two best get a rank that is never chosen. added: whether ranks are what is summed, or p.
DEVICE void close_groups(float *ranks, const float *p, bool added, float *sums, float *open, int count, int groups, int groupsUsed) {
  int lane = threadIdx.x & 31, size = count / groups;
  for (int g = lane; g < groups; g += 32) {
    int first = g * size, second = -1;
    for (int e = g * size + 1; e < (g + 1) * size; e++) {
      if (ranks[e] > ranks[first]) { second = first; first = e; }
      else if (second < 0 || ranks[e] > ranks[second]) second = e;
    }
    const float *values = added ? ranks : p;
    sums[g] = values[first] + values[second];
    open[g] = 0.0f;
  }
  __syncwarp();
  for (int i = 0; i < groupsUsed; i++) {
    int group = largest_index(sums, groups);
    __syncwarp();
    if (lane == 0) { sums[group] = -INFINITY; open[group] = 1.0f; }
    __syncwarp();
  }
  for (int e = lane; e < count; e += 32) if (open[e / size] == 0.0f) ranks[e] = -INFINITY;
  __syncwarp();
}

// experts, weights [rows, used]; scores [rows, count]; bias [count] or null. softmax, normalised: 0 or 1.
KERNEL route(int *experts, float *weights, const float *scores, const float *bias, i64 rows, int count, int used, int softmax, int normalised, float scale, int groups, int groupsUsed) {
  DYNAMIC_SHARED(float, shared);
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  i64 row = (i64)blockIdx.x * WARPS + warp;
  if (row >= rows) return;
  float *p = shared + warp * 2 * (count + groups), *ranks = p + count, *sums = ranks + count, *open = sums + groups;
  const float *own = scores + row * count;
  float most = 0.0f, share = 0.0f;
  if (softmax) softmax_of(own, count, &most, &share);
  for (int e = lane; e < count; e += 32) {
    float score = own[e];
    p[e] = softmax ? expf(score - most) * share : chance(score);
    ranks[e] = bias ? p[e] + bias[e] : score;                                       // scores stand in the order of their probabilities, and differ where those round to the same
  }
  __syncwarp();
  if (groups > 1) close_groups(ranks, p, bias != nullptr, sums, open, count, groups, groupsUsed);
  int *chosen = experts + row * used;
  float sum = 0.0f;
  for (int j = 0; j < used; j++) {
    int best = largest_index(ranks, count);
    sum += p[best];
    __syncwarp();                                                                   // every lane has read the ranks
    if (lane == 0) {
      chosen[j] = best;
      ranks[best] = -INFINITY;
    }
    __syncwarp();
  }
  for (int j = lane; j < used; j += 32) weights[row * used + j] = (normalised ? p[chosen[j]] / sum : p[chosen[j]]) * scale;
}
REGISTER(route)

// What the weights of the chosen say of the scores. Grid, block as route; shared memory for each warp: count floats.
KERNEL route_gradient(float *dScores, const float *dWeights, const int *experts, const float *weights, const float *scores, i64 rows, int count, int used, int softmax, int normalised,
                      float scale) {
  DYNAMIC_SHARED(float, shared);
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  i64 row = (i64)blockIdx.x * WARPS + warp;
  if (row >= rows) return;
  float *dp = shared + warp * count;                                                // of the probabilities
  const float *own = scores + row * count, *dw = dWeights + row * used, *w = weights + row * used;
  const int *chosen = experts + row * used;
  float most = 0.0f, share = 0.0f, sum = 0.0f, mean = 0.0f, along = 0.0f;
  if (softmax) softmax_of(own, count, &most, &share);
  for (int e = lane; e < count; e += 32) dp[e] = 0.0f;
  for (int j = lane; j < used; j += 32) {
    float score = own[chosen[j]];
    sum += softmax ? expf(score - most) * share : chance(score);
    mean += dw[j] * w[j] / scale;
  }
  sum = warp_sum(sum);
  mean = warp_sum(mean);
  __syncwarp();
  for (int j = lane; j < used; j += 32) {
    float score = own[chosen[j]], g = normalised ? scale * (dw[j] - mean) / sum : dw[j] * scale;
    dp[chosen[j]] = g;
    along += g * (softmax ? expf(score - most) * share : 0.0f);
  }
  along = warp_sum(along);
  __syncwarp();
  for (int e = lane; e < count; e += 32) {
    float score = own[e], s = chance(score);
    dScores[row * count + e] += softmax ? expf(score - most) * share * (dp[e] - along) : dp[e] * s * (1.0f - s);
  }
}
REGISTER(route_gradient)

// y[i] = sum over j of weights[i][j] x[i used + j]. Grid and block: those of cell_of; a thread owns four columns of a row of y.
KERNEL weighted_sum(float *y, const float *x, const float *weights, int used, i64 rows, int columns, int shift) {
  Cell own = cell_of(rows, columns, shift, (u64)y | (u64)x, columns);
  if (own.count == 0) return;
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f}, v[4];
  for (int j = 0; j < used; j++) {
    float weight = weights[own.row * used + j];
    load(v, x, Four{(own.row * used + j) * columns + own.column, own.count, own.whole});
    #pragma unroll
    for (int i = 0; i < 4; i++) sum[i] += weight * v[i];
  }
  store(y, sum, in_rows(own, columns, 0));
}
REGISTER(weighted_sum)

// Grid: a block of 256 threads for each row of x; shared memory 128 bytes. Row r of x, which is expert r % used of row r / used: dx += dy weights[r], dWeights[r] += dy . x.
KERNEL weighted_sum_gradient(float *dx, float *dWeights, const float *dy, const float *x, const float *weights, int used, int columns) {
  __shared__ float parts[32];
  i64 from = (i64)blockIdx.x * columns, to = (i64)(blockIdx.x / used) * columns;
  float weight = weights[blockIdx.x], dot = 0.0f;
  bool aligned = (((u64)dx | (u64)dy | (u64)x) & 15) == 0 && (columns & 3) == 0;
  for (int c = 4 * threadIdx.x; c < columns; c += 4 * blockDim.x) {
    int count = columns - c < 4 ? columns - c : 4;
    float d[4], v[4];
    load(d, dy, Four{to + c, count, aligned});
    if (dWeights) {
      load(v, x, Four{from + c, count, aligned});
      dot += (d[0] * v[0] + d[1] * v[1]) + (d[2] * v[2] + d[3] * v[3]);
    }
    #pragma unroll
    for (int i = 0; i < 4; i++) d[i] *= weight;
    add_to(dx, d, Four{from + c, count, aligned});
  }
  if (!dWeights) return;
  dot = block_sum(dot, parts);
  if (threadIdx.x == 0) dWeights[blockIdx.x] += dot;
}
REGISTER(weighted_sum_gradient)
