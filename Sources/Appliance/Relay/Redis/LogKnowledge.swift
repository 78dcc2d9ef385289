import AppendLog
import Appliance
import Vocabulary

/// Reads out of the local log's records what the cloud roles look up in Redis.
struct LogKnowledge {
    let source: RelaySource
    private let scanner = EventScanner()
    private let document = JSONDocument()
    /// Records of `payment.validated` that lie beside the one that was asked for last.
    private var page: [StoredRecord] = []

    init(source: RelaySource) { self.source = source }

    /// The event whose claim is done, since its record is stored: a delivery of the same event is a
    /// duplicate, of another event under its id a conflict.
    ///
    /// - Returns: nil for a record that is no event with an identity.
    func admitted(by stored: StoredRecord) -> EventIdentity? {
        guard let event = try? scanner.scan(stored.record.value ?? []), let type = event.type,
            let created = event.created
        else { return nil }
        return EventIdentity(id: event.id, type: type, created: created)
    }

    /// - Returns: nil for a record that cannot be read, or whose payment is no longer kept.
    mutating func vector(of stored: StoredRecord) throws(RelayFailure) -> StoredVector? {
        guard let record = try? FeaturesRecord(stored.record.value ?? [], using: document),
            let origin = stored.record.text(SourcedRecord.headerName).flatMap({ Int64($0) })
                .flatMap(Offset.init(named:)),
            let payment = try payment(at: origin)
        else { return nil }
        return StoredVector(
            movement: payment.movement, eventID: record.eventID, schema: record.schemaVersion,
            rank: payment.informedness.rank, vector: record.vector)
    }

    /// Vectors stand in the order of their payments, so that the next one is mostly on the page.
    private mutating func payment(at offset: Offset) throws(RelayFailure) -> PaymentEvent? {
        if place(of: offset) == nil {
            guard offset >= source[.paymentValidated].start else { return nil }
            page = try source.records(.paymentValidated, from: offset, limit: nil)
        }
        guard let place = place(of: offset) else { return nil }
        return try? PaymentEvent(page[place].record.value ?? [], using: document)
    }

    private func place(of offset: Offset) -> Int? {
        guard let first = page.first else { return nil }
        let place = first.offset.distance(to: offset)
        return place >= 0 && place < page.count ? Int(place) : nil
    }
}
