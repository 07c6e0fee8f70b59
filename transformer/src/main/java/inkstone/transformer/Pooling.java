package inkstone.transformer;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;

/** How the hidden states of a text's tokens become one vector. */
public enum Pooling {
    /** Their mean (Reimers and Gurevych 2019, arXiv:1908.10084). */ MEAN,
    /** That of the last token, which in a causal model alone has seen the whole text. */ LAST,
    /** That of the first token, which models like BERT (Devlin et al. 2018, arXiv:1810.04805) put before the text for this. */ CLS;

    /** What {@code <architecture>.pooling_type} of a GGUF file says; the mean where it says nothing, or "none". */
    static Pooling ofGguf(Metadata file, String architecture) {
        var key = architecture + ".pooling_type";
        return switch (file.integer(key, 0)) {
            case 0, 1 -> MEAN;
            case 2 -> CLS;
            case 3 -> LAST;
            case 4 -> throw new ModelException("%s: is a reranker (%s is 4), which scores pairs of texts; use a model that makes vectors of texts"
                .formatted(file.source(), key));
            default -> throw new ModelException("%s: %s is %d, expected 0 (none), 1 (mean), 2 (first token) or 3 (last token)".formatted(file.source(), key, file.integer(key)));
        };
    }

    /** What 1_Pooling/config.json of sentence-transformers says, its keys under {@code 1_Pooling.}; the mean where it names none, as that library has it. */
    static Pooling ofHuggingFace(Metadata config) {
        if (config.bool("1_Pooling.pooling_mode_cls_token", false)) return CLS;
        if (config.bool("1_Pooling.pooling_mode_lasttoken", false)) return LAST;
        if (config.bool("1_Pooling.pooling_mode_mean_tokens", true)) return MEAN;
        throw new ModelException("%s: the pooling of 1_Pooling/config.json is none of mean_tokens, cls_token and lasttoken".formatted(config.source()));
    }

    /** The value of {@code <architecture>.pooling_type} in a GGUF file. */
    public int ggufType() {
        return switch (this) {
            case MEAN -> 1;
            case CLS -> 2;
            case LAST -> 3;
        };
    }
}
