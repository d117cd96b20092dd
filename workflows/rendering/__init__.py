"""One renderer a surface, each with the one escape function of that surface; what is rendered is never read back."""
