import Vocabulary

/// Card numbers where none belong: 13 to 19 digits that pass Luhn's check (ISO/IEC 7812-1), with
/// or without single blanks or hyphens between them.
package enum CardNumber {
    private static let digitCounts = 13...19

    /// `text` with all but the last four digits of each card number replaced by `*`; nil where it
    /// holds none.
    package static func masked(in text: String) -> String? {
        let digitCount = text.utf8.count { $0.isDigit }
        guard digitCount >= digitCounts.lowerBound else { return nil }
        var bytes = Array(text.utf8)
        var found = false
        var start = 0
        while start < bytes.count {
            guard bytes[start].isDigit, start == 0 || !bytes[start - 1].isDigit,
                let end = cardNumberEnd(in: bytes, from: start)
            else {
                start += 1
                continue
            }
            // The digits that stay may begin another number with those behind them.
            start = mask(&bytes, in: start..<end)
            found = true
        }
        return found ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// Where the longest card number ends that begins at `start`. A number begins and ends where
    /// a run of digits does, so no part of a longer run is taken for one.
    private static func cardNumberEnd(in bytes: [UInt8], from start: Int) -> Int? {
        var digits: [UInt8] = []
        var end: Int?
        var position = start
        while position < bytes.count, digits.count <= digitCounts.upperBound {
            let byte = bytes[position]
            position += 1
            if byte.isDigit {
                digits.append(byte - UInt8(ascii: "0"))
                let isRunEnd = position == bytes.count || !bytes[position].isDigit
                if isRunEnd, digitCounts.contains(digits.count), passesLuhn(digits) {
                    end = position
                }
            } else {
                let isSeparator = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "-")
                guard isSeparator, position < bytes.count, bytes[position].isDigit else { break }
            }
        }
        return end
    }

    private static func passesLuhn(_ digits: [UInt8]) -> Bool {
        var sum = 0
        for (distance, digit) in digits.reversed().enumerated() {
            let doubled = distance.isMultiple(of: 2) ? Int(digit) : 2 * Int(digit)
            sum += doubled > 9 ? doubled - 9 : doubled
        }
        return sum.isMultiple(of: 10)
    }

    /// - Returns: where the first of the digits that stay stands.
    private static func mask(_ bytes: inout [UInt8], in range: Range<Int>) -> Int {
        var digitCount = 0
        var firstKept = range.lowerBound
        for position in range.reversed() where bytes[position].isDigit {
            digitCount += 1
            if digitCount > 4 {
                bytes[position] = UInt8(ascii: "*")
            } else {
                firstKept = position
            }
        }
        return firstKept
    }
}

extension PaymentEvent {
    /// Masks card numbers in the fields that may hold free text, and says in how many there were
    /// any. Ids and fingerprints that Stripe gives out are no free text, and masking one that
    /// happens to pass the check would make two customers one.
    mutating func maskCardNumbers() -> Int {
        var count = 0
        if let customer, !customer.hasPrefix("cus_"), let masked = CardNumber.masked(in: customer) {
            self.customer = masked
            count += 1
        }
        if let device, let masked = CardNumber.masked(in: device) {
            self.device = masked
            count += 1
        }
        if let outcome, let masked = CardNumber.masked(in: outcome) {
            self.outcome = masked
            count += 1
        }
        return count
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
