/// A file as a bank gives it, of whichever format.
package enum BankFile {
    /// The formats, as a command names them.
    package enum Format: String, CaseIterable, Sendable { case camt053, mt940, csv }

    /// What a file looks like.
    ///
    /// - Returns: nil for what is neither XML nor MT940: it may be CSV.
    package static func format(of bytes: [UInt8]) -> Format? {
        let start = String(decoding: bytes.prefix(2_000), as: UTF8.self)
            .drop { $0.isWhitespace || $0 == "\u{feff}" }
        if start.hasPrefix("<") { return .camt053 }
        let isSwift = start.hasPrefix(":20:") || start.hasPrefix("{1:")
            || start.contains("\n:60F:") || start.contains("\r\n:60F:")
        return isSwift ? .mt940 : nil
    }

    /// The statements of a file, each checked.
    ///
    /// - Parameters:
    ///   - format: nil to look for oneself.
    ///   - mapping: which column of a CSV says what.
    ///   - days: what a CSV covers; nil for the days of its entries.
    package static func statements(
        in bytes: [UInt8], as format: Format? = nil, mapping: BankCSVMapping? = nil,
        days: ClosedRange<BankDay>? = nil
    ) throws(BankFileRefusal) -> [BankStatement] {
        guard bytes.count <= BankLimits.fileBytesMax else {
            throw BankFileRefusal(
                "the file is larger than \(BankLimits.fileBytesMax >> 20) MiB; split it")
        }
        let bytes = utf8(bytes)
        switch format ?? self.format(of: bytes) ?? (mapping == nil ? nil : .csv) {
        case .camt053: return try Camt053.statements(in: bytes)
        case .mt940: return try MT940.statements(in: String(decoding: bytes, as: UTF8.self))
        case .csv:
            guard let mapping else {
                throw BankFileRefusal("CSV needs --mapping FILE: which column says what")
            }
            return try BankCSV.statements(in: bytes, mapping, days: days)
        case nil:
            throw BankFileRefusal(
                "the file is neither camt.053 nor MT940; for CSV give --mapping FILE")
        }
    }

    /// What is no UTF-8 is taken for ISO 8859-1, as banks write their old formats.
    private static func utf8(_ bytes: [UInt8]) -> [UInt8] {
        guard String(validating: bytes, as: UTF8.self) == nil else { return bytes }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + bytes.count / 8)
        for byte in bytes {
            if byte < 0x80 {
                out.append(byte)
            } else {
                out += [0xC0 | byte >> 6, 0x80 | byte & 0x3F]
            }
        }
        return out
    }
}
