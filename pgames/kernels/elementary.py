"""exp and log in plain arithmetic, which the compiler vectorises, and njit with its fallback.

Both give the same bits alone and in a vector, because fused operations are written out.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def njit(function: Callable[..., Any]) -> Callable[..., Any]:
    """numba.njit, nogil and cached on disk, or uncached where no cache folder is writable.

    Division by zero gives inf or NaN, as in NumPy: a test for it would prevent vectorisation.
    """
    try:
        compiled: Any = numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        _tell_of_no_cache()
        return numba.njit(nogil=True, error_model="numpy")(function)
    index = compiled._cache._cache_file
    # numba stamps only the function's own file, and would reuse stale copies of functions in other files
    index._source_stamp = _sources()
    index._load_index = functools.partial(_load_index, index._load_index)
    return compiled


@functools.cache
def _tell_of_no_cache() -> None:
    """Say once that compiled code is not kept."""
    print(
        "pgames: no folder for compiled code can be written, so each start compiles it again: set "
        "NUMBA_CACHE_DIR to a folder of your own.",
        file=sys.stderr,
    )


def _load_index(load: Callable[[], dict[Any, str]]) -> dict[Any, str]:
    """The cached versions of a function, or {} where an older pgames wrote them with types that are gone."""
    try:
        return load()
    except (AttributeError, ImportError):  # numba unpickles the types before it checks the stamp
        return {}


@functools.cache
def _sources() -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of every file with compiled functions: a cache with another stamp is stale."""
    files = sorted(path for path in Path(__file__).parents[1].rglob("*.py") if b"njit" in path.read_bytes())
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)


def _fma(typing, a, b, c):
    double = ir.DoubleType()

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(double, (double, double, double))
        return builder.call(builder.module.declare_intrinsic("llvm.fmuladd", (double,), kind), arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


def _float_to_bits(typing, value):
    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _bits_to_float(typing, bits):
    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


def _opaque(typing, number):
    def generate(context, builder, signature, arguments):
        word = ir.IntType(64)
        return builder.asm(ir.FunctionType(word, [word]), "", "=r,0", arguments, False)

    return types.uint64(types.uint64), generate


Compiled = Callable[..., Any]  # callable inside njit only
fma: Compiled = intrinsic(_fma)  # a * b + c, rounded once where the processor supports it
float_to_bits: Compiled = intrinsic(_float_to_bits)
bits_to_float: Compiled = intrinsic(_bits_to_float)
opaque: Compiled = intrinsic(
    _opaque
)  # hides a number from the compiler, which would unroll short loops too early

ROUNDER = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits
LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # its low 21 bits are 0: small integers times it are exact
LN2_LOW = 1.90821492927058770002e-10


@njit
def exp(x):
    """exp(x) for x <= 700, within 1 ulp; 0 below -708 and for -inf."""
    rounded = fma(x, LOG2_E, ROUNDER)
    k = rounded - ROUNDER
    r = fma(k, -LN2_LOW, fma(k, -LN2_HIGH, x))
    p = fma(2.5100424157005067e-08, r, 2.7620138719733994e-07)  # near-minimax on |r| <= ln 2 / 2
    p = fma(p, r, 2.7557268378684192e-06)
    p = fma(p, r, 2.480152119021773e-05)
    p = fma(p, r, 0.00019841269863105968)
    p = fma(p, r, 0.0013888888917281794)
    p = fma(p, r, 0.008333333333330051)
    p = fma(p, r, 0.04166666666662399)
    p = fma(p, r, 0.16666666666666669)
    p = fma(p, r, 0.5000000000000001)
    p = fma(p, r, 1.0)
    p = fma(p, r, 1.0)
    scaled = bits_to_float(float_to_bits(p) + (float_to_bits(rounded) << 52))  # p * 2^k
    return 0.0 if x < -708.0 else scaled


MANTISSA = 0x000FFFFFFFFFFFFF
ONE = 0x3FF0000000000000
SQRT_HALF = 0x3FE6A09E00000000


@njit
def log(x):
    """log(x) for x from 1e-300 to 1e300, within 1 ulp (the series of fdlibm)."""
    shifted = float_to_bits(x) + (ONE - SQRT_HALF)
    k = float((shifted >> 52) - 1023)
    f = bits_to_float((shifted & MANTISSA) + SQRT_HALF) - 1.0  # x = 2^k (1 + f), 1 + f in [sqrt 1/2, sqrt 2)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * fma(w, fma(w, 1.531383769920937332e-01, 2.222219843214978396e-01), 3.999999999940941908e-01)
    odd = fma(w, 1.479819860511658591e-01, 1.818357216161805012e-01)
    odd = fma(w, fma(w, odd, 2.857142874366239149e-01), 6.666666666666735130e-01)
    half = 0.5 * f * f
    series = fma(s, fma(z, odd, even) + half, k * LN2_LOW)
    return fma(k, LN2_HIGH, f - (half - series))
