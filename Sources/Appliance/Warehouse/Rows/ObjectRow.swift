import Appliance
import Vocabulary

/// Where a telling of an object stands: what its row needs beside the object itself.
struct TellingContext {
    /// The Stripe account of the event; nil is the own.
    var account: String?
    var isDeleted = false
    /// `_fivetran_synced`
    var synced: String
}

/// A row of an object of Stripe's, written column by column as its table says.
struct ObjectRow {
    private let table: WarehouseTable
    private let context: TellingContext

    init(_ table: WarehouseTable, _ context: TellingContext) {
        (self.table, self.context) = (table, context)
    }

    /// - Parameter created: the object's, which names the row's day.
    /// - Returns: nil where the object lacks what every row has, or has it in another form.
    func row(of object: JSONValue, created: Instant) -> KeptRow? {
        var writer = JSONWriter(capacity: 1024)
        var front: [UInt8]?
        var line: String?
        writer.beginObject()
        for column in table.columns {
            writer.key(named: column.name)
            if column.name == WarehouseTable.lineColumn, let source = column.source {
                line = Self.text(value(source, object))
                // What stands behind it is written as if something stood there.
                front = writer.bytes
                writer.removeAll()
                writer.null()
                continue
            }
            guard write(column, object, created, into: &writer) else { return nil }
        }
        writer.endObject()
        var row = KeptRow(front: "", line: line, back: "", amount: nil, currency: nil)
        if let front {
            row.front = String(decoding: front, as: UTF8.self)
            row.back = String(decoding: writer.bytes.dropFirst("null".utf8.count), as: UTF8.self)
        } else {
            row.front = String(decoding: writer.bytes, as: UTF8.self)
        }
        if !table.sums.isEmpty {
            guard let amount = object["amount"]?.int64,
                let currency = object["currency"]?.string.flatMap(Currency.init)
            else { return nil }
            (row.amount, row.currency) = (amount, currency.code)
        }
        return row
    }

    /// - Returns: false where a value is missing that every row has, or is of another type.
    private func write(
        _ column: WarehouseColumn, _ object: JSONValue, _ created: Instant,
        into writer: inout JSONWriter
    ) -> Bool {
        switch column.name {
        case "dt": writer.string(UTCText.day(UTCText.day(of: created)))
        case "created" where table.day == column.name:
            writer.string(UTCText.second(created))
        case "_fivetran_synced": writer.string(context.synced)
        default: return write(column, object, into: &writer)
        }
        return true
    }

    private func write(
        _ column: WarehouseColumn, _ object: JSONValue, into writer: inout JSONWriter
    ) -> Bool {
        guard let source = column.source else { return writeNothing(column, into: &writer) }
        switch source {
        case .account: return write(context.account, column, into: &writer)
        case .deleted: writer.bool(context.isDeleted)
        default:
            guard let value = value(source, object), !value.isNull else {
                return writeNothing(column, into: &writer)
            }
            return write(value, column, into: &writer)
        }
        return true
    }

    private func write(
        _ text: String?, _ column: WarehouseColumn, into writer: inout JSONWriter
    ) -> Bool {
        guard let text else { return writeNothing(column, into: &writer) }
        writer.string(text)
        return true
    }

    private func writeNothing(
        _ column: WarehouseColumn, into writer: inout JSONWriter
    ) -> Bool {
        // Stripe leaves the flags of old objects out where they do not hold.
        if column.isRequired, column.kind == .flag {
            writer.bool(false)
            return true
        }
        writer.null()
        return !column.isRequired
    }

    private func write(
        _ value: JSONValue, _ column: WarehouseColumn, into writer: inout JSONWriter
    ) -> Bool {
        switch column.kind {
        case .text:
            if let text = Self.text(value) {
                writer.string(column.isFreeText ? Self.masked(text) : text)
            } else if value.object != nil || value.array != nil {
                writer.string(Self.compact(value))
            } else {
                return false
            }
        case .integer:
            guard let number = value.int64 else { return false }
            writer.int(number)
        case .number:
            guard let number = value.double else { return false }
            writer.double(number)
        case .flag:
            guard let flag = value.bool else { return false }
            writer.bool(flag)
        case .moment:
            guard let moment = value.int64.flatMap(Instant.init(named:)) else { return false }
            writer.string(UTCText.second(moment))
        case .day: return false
        }
        return true
    }

    /// Where a column's value stands; nil where it is absent.
    private func value(_ source: WarehouseColumn.Source, _ object: JSONValue) -> JSONValue? {
        switch source {
        case .member(let path): Self.member(path, of: object)
        case .id(let name): object.member(named: name).flatMap { $0["id"] ?? $0 }
        case .firstBalanceTransaction:
            object["balance_transactions"]?.array?.first { _ in true }.flatMap { $0["id"] ?? $0 }
        case .bankDestination: Self.id(object["destination"], beginning: "ba_")
        case .cardDestination: Self.id(object["destination"], beginning: "card_")
        case .cardSource: Self.id(object["source"], beginning: "card_")
        case .account, .deleted: nil
        }
    }

    private static func member(_ path: String, of object: JSONValue) -> JSONValue? {
        var value: JSONValue? = object
        for name in path.split(separator: ".") { value = value?.member(named: String(name)) }
        return value
    }

    private static func id(_ value: JSONValue?, beginning prefix: String) -> JSONValue? {
        let id = value?["id"] ?? value
        return id?.string?.hasPrefix(prefix) == true ? id : nil
    }

    private static func text(_ value: JSONValue?) -> String? {
        guard let text = value?.string, !text.isEmpty else { return nil }
        return text
    }

    /// Nothing that is derived from a webhook has a card number in it (docs/THREATS.md).
    private static func masked(_ text: String) -> String { CardNumber.masked(in: text) ?? text }

    /// JSON without white space, and without card numbers.
    private static func compact(_ value: JSONValue) -> String {
        var writer = JSONWriter()
        write(value, into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func write(_ value: JSONValue, into writer: inout JSONWriter) {
        if let members = value.object {
            writer.beginObject()
            for (key, value) in members {
                writer.key(named: masked(key.string ?? ""))
                write(value, into: &writer)
            }
            writer.endObject()
        } else if let elements = value.array {
            writer.beginArray()
            for element in elements { write(element, into: &writer) }
            writer.endArray()
        } else if let text = value.string {
            writer.string(masked(text))
        } else if let flag = value.bool {
            writer.bool(flag)
        } else if let number = value.int64 {
            writer.int(number)
        } else if let number = value.double {
            writer.double(number)
        } else {
            writer.null()
        }
    }
}
