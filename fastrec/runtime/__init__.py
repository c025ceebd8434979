"""What runs the kernels: ISA choice, threads, random streams, BLAS limit and argument checks."""
