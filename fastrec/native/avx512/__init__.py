"""The kernels compiled for the avx512 level; ``fastrec.runtime.isa`` decides who is loaded."""
