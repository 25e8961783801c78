"""The time of a whole pipeline, one image at a time, split into its stages."""
