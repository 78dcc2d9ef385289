import Bridges
import Vocabulary

/// An amount of a row in a currency, for the manifest's sums.
struct RowAmount {
    /// Its place among the table's sums.
    var place: Int
    var currency: String
    var amount: Int64
}

/// What the rows of a day come to.
struct DayContent: Hashable {
    var rows: Int64
    /// Uncompressed.
    var bytes: Int64
    /// SHA-256, 64 hex digits.
    var digest: String
    var sums: [DayManifest.Sum]
}

/// Takes a day's rows one by one: counts, sums and hashes them, and writes them where there is a
/// file. Holds a piece of them.
final class RowSink {
    private static let pieceBytes = 1 << 16

    private let table: WarehouseTable
    private let file: DraftFile?
    private let digest = SHA256Stream()
    private var piece: [UInt8] = []
    private var (rows, bytes) = (Int64(0), Int64(0))
    private var sums: [SumKey: (rows: Int64, sum: Int128)] = [:]

    private struct SumKey: Hashable, Comparable {
        var place: Int
        var currency: String

        static func < (left: Self, right: Self) -> Bool {
            (left.place, left.currency) < (right.place, right.currency)
        }
    }

    /// - Parameter file: nil where the rows are only counted and hashed.
    init(_ table: WarehouseTable, into file: DraftFile?) {
        (self.table, self.file) = (table, file)
        piece.reserveCapacity(Self.pieceBytes * 2)
    }

    /// - Parameter line: one JSON object, without the line's end.
    func add(_ line: some Collection<UInt8>, _ amounts: [RowAmount]) throws {
        piece.append(contentsOf: line)
        piece.append(UInt8(ascii: "\n"))
        rows += 1
        for amount in amounts {
            let key = SumKey(place: amount.place, currency: amount.currency)
            let sum = sums[key] ?? (0, 0)
            sums[key] = (sum.rows + 1, sum.sum + Int128(amount.amount))
        }
        if piece.count >= Self.pieceBytes { try pass() }
    }

    private func pass() throws {
        try Task.checkCancellation()
        bytes += Int64(piece.count)
        digest.add(piece)
        try file?.write(piece)
        piece.removeAll(keepingCapacity: true)
    }

    /// All that came.
    func finish() throws -> DayContent {
        try pass()
        return DayContent(
            rows: rows, bytes: bytes, digest: String(hex: digest.finish()),
            sums: sums.keys.sorted().map { key in
                let sum = sums[key] ?? (0, 0)
                return DayManifest.Sum(
                    column: table.sums[key.place].column, currency: key.currency, rows: sum.rows,
                    sum: sum.sum)
            })
    }
}
