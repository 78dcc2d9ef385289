internal import CHiredis

/// hiredis's reader: bytes in, replies out. It belongs to one thread at a time.
///
/// A peer decides neither how much memory a reply takes nor how deep the stack grows: bytes and
/// elements are bounded here, and depth by hiredis, at seven arrays in each other.
final class RedisReplyReader {
    /// Elements of one array. A reader that is told more stops before it makes room for them.
    static let elementsMax: Int32 = 65_536

    private let handle: UnsafeMutablePointer<redisReader>
    private let replyBytesMax: Int
    /// Bytes taken since the last whole reply.
    private var unfinishedBytes = 0

    init(replyBytesMax: Int) {
        guard let handle = redisReaderCreateWithFunctions(BoundedArrays.functions) else {
            preconditionFailure("no memory for hiredis's reader")
        }
        self.handle = handle
        self.replyBytesMax = replyBytesMax
    }

    deinit { redisReaderFree(handle) }

    /// Takes the first `count` bytes of the buffer.
    func feed(_ buffer: [UInt8], count: Int) {
        precondition(count <= buffer.count, "\(count) bytes of a buffer of \(buffer.count)")
        // SAFETY: hiredis copies the bytes; there are at least so many.
        _ = buffer.withUnsafeBytes {
            redisReaderFeed(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), count)
        }
        unfinishedBytes += count
    }

    /// The next whole reply; nil where its end has not come yet.
    ///
    /// - Throws: `replyTooLarge`, `protocolViolation`. The reader is of no use afterwards.
    func next() throws(RedisTrouble) -> RedisReply? {
        var raw: UnsafeMutableRawPointer?
        let code = redisReaderGetReply(handle, &raw)
        guard code == REDIS_OK else { throw trouble() }
        guard let raw else {
            guard unfinishedBytes <= replyBytesMax else {
                throw .replyTooLarge(bytesMax: replyBytesMax)
            }
            return nil
        }
        defer { freeReplyObject(raw) }
        unfinishedBytes = handle.pointee.len - handle.pointee.pos
        // SAFETY: the reader's functions are hiredis's own, and make redisReply objects.
        return Self.reply(raw.assumingMemoryBound(to: redisReply.self).pointee)
    }

    private func trouble() -> RedisTrouble {
        guard handle.pointee.err != REDIS_ERR_OOM else {
            return .replyTooLarge(bytesMax: replyBytesMax)
        }
        // SAFETY: hiredis ends the text with a zero, within the array.
        let words = withUnsafeBytes(of: handle.pointee.errstr) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return .protocolViolation(words)
    }

    private static func reply(_ raw: redisReply) -> RedisReply {
        switch raw.type {
        case REDIS_REPLY_STRING: .bulk(bytes(raw))
        case REDIS_REPLY_STATUS: .status(String(decoding: bytes(raw), as: UTF8.self))
        case REDIS_REPLY_ERROR:
            .error(RedisErrorReply(String(decoding: bytes(raw), as: UTF8.self)))
        case REDIS_REPLY_INTEGER: .integer(raw.integer)
        case REDIS_REPLY_ARRAY:
            .array((0..<raw.elements).map { index in
                // SAFETY: hiredis fills every element before it hands out the array.
                raw.element?[index].map { reply($0.pointee) } ?? .null
            })
        default: .null
        }
    }

    private static func bytes(_ raw: redisReply) -> [UInt8] {
        // SAFETY: hiredis says how long the text is; it is copied before it is freed.
        [UInt8](UnsafeRawBufferPointer(start: raw.str, count: raw.len))
    }
}

/// hiredis's functions that make replies, with a bound on the elements of an array: it makes room
/// for as many as the peer announces, before one of them has come.
private enum BoundedArrays {
    // SAFETY: written once, before the first use, and afterwards only read.
    nonisolated(unsafe) static let functions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
        let own = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        own.initialize(to: standard)
        own.pointee.createArray = { task, elements in
            guard elements <= RedisReplyReader.elementsMax else { return nil }
            return BoundedArrays.standard.createArray?(task, elements)
        }
        return own
    }()

    /// What a reader of hiredis's own making uses.
    private static let standard: redisReplyObjectFunctions = {
        guard let reader = redisReaderCreate(), let functions = reader.pointee.fn else {
            preconditionFailure("no memory for hiredis's reader")
        }
        defer { redisReaderFree(reader) }
        return functions.pointee
    }()
}
