"""The commands under `preceptor label`."""
