import AppendLog
import Vocabulary

/// What a webhook tells of a movement: the number among its bytes, and whether its signature holds.
extension Explainer {
    /// Bytes of a webhook that are shown on each side of an amount.
    static let excerptSideByteCount = 60
    /// Bytes from an amount to its fee up to which both are shown.
    static let extentByteCountMax = 1024

    /// - Parameter scored: the movement that was scored for it, where that is known.
    func read(
        _ received: StoredRecord, _ scored: MovementKey?, _ keys: [MovementKey],
        _ posting: Posting, _ explained: inout ExplainedTransaction
    ) {
        let record = received.record
        let body = record.value ?? []
        let movements = told.movements(in: body)
        let wanted = (scored.map { [$0] } ?? []) + keys
        explained.told = wanted.lazy.compactMap { key in
            movements.first { $0.event.movement == key }
        }.first
        explained.origin = origin(of: posting, explained.told)
        let arrived = record.text("received-at").flatMap { Int64($0) }
        explained.webhook = ExplainedWebhook(
            offset: received.offset, byteCount: body.count,
            type: try? document.parse(body)["type"]?.string,
            endpoint: record.text("endpoint") ?? "",
            receivedAt: arrived.map { Timestamp(milliseconds: $0) } ?? record.timestamp,
            signature: signature(of: record, body),
            excerpt: Self.excerpt(of: body, around: Self.extent(explained.told)))
    }

    private func origin(of posting: Posting, _ told: ToldMovement?) -> AmountOrigin {
        guard let told else { return .unknown }
        guard posting.kind.isInternal else { return .told }
        return posting.kind == .captureGrown ? .grown(total: told.event.amount) : .moved
    }

    private func signature(of record: Record, _ body: ArraySlice<UInt8>) -> SignatureFinding {
        let endpoint = record.text("endpoint") ?? ""
        switch endpoint {
        case FetchedOrigin.backfill.rawValue: return .unsigned(.sweep)
        case FetchedOrigin.reconcile.rawValue: return .unsigned(.reconciliation)
        default: break
        }
        guard let header = record.text("signature"), !header.isEmpty else {
            return .unsigned(RedriveHeader.letter(of: record) != nil ? .redrive : .unknown)
        }
        do throws(SignatureRefusal) {
            _ = try StripeSignature(header: header)
            guard let verifier = verifiers[endpoint] else { return .secretUnknown }
            return .valid(
                signedAt: try verifier.verify(
                    header: header, body: body, now: Instant(seconds: 0), toleranceSeconds: nil))
        } catch {
            return error == .noMatch ? .noMatch : .unreadable(error)
        }
    }

    /// From the first to the last of the numbers that an event tells a movement by; the first alone
    /// where the others stand far from it.
    private static func extent(_ told: ToldMovement?) -> Range<Int>? {
        guard let told, let first = told.amount.first?.range else { return nil }
        let ranges = (told.amount + told.fee).map(\.range)
        let low = ranges.reduce(first.lowerBound) { min($0, $1.lowerBound) }
        let high = ranges.reduce(first.upperBound) { max($0, $1.upperBound) }
        return high - low <= extentByteCountMax ? low..<high : first
    }

    private static func excerpt(
        of body: ArraySlice<UInt8>, around number: Range<Int>?
    ) -> ExplainedWebhook.Excerpt {
        let middle = number ?? 0..<0
        var low = max(0, middle.lowerBound - excerptSideByteCount)
        var high = min(body.count, middle.upperBound + excerptSideByteCount)
        // Not within a character of several bytes.
        func isInside(_ place: Int) -> Bool {
            place > 0 && place < body.count && body[body.startIndex + place] & 0xC0 == 0x80
        }
        while low < middle.lowerBound, isInside(low) { low += 1 }
        while high > middle.upperBound, isInside(high) { high -= 1 }
        return ExplainedWebhook.Excerpt(
            range: low..<high, bytes: Array(body.dropFirst(low).prefix(high - low)))
    }
}
