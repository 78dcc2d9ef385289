package import AppendLog
package import Vocabulary

/// Dead letters for who shows them, in whichever plane. Blocking.
package protocol LetterReading: Sendable {
    /// Letters in the order of partitions and offsets, for whoever groups them: no more of them
    /// than a page may look through.
    func listed() throws(StoreFailure) -> [LetterLine]
    /// Letters behind `after`, in the order of partitions and offsets, at most `limit`.
    ///
    /// - Returns: `next` is where to go on, nil at the end.
    func page(
        after: SourcePlace?, limit: Int, reason: String?
    ) throws(StoreFailure) -> (lines: [LetterLine], next: SourcePlace?)
    /// A letter with its bytes; nil where none is.
    func letter(
        at place: SourcePlace
    ) throws(StoreFailure) -> (line: LetterLine, value: ArraySlice<UInt8>)?
    /// Records of `dead.letter` that are not read yet: what they hold is not listed, and which
    /// letters have gone back is not known for sure.
    var behind: Int64 { get }
    /// Letters that are too old to be listed.
    var unlistedCount: Int64 { get }
}

/// Why nothing can go back here, however often somebody asks: in an operator's words.
package struct RedriveRefused: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Sends dead letters back, in whichever plane.
package protocol Redriving: Sendable {
    /// - Throws: `StoreFailure`: letters of this request may then have gone, and asking again is
    ///   harmless. ``RedriveRefused``.
    func redrive(_ request: RedriveRequest) async throws -> RedriveAnswer
}

extension Redriver: Redriving {}

extension LetterList: LetterReading {
    package func listed() throws(StoreFailure) -> [LetterLine] {
        var (lines, after): ([LetterLine], Offset?) = ([], nil)
        repeat {
            let page = try page(after: after, limit: RedriveLimits.pageCountMax)
            lines += page.lines
            after = page.next
        } while after != nil && lines.count < RedriveLimits.listedCountMax
        return lines
    }

    package func page(
        after: SourcePlace?, limit: Int, reason: String?
    ) throws(StoreFailure) -> (lines: [LetterLine], next: SourcePlace?) {
        // Its topics have one partition.
        if let after, after.partition > 0 { return ([], nil) }
        let found = try page(after: after?.offset, limit: limit, reason: reason)
        return (found.lines, found.next.map { .letter($0) })
    }

    package func letter(
        at place: SourcePlace
    ) throws(StoreFailure) -> (line: LetterLine, value: ArraySlice<UInt8>)? {
        guard place.partition == 0 else { return nil }
        let before = place.offset == .zero ? nil : Offset(place.offset.rawValue - 1)
        let found = try page(after: before, limit: 1)
        guard let line = found.lines.first, line.offset == place.offset,
            let record = try view.topic(.deadLetter)?.record(at: place.offset)
        else { return nil }
        return (line, record.value ?? [])
    }

    /// Each look reads all of it.
    package var behind: Int64 { 0 }
    package var unlistedCount: Int64 { 0 }
}

/// Doors through which nothing goes, for a redriver that only foretells.
package struct ShutDoors: LetterStore, AdmissionStore {
    package init() {}

    private static let refusal = StoreFailure.refused("a dry run writes nothing")

    package func keep(
        _ letters: [Record],
        completion: @escaping @Sendable (Result<Void, StoreFailure>) -> Void
    ) { completion(.failure(Self.refusal)) }

    package func admit(
        _ identity: EventIdentity, record: Record,
        completion: @escaping @Sendable (Result<AdmissionOutcome, StoreFailure>) -> Void
    ) { completion(.failure(Self.refusal)) }
}
