#include "CChecksum.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#if defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif
#endif

// The polynomial with its bits in reverse order: bit 0 is the coefficient of x^31, bit 31 that of
// x^0.
#define POLYNOMIAL 0x82F63B78u

// A long buffer is cut into three runs that are folded at the same time, because the instruction
// takes three cycles but a new one can start in every cycle. Long runs cost fewer joins, short
// ones let a batch of a few hundred bytes profit too. Multiples of 8.
#define LONG_RUN 2048
#define SHORT_RUN 256

// eight_bytes[k][b] is what byte b, followed by k zero bytes, does to the register.
static uint32_t eight_bytes[8][256];

// past_long[k][b] is the register b << 8k after LONG_RUN zero bytes; past_short likewise.
static uint32_t past_long[4][256];
static uint32_t past_short[4][256];

static int has_instruction;

// a·b modulo the polynomial.
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
        if (a & bit) product ^= b;
        b = (b & 1) ? (b >> 1) ^ POLYNOMIAL : b >> 1;
    }
    return product;
}

// x^(8·count) modulo the polynomial: the factor by which `count` zero bytes multiply the register.
static uint32_t factor_of_zero_bytes(size_t count) {
    uint32_t power = 1u << 23;   // x^8
    uint32_t result = 1u << 31;  // x^0
    for (; count != 0; count >>= 1) {
        if (count & 1) result = multiply(result, power);
        power = multiply(power, power);
    }
    return result;
}

static void fill_past(uint32_t table[4][256], size_t zero_bytes) {
    uint32_t factor = factor_of_zero_bytes(zero_bytes);
    for (int k = 0; k < 4; k++) {
        for (int bit = 0; bit < 8; bit++) {
            table[k][1 << bit] = multiply(1u << (8 * k + bit), factor);
        }
        // The map is linear, so every other entry is a sum of those eight.
        for (int byte = 1; byte < 256; byte++) {
            int rest = byte & (byte - 1);
            if (rest != 0) table[k][byte] = table[k][rest] ^ table[k][byte ^ rest];
        }
    }
}

static int detect_instruction(void) {
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_SSE4_2) != 0;
#elif defined(__aarch64__) && defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#elif defined(__aarch64__) && defined(__APPLE__)
    return 1;
#else
    return 0;
#endif
}

// Runs when the program is loaded, before there are other threads, so that the tables need no lock.
__attribute__((constructor)) static void prepare(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint32_t crc = (uint32_t)byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 1) ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
        eight_bytes[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (int byte = 0; byte < 256; byte++) {
            uint32_t before = eight_bytes[k - 1][byte];
            eight_bytes[k][byte] = eight_bytes[0][before & 0xFF] ^ (before >> 8);
        }
    }
    fill_past(past_long, LONG_RUN);
    fill_past(past_short, SHORT_RUN);
    has_instruction = detect_instruction();
}

int checksum_crc32c_has_instruction(void) { return has_instruction; }

uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return has_instruction ? checksum_crc32c_instruction(crc, bytes, count)
                           : checksum_crc32c_portable(crc, bytes, count);
}

// Eight bytes in the order in which they lie in memory, the first in the lowest bits.
static inline uint64_t load(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

// Slicing by eight: eight table look-ups that do not wait for each other.
uint32_t checksum_crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    crc = ~crc;
    for (; count >= 8; count -= 8, next += 8) {
        uint64_t word = load(next) ^ crc;
        crc = eight_bytes[7][word & 0xFF] ^ eight_bytes[6][(word >> 8) & 0xFF]
            ^ eight_bytes[5][(word >> 16) & 0xFF] ^ eight_bytes[4][(word >> 24) & 0xFF]
            ^ eight_bytes[3][(word >> 32) & 0xFF] ^ eight_bytes[2][(word >> 40) & 0xFF]
            ^ eight_bytes[1][(word >> 48) & 0xFF] ^ eight_bytes[0][word >> 56];
    }
    for (; count > 0; count--) crc = eight_bytes[0][(crc ^ *next++) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

#if defined(__x86_64__) || defined(__aarch64__)

#if defined(__x86_64__)
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
WITH_INSTRUCTION static inline uint32_t fold8(uint32_t crc, uint64_t word) {
    return (uint32_t)_mm_crc32_u64(crc, word);
}
WITH_INSTRUCTION static inline uint32_t fold1(uint32_t crc, uint8_t byte) {
    return _mm_crc32_u8(crc, byte);
}
#else
#define WITH_INSTRUCTION __attribute__((target("crc")))
WITH_INSTRUCTION static inline uint32_t fold8(uint32_t crc, uint64_t word) {
    return __crc32cd(crc, word);
}
WITH_INSTRUCTION static inline uint32_t fold1(uint32_t crc, uint8_t byte) {
    return __crc32cb(crc, byte);
}
#endif

static inline uint32_t move(uint32_t table[4][256], uint32_t crc) {
    return table[0][crc & 0xFF] ^ table[1][(crc >> 8) & 0xFF]
         ^ table[2][(crc >> 16) & 0xFF] ^ table[3][crc >> 24];
}

// Folds three neighbouring runs of `run` bytes at once, then joins them: the register after A and B
// is the register after A moved past B's length, plus B's own folded from zero.
WITH_INSTRUCTION static inline uint32_t fold_three_runs(
    uint32_t crc, const uint8_t *next, size_t run, uint32_t past[4][256]) {
    uint32_t first = crc, second = 0, third = 0;
    const uint8_t *end = next + run;
    do {
        first = fold8(first, load(next));
        second = fold8(second, load(next + run));
        third = fold8(third, load(next + 2 * run));
        next += 8;
    } while (next < end);
    return move(past, move(past, first) ^ second) ^ third;
}

WITH_INSTRUCTION uint32_t checksum_crc32c_instruction(
    uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
    crc = ~crc;
    for (; count >= 3 * LONG_RUN; count -= 3 * LONG_RUN, next += 3 * LONG_RUN) {
        crc = fold_three_runs(crc, next, LONG_RUN, past_long);
    }
    for (; count >= 3 * SHORT_RUN; count -= 3 * SHORT_RUN, next += 3 * SHORT_RUN) {
        crc = fold_three_runs(crc, next, SHORT_RUN, past_short);
    }
    for (; count >= 8; count -= 8, next += 8) crc = fold8(crc, load(next));
    for (; count > 0; count--) crc = fold1(crc, *next++);
    return ~crc;
}

#else

uint32_t checksum_crc32c_instruction(uint32_t crc, const void *bytes, size_t count) {
    return checksum_crc32c_portable(crc, bytes, count);
}

#endif
