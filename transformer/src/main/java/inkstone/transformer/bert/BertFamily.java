package inkstone.transformer.bert;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.EmbeddingFamily;
import inkstone.transformer.EmbeddingModel;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.Pooling;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** BERT and the sentence embedders made of it (MiniLM, BGE, E5). */
public final class BertFamily implements EmbeddingFamily {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.of("encoder\\.layer",
        Map.of("embeddings.word_embeddings.weight", "token_embd.weight", "embeddings.position_embeddings.weight", "position_embd.weight",
            "embeddings.token_type_embeddings.weight", "token_types.weight", "embeddings.LayerNorm.weight", "token_embd_norm.weight", "embeddings.LayerNorm.bias", "token_embd_norm.bias"),
        Map.of("attention.self.query", "attn_q", "attention.self.key", "attn_k", "attention.self.value", "attn_v", "attention.output.dense", "attn_output",
            "attention.output.LayerNorm", "attn_output_norm", "intermediate.dense", "ffn_up", "output.dense", "ffn_down", "output.LayerNorm", "layer_output_norm"));
    /** What classifies pairs of sentences and fills in gaps. */
    private static final Pattern UNUSED = Pattern.compile("(pooler|cls)\\..*");

    @Override public String architecture() { return "bert"; }

    @Override public EmbeddingModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        if (metadata.bool("bert.attention.causal", false)) throw new ModelException("%s: a causal bert is not supported".formatted(metadata.source()));
        int types = metadata.integer("tokenizer.ggml.token_type_count", 2);
        if (types < 1) throw new ModelException("%s: token_type_count must be 1 or more, got %d".formatted(metadata.source(), types));
        return weights.build(w -> Bert.of(config, types, w));
    }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("BertModel", "BertForMaskedLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "gelu", "gelu_new", "gelu_pytorch_tanh");
        if (!config.string("position_embedding_type", "absolute").equals("absolute")) throw new ModelException("%s: position_embedding_type should be absolute".formatted(config.source()));
        var keys = new LinkedHashMap<String, Object>();
        keys.put("bert.vocab_size", config.integer("vocab_size"));
        keys.put("bert.context_length", config.integer("max_position_embeddings"));
        keys.put("bert.embedding_length", config.integer("hidden_size"));
        keys.put("bert.feed_forward_length", config.integer("intermediate_size"));
        keys.put("bert.block_count", config.integer("num_hidden_layers"));
        keys.put("bert.attention.head_count", config.integer("num_attention_heads"));
        keys.put("bert.attention.layer_norm_epsilon", config.floating("layer_norm_eps", 1e-12f));
        keys.put("bert.attention.causal", false);
        keys.put("bert.pooling_type", Pooling.MEAN.ggufType());
        keys.put("tokenizer.ggml.token_type_count", config.integer("type_vocab_size", 2));
        return HuggingFaceModel.of(BertFamily::name, keys).without(name -> UNUSED.matcher(name).matches());
    }

    /** Releases of before 2019 call the parts of a norm gamma and beta. */
    private static String name(String tensor) {
        var name = tensor.startsWith("bert.") ? tensor.substring("bert.".length()) : tensor;
        if (name.endsWith(".gamma")) name = name.substring(0, name.length() - "gamma".length()) + "weight";
        if (name.endsWith(".beta")) name = name.substring(0, name.length() - "beta".length()) + "bias";
        return NAMES.gguf(name);
    }
}
