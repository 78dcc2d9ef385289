import Vocabulary

/// Holds a day's rows against the table's schema, and counts and sums them.
///
/// BigQuery's own check is not relied on: an emulator takes anything, and a load job names a
/// hundred errors without saying what is right. Whatever passes here, BigQuery takes.
///
/// Every column of the schema must be there in every row, once, and no other: a forgotten column
/// would be null in silence. Dates and times have the one form that DuckDB and BigQuery read alike.
struct RowCheck {
    /// What is wrong with a row.
    struct Fault: Error, Hashable, CustomStringConvertible {
        /// From 1.
        var line: Int64
        var reason: String

        var description: String { "line \(line): \(reason)" }
    }

    private let table: WarehouseTable
    private let day: String
    private let names: [[UInt8]]
    private let places: [[UInt8]: Int]
    private let sumPlaces: [(column: Int, currency: Int)]
    private let document = JSONDocument(bytesMax: Self.rowByteCountMax)
    /// Of each money column: by currency.
    private var sums: [[String: (rows: Int64, sum: Int128)]]
    private var rows: Int64 = 0

    /// Longest row: BigQuery takes 100 MB, and a payment with its reasons has a few kilobytes.
    static let rowByteCountMax = 4 << 20

    init(_ table: WarehouseTable, day: LoadDay) {
        self.table = table
        self.day = day.text
        names = table.columns.map { Array($0.name.utf8) }
        places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let numbers = Dictionary(
            uniqueKeysWithValues: table.columns.enumerated().map { ($1.name, $0) })
        sumPlaces = table.sums.map { sum in
            guard let column = numbers[sum.column], let currency = numbers[sum.currency] else {
                preconditionFailure("\(table.name) sums \(sum) and has no such columns")
            }
            return (column, currency)
        }
        sums = Array(repeating: [:], count: table.sums.count)
    }

    /// What has been counted so far.
    var figures: LoadFigures {
        var all: [DayManifest.Sum] = []
        for (sum, byCurrency) in zip(table.sums, sums) {
            for (currency, value) in byCurrency.sorted(by: { $0.key < $1.key }) {
                all.append(
                    DayManifest.Sum(
                        column: sum.column, currency: currency, rows: value.rows, sum: value.sum))
            }
        }
        return LoadFigures(rows: rows, sums: all)
    }

    /// One row, without its line end.
    mutating func take(_ line: some Collection<UInt8>) throws(Fault) {
        rows += 1
        let values = try values(of: line)
        for (column, value) in zip(table.columns, values) {
            guard !value.isNull else {
                if column.isRequired { throw fault("\(column.name) is null and must not be") }
                continue
            }
            try check(value, column)
        }
        for (index, place) in sumPlaces.enumerated() {
            guard let amount = values[place.column].int64 else { continue }
            guard let currency = values[place.currency].string else {
                throw fault("\(table.columns[place.column].name) has a value and no currency")
            }
            var sum = sums[index][currency] ?? (0, 0)
            sum.rows += 1
            sum.sum += Int128(amount)
            sums[index][currency] = sum
        }
    }

    /// The row's values in the order of the columns.
    private func values(of line: some Collection<UInt8>) throws(Fault) -> [JSONValue] {
        let root: JSONValue
        do {
            root = try document.parse(line)
        } catch {
            throw fault("it is no JSON (\(error))")
        }
        guard let members = root.object else { throw fault("it is no JSON object") }
        var found = [JSONValue?](repeating: nil, count: names.count)
        var expected = 0
        for (key, value) in members {
            let isExpected =
                expected < names.count
                && key.withUTF8 { $0.count == names[expected].count && equal($0, names[expected]) }
                    == true
            let name = isExpected ? [] : Array((key.string ?? "").utf8)
            guard let place = isExpected ? expected : places[name] else {
                throw fault("\(ShownText.escaped(key.string ?? "?")) is no column of the schema")
            }
            guard found[place] == nil else {
                throw fault("\(table.columns[place].name) is said twice")
            }
            found[place] = value
            expected = place + 1
        }
        var values: [JSONValue] = []
        values.reserveCapacity(found.count)
        for (column, value) in zip(table.columns, found) {
            guard let value else { throw fault("\(column.name) is missing") }
            values.append(value)
        }
        return values
    }

    private func equal(_ span: Span<UInt8>, _ bytes: [UInt8]) -> Bool {
        for index in span.indices where span[index] != bytes[index] { return false }
        return true
    }

    private func check(_ value: JSONValue, _ column: WarehouseColumn) throws(Fault) {
        let isRight =
            switch column.kind {
            case .integer: value.int64 != nil
            case .number: value.double?.isFinite == true
            case .flag: value.bool != nil
            case .text: value.kind == .string
            case .day: value.string.map { LoadDay($0) != nil } ?? false
            case .moment: value.string.map(Self.isTimestamp) ?? false
            }
        guard isRight else {
            throw fault("\(column.name) is no \(column.kind.rawValue): \(Self.shown(value))")
        }
        if column.name == WarehouseTable.partition, value.string != day {
            throw fault("\(column.name) is \(value.string ?? "?") in the file of \(day)")
        }
    }

    /// `2026-11-26T09:30:00Z`, perhaps with milliseconds: UTC and no offset.
    private static func isTimestamp(_ text: String) -> Bool {
        let bytes = text.utf8.count
        return (bytes == 20 || bytes == 24) && text.hasSuffix("Z") && text.contains("T")
            && (bytes == 20 || text.utf8.dropFirst(19).first == UInt8(ascii: "."))
            && Moment(text) != nil
    }

    private static func shown(_ value: JSONValue) -> String {
        switch value.kind {
        case .object: "an object"
        case .array: "a list"
        case .string: "the text \"\(ShownText.escaped(String((value.string ?? "").prefix(40))))\""
        case .number: value.double.map { "the number \($0)" } ?? "a number"
        case .bool: "true or false"
        case .null: "null"
        }
    }

    private func fault(_ reason: String) -> Fault { Fault(line: rows, reason: reason) }
}
