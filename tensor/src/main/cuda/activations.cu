// Functions of each element. Grid and block: those of four_of (elements.cuh); shared memory: none; a thread owns four elements of each tensor.
// Must equal the methods of the same names of ReferenceKernels and ReferenceGradients; add, scale and mul to the bit, for which one rounded operation an element suffices.
// Designed to be bound by memory on every GPU: an exponential and a division an element are far from that limit.
#include "elements.cuh"

DEVICE float sigmoid(float z) { return 1.0f / (1.0f + expf(-z)); }

DEVICE float silu_slope(float z) { float s = sigmoid(z); return s * (1.0f + z * (1.0f - s)); }

// gelu(z) = z / 2 (1 + tanh(u)) = z / (1 + exp(-2 u)) with u = sqrt(2 / pi) (z + 0.044715 z^3).
DEVICE float gelu_share(float z) { return sigmoid(1.5957691216057308f * z * (1.0f + 0.044715f * z * z)); }
DEVICE float gelu_of(float z) { return z * gelu_share(z); }
DEVICE float gelu_slope(float z) {
  float s = gelu_share(z);
  return s + z * s * (1.0f - s) * 1.5957691216057308f * (1.0f + 0.134145f * z * z);
}

template <class F> DEVICE void each(float *y, const float *x, i64 count, F f) {
  Four own = four_of(count, (u64)y | (u64)x);
  float v[4];
  load(v, x, own);
  #pragma unroll
  for (int i = 0; i < 4; i++) v[i] = f(v[i]);
  store(y, v, own);
}

template <class F> DEVICE void each_pair(float *y, const float *a, const float *b, i64 count, F f) {
  Four own = four_of(count, (u64)y | (u64)a | (u64)b);
  float u[4], v[4];
  load(u, a, own);
  load(v, b, own);
  #pragma unroll
  for (int i = 0; i < 4; i++) u[i] = f(u[i], v[i]);
  store(y, u, own);
}

// dx += dy slope(x)
template <class F> DEVICE void each_slope(float *dx, const float *dy, const float *x, i64 count, F slope) {
  Four own = four_of(count, (u64)dx | (u64)dy | (u64)x);
  float d[4], v[4];
  load(d, dy, own);
  load(v, x, own);
  #pragma unroll
  for (int i = 0; i < 4; i++) d[i] *= slope(v[i]);
  add_to(dx, d, own);
}

// da += dy slopeA(a, b), db += dy slopeB(a, b); each destination may be null, and both may be one.
template <class F, class G> DEVICE void each_pair_slope(float *da, float *db, const float *dy, const float *a, const float *b, i64 count, F slopeA, G slopeB) {
  Four own = four_of(count, (u64)da | (u64)db | (u64)dy | (u64)a | (u64)b);
  float d[4], u[4], v[4], s[4];
  load(d, dy, own);
  load(u, a, own);
  load(v, b, own);
  if (da) {
    #pragma unroll
    for (int i = 0; i < 4; i++) s[i] = d[i] * slopeA(u[i], v[i]);
    add_to(da, s, own);
  }
  if (db) {
    #pragma unroll
    for (int i = 0; i < 4; i++) s[i] = d[i] * slopeB(u[i], v[i]);
    add_to(db, s, own);
  }
}

KERNEL add(float *y, const float *a, const float *b, i64 count) { each_pair(y, a, b, count, [](float u, float v) { return u + v; }); }
REGISTER(add)

KERNEL scale(float *y, const float *x, float factor, i64 count) { each(y, x, count, [factor](float z) { return z * factor; }); }
REGISTER(scale)

KERNEL mul(float *y, const float *a, const float *b, i64 count) { each_pair(y, a, b, count, [](float u, float v) { return u * v; }); }
REGISTER(mul)

KERNEL soft_cap(float *y, const float *x, float cap, i64 count) { each(y, x, count, [cap](float z) { return cap * tanhf(z / cap); }); }
REGISTER(soft_cap)

KERNEL swiglu(float *y, const float *gate, const float *up, i64 count) { each_pair(y, gate, up, count, [](float z, float u) { return z * sigmoid(z) * u; }); }
REGISTER(swiglu)

KERNEL gelu(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return gelu_of(z); }); }
REGISTER(gelu)

KERNEL geglu(float *y, const float *gate, const float *up, i64 count) { each_pair(y, gate, up, count, [](float z, float u) { return gelu_of(z) * u; }); }
REGISTER(geglu)

// By comparisons, so that NaN stays NaN.
DEVICE float at_most(float z, float limit) { return z > limit ? limit : z; }
DEVICE float held(float z, float limit) { return z > limit ? limit : z < -limit ? -limit : z; }

KERNEL clamped_swiglu(float *y, const float *gate, const float *up, float alpha, float limit, i64 count) {
  each_pair(y, gate, up, count, [alpha, limit](float z, float u) {
    float g = at_most(z, limit);
    return g * sigmoid(alpha * g) * (held(u, limit) + 1.0f);
  });
}
REGISTER(clamped_swiglu)

// ---- Elementwise: map_ and the function's name ------------------------------------------------------------------------------------------------------------

KERNEL map_silu(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return z * sigmoid(z); }); }
REGISTER(map_silu)

KERNEL map_sigmoid(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return sigmoid(z); }); }
REGISTER(map_sigmoid)

KERNEL map_tanh(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return tanhf(z); }); }
REGISTER(map_tanh)

KERNEL map_relu_squared(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return z <= 0.0f ? 0.0f : z * z; }); }
REGISTER(map_relu_squared)

KERNEL map_elu(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return z > 0.0f ? z : expm1f(z); }); }
REGISTER(map_elu)

// z times the share of a normal distribution below z, (1 + erf(z / sqrt(2))) / 2.
DEVICE float normal_share(float z) { return 0.5f * erfcf(-0.70710678f * z); }

KERNEL map_gelu_erf(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return z * normal_share(z); }); }
REGISTER(map_gelu_erf)

KERNEL map_quick_gelu(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return z * sigmoid(1.702f * z); }); }
REGISTER(map_quick_gelu)

KERNEL map_reciprocal_root(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return 1.0f / sqrtf(z); }); }
REGISTER(map_reciprocal_root)
KERNEL map_exp(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return expf(z); }); }
REGISTER(map_exp)

KERNEL leaky_relu(float *y, const float *x, float slope, i64 count) { each(y, x, count, [slope](float z) { return z > 0.0f ? z : slope * z; }); }
REGISTER(leaky_relu)

KERNEL map_softplus(float *y, const float *x, i64 count) { each(y, x, count, [](float z) { return (z > 0.0f ? z : 0.0f) + log1pf(expf(-fabsf(z))); }); }
REGISTER(map_softplus)

// ---- gradients --------------------------------------------------------------------------------------------------------------------------------------------

KERNEL scale_gradient(float *dx, const float *dy, float factor, i64 count) {
  Four own = four_of(count, (u64)dx | (u64)dy);
  float d[4];
  load(d, dy, own);
  #pragma unroll
  for (int i = 0; i < 4; i++) d[i] *= factor;
  add_to(dx, d, own);
}
REGISTER(scale_gradient)

KERNEL mul_gradient(float *da, float *db, const float *dy, const float *a, const float *b, i64 count) {
  each_pair_slope(da, db, dy, a, b, count, [](float, float v) { return v; }, [](float u, float) { return u; });
}
REGISTER(mul_gradient)

KERNEL soft_cap_gradient(float *dx, const float *dy, const float *y, float cap, i64 count) {
  each_slope(dx, dy, y, count, [cap](float z) { float t = z / cap; return (1.0f - t) * (1.0f + t); });
}
REGISTER(soft_cap_gradient)

KERNEL swiglu_gradient(float *dGate, float *dUp, const float *dy, const float *gate, const float *up, i64 count) {
  each_pair_slope(dGate, dUp, dy, gate, up, count, [](float z, float u) { return u * silu_slope(z); }, [](float z, float) { return z * sigmoid(z); });
}
REGISTER(swiglu_gradient)

KERNEL gelu_gradient(float *dx, const float *dy, const float *x, i64 count) { each_slope(dx, dy, x, count, [](float z) { return gelu_slope(z); }); }
REGISTER(gelu_gradient)

KERNEL geglu_gradient(float *dGate, float *dUp, const float *dy, const float *gate, const float *up, i64 count) {
  each_pair_slope(dGate, dUp, dy, gate, up, count, [](float z, float u) { return u * gelu_slope(z); }, [](float z, float) { return gelu_of(z); });
}
REGISTER(geglu_gradient)

// Nothing passes where a value was held.
KERNEL clamped_swiglu_gradient(float *dGate, float *dUp, const float *dy, const float *gate, const float *up, float alpha, float limit, i64 count) {
  each_pair_slope(dGate, dUp, dy, gate, up, count,
    [alpha, limit](float z, float u) {
      float s = sigmoid(alpha * z);
      return z < limit ? (held(u, limit) + 1.0f) * s * (1.0f + alpha * z * (1.0f - s)) : 0.0f;
    },
    [alpha, limit](float z, float u) {
      float g = at_most(z, limit);
      return fabsf(u) < limit ? g * sigmoid(alpha * g) : 0.0f;
    });
}
REGISTER(clamped_swiglu_gradient)

KERNEL map_silu_gradient(float *dx, const float *dy, const float *x, i64 count) { each_slope(dx, dy, x, count, [](float z) { return silu_slope(z); }); }
REGISTER(map_silu_gradient)

KERNEL map_sigmoid_gradient(float *dx, const float *dy, const float *x, i64 count) { each_slope(dx, dy, x, count, [](float z) { float s = sigmoid(z); return s * (1.0f - s); }); }
REGISTER(map_sigmoid_gradient)

KERNEL map_tanh_gradient(float *dx, const float *dy, const float *x, i64 count) {
  each_slope(dx, dy, x, count, [](float z) { float t = tanhf(z); return (1.0f - t) * (1.0f + t); });
}
REGISTER(map_tanh_gradient)

KERNEL map_relu_squared_gradient(float *dx, const float *dy, const float *x, i64 count) { each_slope(dx, dy, x, count, [](float z) { return z <= 0.0f ? 0.0f : 2.0f * z; }); }
REGISTER(map_relu_squared_gradient)

KERNEL map_elu_gradient(float *dx, const float *dy, const float *x, i64 count) { each_slope(dx, dy, x, count, [](float z) { return z > 0.0f ? 1.0f : expf(z); }); }
REGISTER(map_elu_gradient)

KERNEL map_gelu_erf_gradient(float *dx, const float *dy, const float *x, i64 count) {
  each_slope(dx, dy, x, count, [](float z) { return normal_share(z) + z * 0.3989422804f * expf(-0.5f * z * z); });
}
REGISTER(map_gelu_erf_gradient)

KERNEL map_quick_gelu_gradient(float *dx, const float *dy, const float *x, i64 count) {
  each_slope(dx, dy, x, count, [](float z) { float s = sigmoid(1.702f * z); return s * (1.0f + 1.702f * z * (1.0f - s)); });
}
REGISTER(map_quick_gelu_gradient)

KERNEL map_reciprocal_root_gradient(float *dx, const float *dy, const float *x, i64 count) { each_slope(dx, dy, x, count, [](float z) { return -0.5f / (z * sqrtf(z)); }); }
REGISTER(map_reciprocal_root_gradient)
KERNEL map_exp_gradient(float *dx, const float *dy, const float *x, i64 count) { each_slope(dx, dy, x, count, [](float z) { return expf(z); }); }
REGISTER(map_exp_gradient)

KERNEL leaky_relu_gradient(float *dx, const float *dy, const float *x, float slope, i64 count) {
  each_slope(dx, dy, x, count, [slope](float z) { return z > 0.0f ? 1.0f : slope; });
}
REGISTER(leaky_relu_gradient)

KERNEL map_softplus_gradient(float *dx, const float *dy, const float *x, i64 count) { each_slope(dx, dy, x, count, [](float z) { return sigmoid(z); }); }
REGISTER(map_softplus_gradient)
