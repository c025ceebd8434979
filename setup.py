"""The compiled modules: which source, which instruction-set levels, which flags.

Each hot kernel is compiled once per level from the same source, into
``fastrec.native.<level>.<name>``; ``fastrec.runtime.isa`` looks at the CPU
and loads the best level it can run. Modules that gain nothing from wide
registers are compiled once, into ``fastrec.native.<name>``.

``FASTREC_DEBUG=1`` switches the bounds checks of Cython back on and keeps symbols.
``FASTREC_PREBUILT=1`` compiles nothing: the modules already stand in the source
folder, and only the package around them is installed.
"""

import os
import platform
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

HOT_KERNELS = ("lookup", "product", "rnn", "sgns", "topk")
PLAIN_MODULES = ("checksum", "cpu", "ids", "objects", "relay", "text")

IS_X86_64 = platform.machine().lower() in ("x86_64", "amd64")
IS_MSVC = sys.platform == "win32"
IS_DEBUG = os.environ.get("FASTREC_DEBUG") == "1"

GCC_LEVELS = {
    "generic": [],
    "avx2": ["-mavx2", "-mfma", "-mf16c", "-mbmi", "-mbmi2", "-mlzcnt", "-mpopcnt"],
    "avx512": [
        *(
            "-mavx512f",
            "-mavx512bw",
            "-mavx512dq",
            "-mavx512vl",
            "-mavx512vnni",
            "-mavx512bf16",
        ),
        *(
            "-mfma",
            "-mf16c",
            "-mbmi",
            "-mbmi2",
            "-mlzcnt",
            "-mpopcnt",
            "-mprefer-vector-width=512",
        ),
    ],
}
MSVC_LEVELS = {"generic": [], "avx2": ["/arch:AVX2"], "avx512": ["/arch:AVX512"]}

# Reassociation and contraction are allowed one by one; -ffast-math is not used because it also
# lets the compiler assume that NaN does not exist, and the divergence checks need NaN to work.
GCC_FLAGS = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros"]
GCC_FLAGS += ["-fassociative-math", "-ffp-contract=fast"]
# Cython drops the const of read-only memoryviews; each compiler has its own name for that warning.
GCC_FLAGS += ["-Wno-unused-function", "-Wno-unknown-warning-option"]
GCC_FLAGS += ["-Wno-discarded-qualifiers", "-Wno-incompatible-pointer-types-discards-qualifiers"]
# Python's own flags ask for debug symbols, two thirds of a module's size.
GCC_FLAGS += [] if IS_DEBUG else ["-g0"]
MSVC_FLAGS = ["/O2"]

COMMON_FLAGS = MSVC_FLAGS if IS_MSVC else GCC_FLAGS
LEVELS = (MSVC_LEVELS if IS_MSVC else GCC_LEVELS) if IS_X86_64 else {"generic": []}
HEADERS = [
    os.path.join("src_cython", "include", name)
    for name in sorted(os.listdir(os.path.join("src_cython", "include")))
]
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": IS_DEBUG,
    "wraparound": False,
    "initializedcheck": IS_DEBUG,
    "cdivision": True,
    "embedsignature": True,
}


def extension(target, source, flags):
    """Describe one compiled module built from ``src_cython/<source>.pyx``."""
    return Extension(
        f"fastrec.native.{target}",
        [os.path.join("src_cython", f"{source}.pyx")],
        include_dirs=[os.path.join("src_cython", "include")],
        extra_compile_args=[*COMMON_FLAGS, *flags],
        depends=[*HEADERS, "setup.py"],
    )


def modules():
    """Cythonize every module; one build folder a level, so that no level overwrites another's C."""
    built = cythonize(
        [extension(name, name, []) for name in PLAIN_MODULES],
        build_dir=os.path.join("build", "cython", "plain"),
        compiler_directives=DIRECTIVES,
    )
    for level, flags in LEVELS.items():
        built += cythonize(
            [extension(f"{level}.{name}", name, flags) for name in HOT_KERNELS],
            build_dir=os.path.join("build", "cython", level),
            compiler_directives=DIRECTIVES,
        )
    return built


setup(
    ext_modules=[] if os.environ.get("FASTREC_PREBUILT") == "1" else modules(),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
