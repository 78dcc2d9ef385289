internal import CHiredis

/// One command with its arguments, as bytes.
///
/// They lie one after the other in one array: a command costs two allocations and not one for each
/// argument.
public struct RedisCommand: Hashable, Sendable {
    private var bytes: [UInt8] = []
    private var lengths: [Int] = []

    /// - Parameter name: the command, such as `SET`.
    public init(_ name: String, _ arguments: RedisArgument...) {
        self.init(name, arguments)
    }

    public init(_ name: String, _ arguments: [RedisArgument]) {
        append(RedisArgument(name))
        for argument in arguments { append(argument) }
    }

    public mutating func append(_ argument: RedisArgument) {
        let before = bytes.count
        switch argument.content {
        case .text(let text): bytes.append(contentsOf: text.utf8)
        case .bytes(let more): bytes.append(contentsOf: more)
        }
        lengths.append(bytes.count - before)
    }

    /// What it takes on the way, roughly: its arguments and their lengths.
    var byteCount: Int { bytes.count + 16 * lengths.count }

    /// The command in Redis's protocol (RESP2), written by hiredis.
    func encoded() -> [UInt8] {
        bytes.withUnsafeBytes { all in
            // SAFETY: the formatter reads the arguments by their lengths, which add up to the
            // array, and keeps none; an empty array has no address, and any stands for it.
            let start = all.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
            var next = start?.assumingMemoryBound(to: CChar.self)
            var places = lengths.map { length in
                defer { next = next?.advanced(by: length) }
                return next
            }
            var written: UnsafeMutablePointer<CChar>?
            let count = redisFormatCommandArgv(&written, Int32(places.count), &places, lengths)
            precondition(count > 0, "no memory for a command of \(byteCount) bytes")
            defer { redisFreeCommand(written) }
            // SAFETY: the formatter says how long its text is; it is copied before it is freed.
            return [UInt8](UnsafeRawBufferPointer(start: written, count: Int(count)))
        }
    }
}

extension RedisCommand: CustomStringConvertible {
    /// The name alone: arguments may be secrets.
    public var description: String {
        String(decoding: bytes.prefix(lengths.first ?? 0), as: UTF8.self)
    }
}

/// One argument of a command: text, bytes or a number.
public struct RedisArgument: Sendable {
    enum Content: Sendable {
        case text(String)
        case bytes([UInt8])
    }

    let content: Content

    public init(_ text: String) { content = .text(text) }
    public init(_ bytes: [UInt8]) { content = .bytes(bytes) }
    public init(_ number: some BinaryInteger) { content = .text(String(number)) }

    public static func bytes(_ bytes: [UInt8]) -> Self { Self(bytes) }
    public static func text(_ text: String) -> Self { Self(text) }
    public static func number(_ number: some BinaryInteger) -> Self { Self(number) }
}

extension RedisArgument: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    public init(stringLiteral text: String) { self.init(text) }
    public init(integerLiteral number: Int) { self.init(number) }
}
