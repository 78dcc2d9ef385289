#ifndef CCHECKSUM_H
#define CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli), RFC 3720 appendix B.4: polynomial 0x1EDC6F41, reflected, initial value and
// final exclusive-or 0xFFFFFFFF.
//
// `crc` is the checksum of the bytes before these ones, 0 at the start, so that the checksum of a
// concatenation is found by passing one result on as the next call's `crc`.
// `bytes` may be NULL when `count` is 0.

// With the CPU's instruction where it has one, decided once when the program is loaded.
uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t count);

// With tables alone. Correct on every CPU.
uint32_t checksum_crc32c_portable(uint32_t crc, const void *bytes, size_t count);

// With the CPU's instruction (SSE4.2 on x86-64, the CRC32 extension on ARMv8). It may be called
// only where `checksum_crc32c_has_instruction` says yes.
uint32_t checksum_crc32c_instruction(uint32_t crc, const void *bytes, size_t count);

// 1 if this CPU has the instruction and this build knows it, else 0.
int checksum_crc32c_has_instruction(void);

#endif
