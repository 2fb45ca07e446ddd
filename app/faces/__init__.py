"""The only place that knows pixels: decode -> detect -> choose -> crop -> embed."""
