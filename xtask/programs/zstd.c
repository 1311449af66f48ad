/* Compresses and decompresses at several levels, with and without a dictionary, and prints sizes and sums. */
#include "zdict.h"
#include "zstd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 1 << 20, SAMPLES = 256, SAMPLE = 1024 };

static unsigned long sum(const unsigned char *bytes, size_t size) {
    unsigned long sum = 1;
    for (size_t i = 0; i < size; i++) sum = (sum * 31 + bytes[i]) % 1000000007ul;
    return sum;
}

int main(void) {
    unsigned char *text = malloc(SIZE), *again = malloc(SIZE);
    size_t bound = ZSTD_compressBound(SIZE), sizes[SAMPLES];
    void *packed = malloc(bound), *dictionary = malloc(16384);
    unsigned state = 1;
    for (size_t i = 0; i < SIZE; i++) {
        state = state * 1103515245u + 12345u;
        text[i] = i > 4096 && state >> 29 ? text[i - 1000 - (state >> 24) % 3] : "abcdefgh ijkl\n"[state >> 16 & 7];
    }
    for (int level = -5; level <= 19; level += 6) {
        size_t size = ZSTD_compress(packed, bound, text, SIZE, level);
        size_t back = ZSTD_isError(size) ? size : ZSTD_decompress(again, SIZE, packed, size);
        if (back != SIZE || memcmp(text, again, SIZE)) return fprintf(stderr, "%s\n", ZSTD_getErrorName(back)), 1;
        printf("level %d: %zu bytes, %lu\n", level, size, sum(packed, size));
    }
    for (int i = 0; i < SAMPLES; i++) sizes[i] = SAMPLE;
    size_t trained = ZDICT_trainFromBuffer(dictionary, 16384, text + 65536, sizes, SAMPLES);
    if (ZDICT_isError(trained)) return fprintf(stderr, "%s\n", ZDICT_getErrorName(trained)), 1;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t size = ZSTD_compress_usingDict(context, packed, bound, text, 2000, dictionary, trained, 3);
    if (ZSTD_isError(size)) return fprintf(stderr, "%s\n", ZSTD_getErrorName(size)), 1;
    printf("dictionary of %zu bytes: %zu bytes, %lu\n", trained, size, sum(packed, size));
    return ZSTD_freeCCtx(context) != 0;
}
