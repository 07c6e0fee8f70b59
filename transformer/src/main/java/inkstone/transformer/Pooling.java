package inkstone.transformer;

/** How the hidden states of a text's tokens become one vector. */
public enum Pooling {
    /** Their mean (Reimers and Gurevych 2019, arXiv:1908.10084). */ MEAN,
    /** That of the last token, which in a causal model alone has seen the whole text. */ LAST,
    /** That of the first token, which models like BERT (Devlin et al. 2018, arXiv:1810.04805) put before the text for this. */ CLS
}
