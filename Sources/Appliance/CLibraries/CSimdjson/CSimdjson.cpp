#include "CSimdjson.h"

#include <cstring>
#include <memory>
#include <new>
#include <simdjson.h>

using simdjson::error_code;

struct tillbox_json_parser {
    simdjson::dom::parser parser;
    size_t depth_max;
    size_t bytes_max;
    /// The input with the readable bytes behind it that simdjson asks for.
    std::unique_ptr<uint8_t[]> padded;
    size_t capacity = 0;
    tillbox_json_parser(size_t depth_max, size_t bytes_max) noexcept
        : depth_max(depth_max), bytes_max(bytes_max) {}
};

extern "C" tillbox_json_parser *tillbox_json_parser_create(size_t depth_max, size_t bytes_max) {
    return new (std::nothrow) tillbox_json_parser(depth_max, bytes_max);
}

extern "C" void tillbox_json_parser_destroy(tillbox_json_parser *parser) { delete parser; }

static tillbox_json_status status_of(error_code error) {
    switch (error) {
        case simdjson::SUCCESS: return TILLBOX_JSON_OK;
        case simdjson::EMPTY: return TILLBOX_JSON_EMPTY;
        case simdjson::UTF8_ERROR: return TILLBOX_JSON_NOT_UTF8;
        case simdjson::DEPTH_ERROR: return TILLBOX_JSON_TOO_DEEP;
        case simdjson::NUMBER_ERROR:
        case simdjson::NUMBER_OUT_OF_RANGE: return TILLBOX_JSON_NUMBER;
        case simdjson::CAPACITY: return TILLBOX_JSON_TOO_LARGE;
        case simdjson::MEMALLOC: return TILLBOX_JSON_OUT_OF_MEMORY;
        default: return TILLBOX_JSON_MALFORMED;
    }
}

/// Room for the usual event from the start; all buffers then grow together, by doubling.
/// Left alone, simdjson grows to exactly the size of each document, and so would allocate anew
/// for every record that is a little longer than all before it.
static const size_t capacity_min = 16 * 1024;

static error_code reserve(tillbox_json_parser *parser, size_t count) {
    if (parser->capacity >= count) return simdjson::SUCCESS;
    size_t wanted = parser->capacity > capacity_min ? parser->capacity : capacity_min;
    while (wanted < count) wanted *= 2;

    // Until all three have grown, the capacity stands at zero and nothing is parsed into them.
    parser->capacity = 0;
    parser->padded.reset(new (std::nothrow) uint8_t[wanted + simdjson::SIMDJSON_PADDING]());
    if (!parser->padded) return simdjson::MEMALLOC;
    // simdjson counts the document itself as a level and refuses when it reaches the bound.
    if (error_code error = parser->parser.allocate(wanted, parser->depth_max + 1)) return error;
    if (error_code error = parser->parser.doc.allocate(wanted)) return error;
    parser->capacity = wanted;
    return simdjson::SUCCESS;
}

extern "C" tillbox_json_status tillbox_json_parse(
    tillbox_json_parser *parser, const uint8_t *bytes, size_t count, tillbox_json_tape *tape) {
    if (count == 0 || bytes == nullptr) return TILLBOX_JSON_EMPTY;
    if (count > parser->bytes_max) return TILLBOX_JSON_TOO_LARGE;
    if (error_code error = reserve(parser, count)) return status_of(error);
    std::memcpy(parser->padded.get(), bytes, count);
    error_code error = parser->parser.parse(parser->padded.get(), count, false).error();
    if (error) return status_of(error);
    tape->words = parser->parser.doc.tape.get();
    tape->strings = parser->parser.doc.string_buf.get();
    return TILLBOX_JSON_OK;
}
