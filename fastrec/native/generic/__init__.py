"""The kernels compiled for the generic level; ``fastrec.runtime.isa`` decides whether they are loaded."""
