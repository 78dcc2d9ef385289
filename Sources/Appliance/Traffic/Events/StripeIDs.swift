import AppendLog

/// Ids in Stripe's shape (`ch_1` and 23 letters and digits), one for each serial.
///
/// Serials are scrambled by a bijection, so two of them never share an id; the seed's own token
/// keeps two scenarios apart that deliver to one daemon.
package struct StripeIDs: Sendable {
    package enum Prefix: Sendable {
        case event, charge, paymentIntent, paymentMethod, customer, refund, dispute, payout
        case balanceTransaction, account, bankAccount, request, device, webhookEndpoint
        case transfer, transferReversal, applicationFee, feeRefund, topUp, payment, paymentRefund
        case source

        var text: StaticString {
            switch self {
            case .event: "evt_"
            case .charge: "ch_"
            case .paymentIntent: "pi_"
            case .paymentMethod: "pm_"
            case .customer: "cus_"
            case .refund: "re_"
            case .dispute: "dp_"
            case .payout: "po_"
            case .balanceTransaction: "txn_"
            case .account: "acct_"
            case .bankAccount: "ba_"
            case .request: "req_"
            case .device: "dev_"
            case .webhookEndpoint: "we_"
            case .transfer: "tr_"
            case .transferReversal: "trr_"
            case .applicationFee: "fee_"
            case .feeRefund: "fr_"
            case .topUp: "tu_"
            case .payment: "py_"
            case .paymentRefund: "pyr_"
            case .source: "src_"
            }
        }
    }

    static let alphabet = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    /// Base-62 digits that hold any 64-bit number.
    static let digitCount = 11
    /// Bytes of the longest id.
    private static let lengthMax = 32

    let key: UInt64
    private let token: [UInt8]

    package init(seed: UInt64) {
        var mixer = SeededGenerator(seed: seed)
        key = mixer.next()
        var rest = mixer.next()
        var token: [UInt8] = [UInt8(ascii: "1")]
        for _ in 0..<Self.digitCount + 1 {
            token.append(Self.alphabet[Int(rest % 62)])
            rest /= 62
        }
        self.token = token
    }

    /// Appends the id of an object.
    func write(_ prefix: Prefix, _ serial: ObjectSerial, into out: inout JSONBytes) {
        out.append(raw: prefix.text)
        switch prefix {
        case .account:
            // Connect accounts have 16 characters after the prefix.
            out.bytes.append(contentsOf: token.prefix(16 - Self.digitCount))
        case .customer, .request, .device:
            out.bytes.append(contentsOf: token.prefix(14 - Self.digitCount))
        default:
            out.bytes.append(contentsOf: token)
        }
        writeDigits(serial.rawValue, into: &out)
    }

    /// Appends a card's fingerprint: 16 letters and digits.
    package func writeFingerprint(_ serial: ObjectSerial, into out: inout JSONBytes) {
        out.bytes.append(contentsOf: token.suffix(16 - Self.digitCount))
        writeDigits(serial.rawValue ^ 0xF1A6, into: &out)
    }

    package func string(_ prefix: Prefix, _ serial: ObjectSerial) -> String {
        var out = JSONBytes()
        out.bytes.reserveCapacity(Self.lengthMax)
        write(prefix, serial, into: &out)
        return String(decoding: out.bytes, as: UTF8.self)
    }

    /// A number that belongs to this serial and looks like chance, for fields such as an address.
    package func noise(_ serial: ObjectSerial, salt: UInt64) -> UInt64 {
        SeededGenerator.scramble((serial.rawValue &+ salt &* 0x9E37_79B9_7F4A_7C15) ^ key)
    }

    private func writeDigits(_ number: UInt64, into out: inout JSONBytes) {
        var rest = SeededGenerator.scramble(number ^ key)
        for _ in 0..<Self.digitCount {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 62)
            out.bytes.append(Self.alphabet[Int(truncatingIfNeeded: digit)])
            rest = quotient
        }
    }
}
