"""The kernels compiled for the avx2 level; ``fastrec.runtime.isa`` decides who is loaded."""
