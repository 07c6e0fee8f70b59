"""Numbers that NetworksTest and others hold: small networks with the topology of Stable Diffusion and weights of a rule (RandomPictureWeights), computed by numpy in float64.

Run in the root of the repository: python3 diffusion/src/test/python/networks.py ../shared/tools/image-oracle (ref.py there, which was compared with stable-diffusion.cpp). numpy 2.4.6.
Prints for each result: mean, standard deviation, and the first 8 numbers, pictures as [channel, row, column].
"""
import sys, math
import numpy as np
sys.path.insert(0, sys.argv[1])
import ref
from ref import M, attn, qgelu, silu
from math import erf
ref.F = np.float64
ref.GELU = lambda x: 0.5 * x * (1 + np.vectorize(erf)(x / np.sqrt(2)))


def uniform(name, count):
    """count numbers in [-1, 1): SplitMix64 (Steele et al. 2014) from the FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for b in name.encode():
        seed = (seed ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z = z ^ z >> np.uint64(31)
    return 2 * ((z >> np.uint64(40)).astype(np.float64) / 2 ** 24) - 1


def values(name, shape, deviation, mean=0.0):
    return (mean + uniform(name, int(np.prod(shape))) * math.sqrt(3) * deviation).astype(np.float16).astype(np.float64).reshape(shape)


def parameter(name, shape):
    if len(shape) > 1: return values(name, shape, 0.02 if "embedding" in name else 1 / math.sqrt(np.prod(shape[1:])))
    return values(name, shape, 0.02) if name.endswith(".bias") else values(name, shape, 0.05, 1)


class Network(M):
    """ref.M on parameters of the rule. Its methods ask by full names of the file; the rule has names without the prefix."""
    def __init__(self): self.h, self.c = {}, {}
    def add(self, prefix, name, shape): self.h[prefix + name] = (name, shape)
    def g(self, k):
        if k not in self.c: self.c[k] = parameter(*self.h[k])
        return self.c[k]
    def lin(self, p, n, o, i, b=True):
        self.add(p, n + ".weight", (o, i))
        if b: self.add(p, n + ".bias", (o,))
    def conv(self, p, n, o, i, k): self.add(p, n + ".weight", (o, i, k, k)); self.add(p, n + ".bias", (o,))
    def norm(self, p, n, c): self.add(p, n + ".weight", (c,)); self.add(p, n + ".bias", (c,))


def show(title, x):
    print(title, x.shape, "%.9g, %.9g" % (x.mean(), x.std()), ", ".join("%.9g" % v for v in x.reshape(-1)[:8]))


def unet_parameters(m, mc, mult, depth, middle, ctx, labels):
    U = "model.diffusion_model."; te = 4 * mc
    m.lin(U, "time_embed.0", te, mc); m.lin(U, "time_embed.2", te, te)
    if labels: m.lin(U, "label_emb.0.0", te, labels); m.lin(U, "label_emb.0.2", te, te)
    def res(n, i, o):
        m.norm(U, n + ".in_layers.0", i); m.conv(U, n + ".in_layers.2", o, i, 3); m.lin(U, n + ".emb_layers.1", o, te)
        m.norm(U, n + ".out_layers.0", o); m.conv(U, n + ".out_layers.3", o, o, 3)
        if i != o: m.conv(U, n + ".skip_connection", o, i, 1)
    def st(n, c, d):
        m.norm(U, n + ".norm", c); m.conv(U, n + ".proj_in", c, c, 1); m.conv(U, n + ".proj_out", c, c, 1)
        for t in range(d):
            b = n + ".transformer_blocks.%d." % t
            for a, k in (("attn1", c), ("attn2", ctx)):
                m.lin(U, b + a + ".to_q", c, c, False); m.lin(U, b + a + ".to_k", c, k, False); m.lin(U, b + a + ".to_v", c, k, False); m.lin(U, b + a + ".to_out.0", c, c)
            m.lin(U, b + "ff.net.0.proj", 8 * c, c); m.lin(U, b + "ff.net.2", c, 4 * c)
            for i in (1, 2, 3): m.norm(U, b + "norm%d" % i, c)
    m.conv(U, "input_blocks.0.0", mc, 4, 3); ch = mc; chans = [mc]; idx = 0; last = len(mult) - 1
    for i, k in enumerate(mult):
        for j in range(2):
            idx += 1; res("input_blocks.%d.0" % idx, ch, k * mc); ch = k * mc
            if depth[i]: st("input_blocks.%d.1" % idx, ch, depth[i])
            chans.append(ch)
        if i < last: idx += 1; m.conv(U, "input_blocks.%d.0.op" % idx, ch, ch, 3); chans.append(ch)
    res("middle_block.0", ch, ch); st("middle_block.1", ch, middle); res("middle_block.2", ch, ch); o = 0
    for i in range(last, -1, -1):
        for j in range(3):
            ic = chans.pop(); res("output_blocks.%d.0" % o, ch + ic, mult[i] * mc); ch = mult[i] * mc; k = 1
            if depth[i]: st("output_blocks.%d.1" % o, ch, depth[i]); k = 2
            if i > 0 and j == 2: m.conv(U, "output_blocks.%d.%d.conv" % (o, k), ch, ch, 3)
            o += 1
    m.norm(U, "out.0", mc); m.conv(U, "out.2", 4, mc, 3)


def transformer(m, n, x, ctx, heads):
    C, H, W = x.shape; r = x; x = m.C(n + ".proj_in", m.GN(n + ".norm", x, 1e-6)).reshape(C, -1).T; i = 0; h = heads or max(1, C // 64)
    while n + ".transformer_blocks.%d.norm1.weight" % i in m.h:
        b = n + ".transformer_blocks.%d." % i; y = m.LN(b + "norm1", x)
        x = x + m.L(b + "attn1.to_out.0", attn(m.L(b + "attn1.to_q", y), m.L(b + "attn1.to_k", y), m.L(b + "attn1.to_v", y), h)); y = m.LN(b + "norm2", x)
        x = x + m.L(b + "attn2.to_out.0", attn(m.L(b + "attn2.to_q", y), m.L(b + "attn2.to_k", ctx), m.L(b + "attn2.to_v", ctx), h))
        y = m.L(b + "ff.net.0.proj", m.LN(b + "norm3", x)); a, g = np.split(y, 2, 1); x = x + m.L(b + "ff.net.2", a * ref.GELU(g)); i += 1
    return r + m.C(n + ".proj_out", x.T.reshape(C, H, W))


def sinusoid(t, d):
    f = np.exp(-math.log(10000) * np.arange(d // 2) / (d // 2)) * t
    return np.concatenate([np.cos(f), np.sin(f)])


def unet(m, x, t, ctx, heads, y, blocks):
    U = "model.diffusion_model."; mc = m.g(U + "time_embed.0.weight").shape[1]
    e = m.L(U + "time_embed.2", silu(m.L(U + "time_embed.0", sinusoid(t, mc))))
    if y is not None: e = e + m.L(U + "label_emb.0.2", silu(m.L(U + "label_emb.0.0", y)))
    h = m.C(U + "input_blocks.0.0", x); hs = [h]
    for i in range(1, blocks):
        n = U + "input_blocks.%d" % i
        if n + ".0.op.weight" in m.h: h = m.C(n + ".0.op", h, stride=2, pad=1)
        else:
            h = m.res(n + ".0", h, e)
            if n + ".1.norm.weight" in m.h: h = transformer(m, n + ".1", h, ctx, heads)
        hs.append(h)
    h = m.res(U + "middle_block.0", h, e); h = transformer(m, U + "middle_block.1", h, ctx, heads); h = m.res(U + "middle_block.2", h, e)
    for i in range(blocks):
        n = U + "output_blocks.%d" % i; h = m.res(n + ".0", np.concatenate([h, hs.pop()]), e)
        for j in (1, 2):
            if n + ".%d.norm.weight" % j in m.h: h = transformer(m, n + ".%d" % j, h, ctx, heads)
            elif n + ".%d.conv.weight" % j in m.h: h = m.C(n + ".%d.conv" % j, ref.up2(h))
    return m.C(U + "out.2", silu(m.GN(U + "out.0", h, 1e-5)))


def vae(m, ch):
    V = "first_stage_model."; mult = (1, 2, 4, 4)
    def res(n, i, o):
        m.norm(V, n + ".norm1", i); m.conv(V, n + ".conv1", o, i, 3); m.norm(V, n + ".norm2", o); m.conv(V, n + ".conv2", o, o, 3)
        if i != o: m.conv(V, n + ".nin_shortcut", o, i, 1)
    def mid(n, c):
        res(n + ".block_1", c, c); m.norm(V, n + ".attn_1.norm", c); res(n + ".block_2", c, c)
        for k in ("q", "k", "v", "proj_out"): m.conv(V, n + ".attn_1." + k, c, c, 1)
    m.conv(V, "post_quant_conv", 4, 4, 1); c = 4 * ch; m.conv(V, "decoder.conv_in", c, 4, 3); mid("decoder.mid", c)
    for i in (3, 2, 1, 0):
        for j in range(3): res("decoder.up.%d.block.%d" % (i, j), c, ch * mult[i]); c = ch * mult[i]
        if i: m.conv(V, "decoder.up.%d.upsample.conv" % i, c, c, 3)
    m.norm(V, "decoder.norm_out", c); m.conv(V, "decoder.conv_out", 3, c, 3)
    m.conv(V, "quant_conv", 8, 8, 1); c = ch; m.conv(V, "encoder.conv_in", c, 3, 3)
    for i in range(4):
        for j in range(2): res("encoder.down.%d.block.%d" % (i, j), c, ch * mult[i]); c = ch * mult[i]
        if i < 3: m.conv(V, "encoder.down.%d.downsample.conv" % i, c, c, 3)
    mid("encoder.mid", c); m.norm(V, "encoder.norm_out", c); m.conv(V, "encoder.conv_out", 8, c, 3)


def encode(m, x):
    E = "first_stage_model.encoder."; h = m.C(E + "conv_in", x)
    for i in range(4):
        for j in range(2): h = m.vres(E + "down.%d.block.%d" % (i, j), h)
        if i < 3: h = m.C(E + "down.%d.downsample.conv" % i, h, stride=2, pad=((0, 1), (0, 1)))
    h = m.vres(E + "mid.block_2", m.vattn(E + "mid.attn_1", m.vres(E + "mid.block_1", h)))
    return m.C("first_stage_model.quant_conv", m.C(E + "conv_out", silu(m.GN(E + "norm_out", h, 1e-6))))


def clip(m, ids, width, layers, heads, act):
    P = "text_model."; m.add("", P + "embeddings.token_embedding.weight", (49408, width)); m.add("", P + "embeddings.position_embedding.weight", (77, width)); states = []
    for l in range(layers):
        q = P + "encoder.layers.%d." % l
        for k in ("q_proj", "k_proj", "v_proj", "out_proj"): m.lin("", q + "self_attn." + k, width, width)
        m.norm("", q + "layer_norm1", width); m.norm("", q + "layer_norm2", width); m.lin("", q + "mlp.fc1", 4 * width, width); m.lin("", q + "mlp.fc2", width, 4 * width)
    m.norm("", P + "final_layer_norm", width); m.add("", "text_projection.weight", (width, width))
    x = m.g(P + "embeddings.token_embedding.weight")[ids] + m.g(P + "embeddings.position_embedding.weight"); mask = np.triu(np.full((77, 77), -np.inf), 1)
    for l in range(layers):
        q = P + "encoder.layers.%d." % l; y = m.LN(q + "layer_norm1", x); a = q + "self_attn."
        x = x + m.L(a + "out_proj", attn(m.L(a + "q_proj", y), m.L(a + "k_proj", y), m.L(a + "v_proj", y), heads, mask)); y = m.LN(q + "layer_norm2", x)
        x = x + m.L(q + "mlp.fc2", act(m.L(q + "mlp.fc1", y))); states.append(x)
    last = m.LN(P + "final_layer_norm", x)
    return last, states[-2], m.L("text_projection", last[ids.index(49407)])


if __name__ == "__main__":
    tokens = ref.tokenizer()
    for text in ("a lovely cat", "A  photo of an ASTRONAUT's 3 horses, riding!!", "caf\u00e9 \u732b \U0001F431 l'\u00e9t\u00e9"): print(text, [i for i in tokens(text) if i < 49406])
    m = Network(); unet_parameters(m, 32, (1, 2, 4, 4), (1, 1, 1, 0), 1, 64, 0)
    show("unet sd1", unet(m, values("x", (4, 16, 8), 1), 500.25, values("context", (77, 64), 1), 8, None, 12))
    m = Network(); unet_parameters(m, 32, (1, 2, 4), (0, 1, 2), 2, 96, 48)
    show("unet xl", unet(m, values("x", (4, 8, 12), 1), 37.5, values("context", (77, 96), 1), 0, values("labels", (48,), 1), 9))
    m = Network(); vae(m, 32)
    show("vae decode", m.decode(values("latent", (4, 4, 3), 1) * 0.18215))
    show("vae encode", encode(m, values("picture", (3, 24, 32), 0.5)))
    last, before, pooled = clip(Network(), tokens("a lovely cat"), 64, 3, 4, qgelu)
    show("clip last", last); show("clip penultimate", before); show("clip pooled", pooled)
    last, before, pooled = clip(Network(), tokens("a lovely cat", 0), 64, 3, 4, ref.GELU)
    show("open clip last", last); show("open clip penultimate", before); show("open clip pooled", pooled)
    # A whole picture: 64 x 64 pixels, 3 Euler steps of the normal schedule, guidance 7, PyTorch's noise of seed 42.
    m = Network(); unet_parameters(m, 32, (1, 2, 4, 4), (1, 1, 1, 0), 1, 64, 0); vae(m, 32)
    text = [clip(Network(), tokens(t), 64, 3, 1, qgelu)[0] for t in ("a lovely cat", "")]
    sigmas = ref.sigmas_all(); logs = np.log(sigmas); levels = [float(np.exp(np.interp(t, np.arange(1000), logs))) for t in np.linspace(999, 0, 3)] + [0.0]
    x = ref.torch_randn(42, 256).astype(np.float64).reshape(4, 8, 8) * levels[0]
    for s, after in zip(levels, levels[1:]):
        e, u = [unet(m, x / math.sqrt(s * s + 1), float(np.interp(math.log(s), logs, np.arange(1000))), t, 8, None, 12) for t in text]
        x = x + (u + 7 * (e - u)) * (after - s)
    show("latent", x)
    picture = m.decode(x); show("picture", picture)
    print("bytes", ", ".join(str(int(v)) for v in np.clip(np.round((picture + 1) * 127.5), 0, 255).transpose(1, 2, 0).reshape(-1)[:24]))
