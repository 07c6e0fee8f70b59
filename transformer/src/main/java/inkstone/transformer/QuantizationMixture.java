package inkstone.transformer;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.TensorInfo;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The names by which people ask for a quantized model, and the format that each tensor of a GGUF file then gets. A mixture gives more bits to what suffers most: the
 * output matrix, values, down projections, and of those the first and last eighth of the layers and every third between. The rules are those of llama.cpp
 * (src/llama-quant.cpp, commit d32676d77), so that files compare in size and quality.
 */
public enum QuantizationMixture {
    F32(0, DType.F32), F16(1, DType.F16), BF16(32, DType.BF16), Q8_0(7, DType.Q8_0), Q4_0(2, DType.Q4_0), Q4_1(3, DType.Q4_1), Q5_0(8, DType.Q5_0), Q5_1(9, DType.Q5_1),
    Q2_K(10, DType.Q2_K), Q2_K_S(21, DType.Q2_K), Q3_K_S(11, DType.Q3_K), Q3_K_M(12, DType.Q3_K), Q3_K_L(13, DType.Q3_K), Q4_K_S(14, DType.Q4_K), Q4_K_M(15, DType.Q4_K),
    Q5_K_S(16, DType.Q5_K), Q5_K_M(17, DType.Q5_K), Q6_K(18, DType.Q6_K), IQ4_NL(25, DType.IQ4_NL), IQ4_XS(30, DType.IQ4_XS),
    /** Experts in MXFP4, everything else in Q8_0. */
    MXFP4_MOE(38, DType.MXFP4);

    /** The value of general.file_type in a GGUF file of this mixture. */
    public final int fileType;
    /** The format of whatever no rule mentions. */
    private final DType base;

    QuantizationMixture(int fileType, DType base) {
        this.fileType = fileType;
        this.base = base;
    }

    /** The mixture of this name in upper or lower case; Q3_K, Q4_K and Q5_K mean the middle ones. */
    public static Optional<QuantizationMixture> named(String name) {
        var whole = name.toUpperCase(Locale.ROOT).replaceFirst("^(Q[345]_K)$", "$1_M");
        return Arrays.stream(values()).filter(mixture -> mixture.name().equals(whole)).findFirst();
    }

    /** Parts of names of tensors that are small and sensitive, and stay as they are. */
    private static final List<String> KEPT = List.of("_norm.weight", "ffn_gate_inp.weight", "position_embd", "token_types.weight", "attn_rel_b.weight", "ssm_conv1d", "shortconv.conv.weight",
        "altup", "laurel", "per_layer_model_proj", "indexer.k_proj.weight", "indexer.q_proj.weight", "time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight",
        "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight",
        "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight");

    /**
     * What the rules ask about a model: {@code gqa} query heads share a key head, {@code values} tensors hold values, {@code tied} where the embedding is the output
     * matrix as well.
     */
    private record Model(int layers, int gqa, int experts, boolean falcon, boolean seventyBillion, int values, boolean tied, boolean importance) {}

    /**
     * The format of each tensor, by name.
     *
     * @param metadata of the GGUF file
     * @param importance whether an importance matrix is at hand
     * @throws ModelException where an override is for no tensor
     */
    public Map<String, DType> formats(Metadata metadata, Collection<TensorInfo> tensors, MixtureOverrides overrides, boolean importance) {
        overrides.requireMatches(metadata.source(), tensors);
        var ordered = tensors.stream().sorted(Comparator.comparingInt((TensorInfo t) -> layer(t.name())).thenComparing(TensorInfo::name)).toList();
        var model = model(metadata, ordered, importance);
        var formats = new LinkedHashMap<String, DType>();
        int values = 0, downs = 0;
        for (var tensor : ordered) {
            formats.put(tensor.name(), format(tensor, model, overrides, values, downs));
            if (kept(tensor, overrides) || overrides.pure() || overrides.named(tensor.name()).isPresent()) continue;
            if (isValue(tensor.name())) values++;
            if (isDown(tensor.name())) downs++;
        }
        return formats;
    }

    private static Model model(Metadata metadata, List<TensorInfo> tensors, boolean importance) {
        var architecture = metadata.string("general.architecture");
        int layers = metadata.integer(architecture + ".block_count"), heads = first(metadata, architecture + ".attention.head_count", 1);
        int keyHeads = first(metadata, architecture + ".attention.head_count_kv", heads), gqa = keyHeads == 0 ? 0 : heads / keyHeads;
        boolean seventyBillion = layers == 80 && (architecture.equals("qwen2") || architecture.equals("llama") && gqa != 1);
        return new Model(layers, gqa, metadata.integer(architecture + ".expert_count", 0), architecture.equals("falcon"), seventyBillion, (int) tensors.stream().filter(t -> isValue(t.name())).count(),
            tensors.stream().noneMatch(t -> t.name().equals("output.weight")), importance);
    }

    /** An integer, or the first of one for each layer. */
    private static int first(Metadata metadata, String key, int absent) {
        return metadata.values().get(key) instanceof long[] each && each.length > 0 ? (int) each[0] : metadata.integer(key, absent);
    }

    private static int layer(String name) {
        int start = name.indexOf("blk.") + 4, end = name.indexOf('.', start);
        return start > 3 && end > start && name.substring(start, end).matches("\\d{1,9}") ? Integer.parseInt(name.substring(start, end)) : -1;
    }

    private static boolean isValue(String name) { return name.contains("attn_v.weight") || name.contains("attn_qkv.weight") || name.contains("attn_kv_b.weight"); }
    private static boolean isDown(String name) { return name.contains("ffn_down"); }

    private static boolean isEmbedding(String name) { return name.equals("token_embd.weight") || name.equals("per_layer_token_embd.weight"); }
    private static boolean isOutput(String name) { return name.equals("output.weight"); }

    private static boolean kept(TensorInfo tensor, MixtureOverrides overrides) {
        return tensor.shape().rows() < 2 || isSensitive(tensor.name()) || overrides.keepOutput() && isOutput(tensor.name());
    }

    /** Whether a tensor of this name is no weight matrix, or one so small and sensitive that no mixture touches it. */
    static boolean isSensitive(String name) { return !name.endsWith("weight") || KEPT.stream().anyMatch(name::contains); }

    /** @param values how many tensors of values, and {@code downs} of down projections, came before this one */
    private DType format(TensorInfo tensor, Model model, MixtureOverrides overrides, int values, int downs) {
        if (kept(tensor, overrides)) return tensor.dtype();
        return fitting(wanted(tensor, model, overrides, values, downs), tensor.shape().last());
    }

    private DType wanted(TensorInfo tensor, Model model, MixtureOverrides overrides, int values, int downs) {
        var name = tensor.name();
        if (isEmbedding(name) && overrides.embedding() != null) return overrides.embedding();
        if (isOutput(name) && overrides.output() != null) return overrides.output();
        var named = overrides.named(name);
        if (named.isPresent()) return named.get();
        if (!base.isQuantized() || overrides.pure()) return base;
        if (isEmbedding(name) && model.tied && overrides.output() != null) return overrides.output();
        return mixed(tensor, model, values, model.experts > 1 ? layer(name) : downs);
    }

    private DType mixed(TensorInfo tensor, Model model, int values, int downLayer) {
        var name = tensor.name();
        if (isOutput(name) || isEmbedding(name) && model.tied) return output(model, tensor.shape().last());
        if (this == MXFP4_MOE) return tensor.shape().rank() == 3 && tensor.shape().dim(0) > 1 ? DType.MXFP4 : DType.Q8_0;
        if (isEmbedding(name)) return base;
        if (isValue(name)) return value(model, values);
        if (name.contains("attn_k.weight")) return model.experts == 8 ? DType.Q8_0 : base;
        if (name.contains("attn_output.weight")) return attentionOutput(model);
        if (!isDown(name)) return base;
        return model.falcon ? falconDown(model, downLayer) : down(model, downLayer);
    }

    private DType output(Model model, int columns) {
        return this == MXFP4_MOE || this == Q8_0 || model.falcon || columns % base.blockSize != 0 ? DType.Q8_0 : DType.Q6_K;
    }

    private DType value(Model model, int index) {
        if (model.experts == 8) return DType.Q8_0;
        var format = switch (this) {
            case Q2_K -> model.gqa >= 4 ? DType.Q4_K : DType.Q3_K;
            case Q2_K_S -> model.gqa >= 4 ? DType.Q4_K : base;
            case Q3_K_M -> index < 2 ? DType.Q5_K : DType.Q4_K;
            case Q3_K_L -> DType.Q5_K;
            case Q4_K_S -> index < 4 ? DType.Q5_K : base;
            case Q4_K_M, Q5_K_M -> deservesMore(index, model.values) ? DType.Q6_K : base;
            case IQ4_NL, IQ4_XS -> model.gqa >= 4 ? DType.Q5_K : base;
            default -> base;
        };
        return model.seventyBillion && (format == DType.Q3_K || format == DType.Q4_K) ? DType.Q5_K : format;
    }

    private DType attentionOutput(Model model) {
        if (model.falcon) return this == Q3_K_L ? DType.Q4_K : base;
        if (model.experts == 8) {
            return switch (this) {
                case Q2_K, Q3_K_S, Q3_K_M, Q4_K_S, Q4_K_M, IQ4_NL, IQ4_XS -> DType.Q5_K;
                default -> base;
            };
        }
        return switch (this) {
            case Q2_K -> DType.Q3_K;
            case Q3_K_M -> DType.Q4_K;
            case Q3_K_L -> DType.Q5_K;
            default -> base;
        };
    }

    private DType down(Model model, int layer) {
        boolean early = layer < model.layers / 8;
        return switch (this) {
            case Q2_K -> DType.Q3_K;
            case Q2_K_S -> early ? DType.Q4_K : base;
            case Q3_K_M -> layer < model.layers / 16 ? DType.Q5_K : DType.Q4_K;
            case Q3_K_L -> DType.Q5_K;
            case Q4_K_S -> early ? DType.Q5_K : base;
            case Q4_K_M, Q5_K_M -> deservesMore(layer, model.layers) ? DType.Q6_K : base;
            case IQ4_NL, IQ4_XS -> early && !model.importance ? DType.Q5_K : base;
            case Q4_0 -> early && model.importance ? DType.Q4_1 : base;
            case Q5_0 -> early && model.importance ? DType.Q5_1 : base;
            default -> base;
        };
    }

    /** Falcon's down projections suffer less. */
    private DType falconDown(Model model, int layer) {
        boolean first = layer < model.layers / 16, more = deservesMore(layer, model.layers);
        return switch (this) {
            case Q3_K_M -> first ? DType.Q5_K : more ? DType.Q4_K : base;
            case Q3_K_L -> DType.Q4_K;
            case Q4_K_S -> base;
            case Q4_K_M -> first ? DType.Q6_K : more ? DType.Q5_K : base;
            default -> down(model, layer);
        };
    }

    /** The first and last eighth, and every third between. */
    private static boolean deservesMore(int index, int count) { return index < count / 8 || index >= 7 * count / 8 || (index - count / 8) % 3 == 2; }

    /** The format itself, or where rows are not whole blocks of it, one of blocks of 32 with about as many bits, or F16. */
    private static DType fitting(DType format, int columns) {
        if (columns % format.blockSize == 0) return format;
        var smaller = switch (format) {
            case Q2_K, Q3_K -> DType.Q4_0;
            case Q4_K -> DType.Q5_0;
            case Q5_K -> DType.Q5_1;
            case Q6_K -> DType.Q8_0;
            case IQ4_XS -> DType.IQ4_NL;
            default -> DType.F16;
        };
        return columns % smaller.blockSize == 0 ? smaller : DType.F16;
    }
}
