/** Pictures as files: PNG with the parameters they were painted with, reading what people bring, other sizes. */
package inkstone.diffusion.picture;
