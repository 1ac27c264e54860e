/* Times square float32 products of OpenBLAS and libxsmm on one core: lines "library form n GFLOP/s", the median of blocks
   of five milliseconds. Without arguments: lines "library version". Built by kernels.py. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef WITH_OPENBLAS
#include <cblas.h>
#endif
#ifdef WITH_LIBXSMM
#include <libxsmm.h>
#include <libxsmm_version.h>
#endif

enum { kBlocks = 15 };
static const double kBlockSeconds = 0.005;

static float *a, *b, *c;
static int n, ld;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void* x, const void* y) {
  const double p = *(const double*)x, q = *(const double*)y;
  return (p > q) - (p < q);
}

static double seconds_of(void (*product)(void), long times) {
  const double start = now();
  for (long i = 0; i < times; ++i) product();
  return now() - start;
}

static void report(const char* library, const char* form, void (*product)(void)) {
  double blocks[kBlocks];
  long times = 1;
  while (seconds_of(product, times) < kBlockSeconds) times *= 2;
  for (int k = 0; k < kBlocks; ++k) blocks[k] = seconds_of(product, times) / (double)times;
  qsort(blocks, kBlocks, sizeof blocks[0], ascending);
  printf("%s %s %d %.2f\n", library, form, n, 2e-9 * n * n * n / blocks[kBlocks / 2]);
}

#ifdef WITH_OPENBLAS
static void blas_nn(void) { cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, ld, b, ld, 0, c, ld); }
static void blas_tn(void) { cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, n, n, 1, a, ld, b, ld, 0, c, ld); }
static void blas_nt(void) { cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, n, 1, a, ld, b, ld, 0, c, ld); }
#endif

#ifdef WITH_LIBXSMM
static libxsmm_smmfunction small;
/* column-major: C' = B' A' is the row-major C = A B */
static void xsmm_nn(void) { small(b, a, c); }
#endif

static void print_versions(void) {
#ifdef WITH_OPENBLAS
  char name[32], number[32];
  if (sscanf(OPENBLAS_VERSION, "%31s %31s", name, number) == 2) printf("OpenBLAS %s\n", number);
#endif
#ifdef WITH_LIBXSMM
  printf("libxsmm %s\n", LIBXSMM_CONFIG_VERSION);
#endif
}

int main(int argc, char** argv) {
  if (argc == 1) print_versions();
  for (int k = 1; k < argc; ++k) {
    n = atoi(argv[k]);
    ld = (n + 15) / 16 * 16;
    const size_t bytes = sizeof(float) * (size_t)n * (size_t)ld;
    if (posix_memalign((void**)&a, 64, bytes) || posix_memalign((void**)&b, 64, bytes) || posix_memalign((void**)&c, 64, bytes)) return 1;
    for (size_t i = 0; i < bytes / sizeof(float); ++i) a[i] = b[i] = (float)(i % 17) / 8 - 0.9f, c[i] = 0;
#ifdef WITH_OPENBLAS
    report("OpenBLAS", "NN", blas_nn);
    report("OpenBLAS", "TN", blas_tn);
    report("OpenBLAS", "NT", blas_nt);
#endif
#ifdef WITH_LIBXSMM
    const float one = 1, zero = 0;
    small = libxsmm_smmdispatch(n, n, n, &ld, &ld, &ld, &one, &zero, NULL, NULL);
    if (small) report("libxsmm", "NN", xsmm_nn);
#endif
    free(a), free(b), free(c);
  }
  return 0;
}
