"""The kernels compiled for the generic level; ``fastrec.runtime.isa`` decides who is loaded."""
