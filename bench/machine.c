// What this machine can do at most, measured by the plainest code that keeps it busy; one figure a call:
//
//     machine read [BYTES]        bytes a second of reading BYTES of memory once (default: 1 GiB), all threads together
//     machine f32|bf16|int8       arithmetic operations a second: fused multiply-add, vdpbf16ps, vpdpbusd
//
// Threads: OMP_NUM_THREADS. Build: gcc -O3 -march=native -fopenmp. Exit code 2: this processor has no such instruction.
#include <immintrin.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PASSES = 5 };

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// Median rate of PASSES measurements of `work` operations.
static double median_rate(double work, double *seconds) {
    qsort(seconds, PASSES, sizeof *seconds, by_value);
    return work / seconds[PASSES / 2];
}

static double read_rate(size_t bytes) {
    // Large pages, so that address translation is not what is measured.
    char *memory = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 0;
    madvise(memory, bytes, MADV_HUGEPAGE);
    double seconds[PASSES];
    uint64_t sink = 0;
#pragma omp parallel
    {
        size_t share = bytes / omp_get_num_threads() & ~(size_t)511;
        memset(memory + share * omp_get_thread_num(), 1, share);
    }
    for (int pass = 0; pass < PASSES; pass++) {
        double start = omp_get_wtime();
#pragma omp parallel reduction(+ : sink)
        {
            size_t share = bytes / omp_get_num_threads() & ~(size_t)511;
            const uint64_t *at = (const uint64_t *)(memory + share * omp_get_thread_num());
            uint64_t sum[8] = {0};
            for (size_t i = 0; i < share / 8; i += 64)
                for (int lane = 0; lane < 64; lane++) sum[lane % 8] += at[i + lane];
            for (int lane = 0; lane < 8; lane++) sink += sum[lane];
        }
        seconds[pass] = omp_get_wtime() - start;
    }
    // The sum is used, or the compiler would read nothing.
    return sink == 0 ? 0 : median_rate(bytes, seconds);
}

// Applies M to the name of every accumulator. They are variables, not an array, because arrays end up in memory.
#define EACH(M) M(x0) M(x1) M(x2) M(x3) M(x4) M(x5) M(x6) M(x7) M(x8) M(x9) M(x10) M(x11)
enum { ACCUMULATORS = 12, ROUNDS = 8 * 1000 * 1000 };

// A function that repeats STEP(x) on independent accumulators, enough to hide its latency, and counts OPERATIONS for each.
#define PEAK(name, type, zero, STEP, operations)                                                    \
    static double name(void) {                                                                      \
        double seconds[PASSES];                                                                     \
        for (int pass = 0; pass < PASSES; pass++) {                                                 \
            double start = omp_get_wtime();                                                         \
            _Pragma("omp parallel") {                                                               \
                type EACH(DECLARE) last = zero;                                                     \
                EACH(CLEAR)                                                                         \
                for (long round = 0; round < ROUNDS; round++) { EACH(STEP) }                        \
            }                                                                                       \
            seconds[pass] = omp_get_wtime() - start;                                                \
        }                                                                                           \
        return median_rate((double)ROUNDS * ACCUMULATORS * (operations)*omp_get_max_threads(), seconds); \
    }
#define DECLARE(x) x,
#define CLEAR(x) x = last;
// Keeps the compiler from folding the steps of a register into one.
#define KEEP(x) __asm__ volatile("" : "+v"(x));

#if defined __AVX512F__
#define FMA(x) x = _mm512_fmadd_ps(x, _mm512_set1_ps(1), _mm512_set1_ps(0.5f)); KEEP(x)
PEAK(f32_peak, __m512, _mm512_set1_ps(1), FMA, 2 * 16)
#elif defined __FMA__
#define FMA(x) x = _mm256_fmadd_ps(x, _mm256_set1_ps(1), _mm256_set1_ps(0.5f)); KEEP(x)
PEAK(f32_peak, __m256, _mm256_set1_ps(1), FMA, 2 * 8)
#else
static double f32_peak(void) { return 0; }
#endif

#if defined __AVX512BF16__
#define BF16_DOT(x) x = _mm512_dpbf16_ps(x, (__m512bh)_mm512_set1_ps(1), (__m512bh)_mm512_set1_ps(0.5f)); KEEP(x)
PEAK(bf16_peak, __m512, _mm512_set1_ps(1), BF16_DOT, 2 * 32)
#else
static double bf16_peak(void) { return 0; }
#endif

#if defined __AVX512VNNI__
#define INT8_DOT(x) x = _mm512_dpbusd_epi32(x, _mm512_set1_epi8(3), _mm512_set1_epi8(2)); KEEP(x)
PEAK(int8_peak, __m512i, _mm512_set1_epi32(1), INT8_DOT, 2 * 64)
#else
static double int8_peak(void) { return 0; }
#endif

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    double rate = 0;
    if (!strcmp(what, "read")) rate = read_rate(count > 2 ? strtoull(arguments[2], 0, 10) : (size_t)1 << 30);
    else if (!strcmp(what, "f32")) rate = f32_peak();
    else if (!strcmp(what, "bf16")) rate = bf16_peak();
    else if (!strcmp(what, "int8")) rate = int8_peak();
    if (rate == 0) {
        fprintf(stderr, "cannot measure `%s` here\n", what);
        return 2;
    }
    printf("%.4e\n", rate);
    return 0;
}
