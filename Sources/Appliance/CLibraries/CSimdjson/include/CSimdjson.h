#pragma once

// A C face for simdjson's DOM parser. It parses a document and hands out the parser's own tape,
// so that the caller reads values without one foreign call each.
//
// The tape is an array of 64-bit words. The top byte of a word is its tag, the lower 56 bits
// its payload:
//
//   tag   payload                                             words
//   'r'   at 0: index of the last word; at the end: 0         1
//   '{'   bits 0…31: index after the matching '}'             1
//   '}'   index of the matching '{'                           1
//   '['   bits 0…31: index after the matching ']'             1
//   ']'   index of the matching '['                           1
//   '"'   offset in the string buffer                         1
//   'l'   –, then an int64                                    2
//   'u'   –, then a uint64 above INT64_MAX                    2
//   'd'   –, then a double                                    2
//   't' 'f' 'n'                                               1
//
// In the string buffer each string is a 32-bit length in the machine's byte order, that many
// bytes of UTF-8 without escapes, and one zero byte. Members of an object are a key's '"' word
// followed by the value. Source: simdjson's doc/tape.md.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tillbox_json_parser tillbox_json_parser;

typedef enum tillbox_json_status {
    TILLBOX_JSON_OK = 0,
    /// No value at all.
    TILLBOX_JSON_EMPTY = 1,
    TILLBOX_JSON_NOT_UTF8 = 2,
    /// More nested containers than the parser was made for.
    TILLBOX_JSON_TOO_DEEP = 3,
    /// A number that is malformed, or whose value fits neither 64-bit integers nor a double.
    TILLBOX_JSON_NUMBER = 4,
    TILLBOX_JSON_MALFORMED = 5,
    /// More bytes than the parser was made for.
    TILLBOX_JSON_TOO_LARGE = 6,
    TILLBOX_JSON_OUT_OF_MEMORY = 7,
} tillbox_json_status;

typedef struct tillbox_json_tape {
    const uint64_t *_Nullable words;
    const uint8_t *_Nullable strings;
} tillbox_json_tape;

/// A parser for documents of at most `bytes_max` bytes with at most `depth_max` containers around
/// a value. NULL when there is no memory.
tillbox_json_parser *_Nullable tillbox_json_parser_create(size_t depth_max, size_t bytes_max);

void tillbox_json_parser_destroy(tillbox_json_parser *_Nonnull parser);

/// Parses `count` bytes. The tape stays valid until the next parse with the same parser.
/// The input needs no padding and is not kept.
tillbox_json_status tillbox_json_parse(
    tillbox_json_parser *_Nonnull parser, const uint8_t *_Nullable bytes, size_t count,
    tillbox_json_tape *_Nonnull tape);

/// Whether the string at `text` in a tape's string buffer is the `count` bytes at `other`.
static inline bool tillbox_json_string_is(
    const uint8_t *_Nonnull text, const uint8_t *_Nonnull other, size_t count) {
    uint32_t length;
    memcpy(&length, text, sizeof length);
    if (length != count) return false;
    const uint8_t *_Nonnull bytes = text + sizeof length;
    // Most keys of the right length differ at once, and comparing one byte needs no call.
    return count == 0 || (bytes[0] == other[0] && memcmp(bytes, other, count) == 0);
}

#ifdef __cplusplus
}
#endif
