import Bridges
import Vocabulary

/// The key that backups are encrypted with: 256 bits, kept by the operator apart from the backups.
package struct BackupKey: Sendable {
    private let bytes: [UInt8]

    /// - Parameter text: of the key's file: 64 hex digits, with white space around them.
    /// - Returns: nil for anything else.
    package init?(_ text: String) {
        let digits = text.split(whereSeparator: \.isWhitespace)
        guard digits.count == 1, let bytes = Self.bytes(hex: digits[0]),
            bytes.count == AES256GCM.keyByteCount
        else { return nil }
        self.bytes = bytes
    }

    private static func bytes(hex text: Substring) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for place in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[place..<place + 2], as: UTF8.self)
            guard pair.allSatisfy(\.isHexDigit), let byte = UInt8(pair, radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }

    /// 32 hex digits by which a folder knows its key; they tell nothing of it.
    var check: String { String(hex: derived("tillbox-backup check", [])[..<16]) }

    /// The key of one file: of its own salt and its name, so that no two files share one, and none
    /// can be given for another.
    func cipher(ofFile name: String, salt: [UInt8]) -> AES256GCM {
        AES256GCM(key: derived("tillbox-backup file 1", salt + Array(name.utf8)))
    }

    private func derived(_ purpose: String, _ context: [UInt8]) -> [UInt8] {
        // The purpose ends with a byte that no purpose has.
        HMACSHA256(key: bytes).code(for: (Array(purpose.utf8) + [0])[...], context[...])
    }
}
