internal import COpenSSL

/// A Lua script that the server runs in one piece (redis.io/docs/interact/programmability).
///
/// It is called by its digest; a server that does not know it, after a restart or a flush, is sent
/// the whole of it once.
public struct RedisScript: Hashable, Sendable {
    public let source: String
    /// The SHA-1 of the source, 40 hexadecimal digits: the script's name at the server.
    public let digest: String

    public init(_ source: String) {
        self.source = source
        digest = Self.digest(of: Array(source.utf8))
    }

    private static func digest(of source: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        // SAFETY: SHA-1 reads so many bytes and writes exactly 20.
        _ = SHA1(source, source.count, &digest)
        return digest.lowercaseHex
    }

    func command(
        byDigest: Bool, keys: [[UInt8]], arguments: [RedisArgument]
    ) -> RedisCommand {
        var command = RedisCommand(
            byDigest ? "EVALSHA" : "EVAL", .text(byDigest ? digest : source), .number(keys.count))
        for key in keys { command.append(.bytes(key)) }
        for argument in arguments { command.append(argument) }
        return command
    }
}

extension [UInt8] {
    /// Two hexadecimal digits a byte.
    var lowercaseHex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
