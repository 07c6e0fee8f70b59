/** The text of a prompt: words that weigh more or less, adapters named in it, and how it is cut for text encoders that read 75 tokens at a time. */
package inkstone.diffusion.prompt;
