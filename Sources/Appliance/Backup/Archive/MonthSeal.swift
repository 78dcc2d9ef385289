package import Vocabulary

/// A month of the calendar in UTC, as it is sealed.
package struct SealMonth: Hashable, Sendable {
    /// `2026-10`
    package let name: String
    /// Its first second, and that of the next one.
    package let from: Instant
    package let to: Instant

    package init(name: String, from: Instant, to: Instant) {
        precondition(from < to, "\(name) from \(from.seconds) to \(to.seconds)")
        (self.name, self.from, self.to) = (name, from, to)
    }
}

/// What log and ledger held at the end of a month: `archive/2026-10.json` in the data folder.
///
/// One JSON document in a line, and in the next line its SHA-256 in hex; each holds that of the
/// month before. So whoever keeps the last line of the newest one elsewhere can tell later that
/// nothing of all months was changed.
package struct MonthSeal: Hashable, Sendable {
    package static let format: Int64 = 1
    /// Far more than a seal with a hundred thousand accounts has.
    static let bytesMax = 64 << 20

    /// What of a topic the month ends with, from where the month before ended: whole batches.
    package struct Reach: Hashable, Sendable {
        package var topic: String
        /// 0 in the log of a data folder, whose topics have one.
        package var partition: Int64 = 0
        package var start: Int64
        /// Where the first batch begins that has a record of a later month.
        package var end: Int64
        /// Of the batches between, as they lie in the segments; and their SHA-256, 64 hex digits.
        package var bytes: Int64
        package var digest: String
    }

    /// What an account holds in a currency: minor units, debits minus credits.
    package struct Holding: Hashable, Sendable {
        package var account: String
        package var currency: String
        package var amount: Int64
    }

    package var month: SealMonth
    /// Milliseconds since 1970.
    package var sealedAt: Int64
    /// Of the program that wrote it.
    package var release: String
    /// The log's identity.
    package var log: String
    /// Whether the month agreed with Stripe's statement to the cent, as `report month` has it.
    package var isReconciled: Bool
    /// The SHA-256 of the seal of the month before, as its second line has it; nil in the first.
    package var before: String?
    package var reaches: [Reach]
    /// The last transaction that was booked before the month's end, 0 where none was, and its hash
    /// in hex, which is that of the whole chain up to it.
    package var transactions: Int64
    package var ledgerHash: String?
    /// Every account's behind that transaction.
    package var holdings: [Holding]

    /// Both lines.
    func encoded() -> [UInt8] {
        var writer = JSONWriter(capacity: 16 << 10)
        writer.beginObject()
        writer.member("format", Self.format)
        writer.member("month", month.name)
        writer.member("from", month.from.seconds)
        writer.member("to", month.to.seconds)
        writer.member("sealed_at", sealedAt)
        writer.member("release", release)
        writer.member("log", log)
        writer.member("reconciled", isReconciled)
        writer.member("before", before)
        writer.objects("topics", reaches) { reach, writer in
            writer.member("topic", reach.topic)
            writer.member("partition", reach.partition)
            writer.member("start", reach.start)
            writer.member("end", reach.end)
            writer.member("bytes", reach.bytes)
            writer.member("sha256", reach.digest)
        }
        writer.member("transactions", transactions)
        writer.member("ledger_hash", ledgerHash)
        writer.objects("balances", holdings) { holding, writer in
            writer.member("account", holding.account)
            writer.member("currency", holding.currency)
            writer.member("amount", holding.amount)
        }
        writer.endObject()
        return writer.bytes + Array("\n\(BackupPlace.digest(writer.bytes))\n".utf8)
    }
}

extension MonthSeal {
    /// - Parameter file: for what is wrong with it.
    /// - Returns: the seal, and the SHA-256 in its second line.
    /// - Throws: `.sealDamaged`, `.sealNewer`
    static func decode(
        _ bytes: [UInt8], at file: String
    ) throws(ArchiveError) -> (seal: MonthSeal, digest: String) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count == 3, lines[2].isEmpty else {
            throw .sealDamaged(file: file, reason: "it is not whole")
        }
        let digest = String(decoding: lines[1], as: UTF8.self)
        guard digest == BackupPlace.digest(Array(lines[0])) else {
            throw .sealDamaged(file: file, reason: "its own checksum is another one")
        }
        let document = JSONDocument(bytesMax: bytesMax)
        do {
            let seal = try withExtendedLifetime(document) {
                let json = try document.parse(lines[0])
                let format = try json.requiredInt64("format")
                guard format <= Self.format else {
                    throw ArchiveError.sealNewer(file: file, format: format, known: Self.format)
                }
                return try MonthSeal(json)
            }
            return (seal, digest)
        } catch let error as ArchiveError {
            throw error
        } catch {
            throw .sealDamaged(file: file, reason: "\(error)")
        }
    }

    private init(_ json: JSONValue) throws {
        let (from, to) = (try json.requiredInt64("from"), try json.requiredInt64("to"))
        guard from < to else { throw RecordCodecError.field("to") }
        month = SealMonth(
            name: try json.requiredString("month"), from: Instant(seconds: from),
            to: Instant(seconds: to))
        sealedAt = try json.requiredInt64("sealed_at")
        release = try json.requiredString("release")
        log = try json.requiredString("log")
        isReconciled = json["reconciled"]?.bool ?? false
        before = json["before"]?.string
        transactions = try json.requiredInt64("transactions")
        ledgerHash = json["ledger_hash"]?.string
        reaches = try json.requiredList("topics", Self.reach)
        holdings = try json.requiredList("balances") { (balance) throws(RecordCodecError) in
            Holding(
                account: try balance.requiredString("account"),
                currency: try balance.requiredString("currency"),
                amount: try balance.requiredInt64("amount"))
        }
    }

    private static func reach(_ json: JSONValue) throws(RecordCodecError) -> Reach {
        let (start, end) = (try json.requiredInt64("start"), try json.requiredInt64("end"))
        guard 0 <= start, start <= end else { throw .field("end") }
        return Reach(
            topic: try json.requiredString("topic"),
            partition: try json.requiredInt64("partition"), start: start, end: end,
            bytes: try json.requiredInt64("bytes"), digest: try json.requiredString("sha256"))
    }
}
