/// A column as BigQuery has it, or is to have it.
struct BigQueryColumn: Hashable, Sendable {
    var name: String
    var kind: WarehouseColumn.Kind
    var isRequired: Bool
    var about: String

    init(name: String, kind: WarehouseColumn.Kind, isRequired: Bool, about: String) {
        self.name = name
        self.kind = kind
        self.isRequired = isRequired
        self.about = about
    }

    init(_ column: WarehouseColumn) {
        self.init(
            name: column.name, kind: column.kind, isRequired: column.isRequired,
            about: column.about)
    }
}

extension WarehouseColumn.Kind {
    /// By the name that the API answers with, which is the older one of some.
    init?(answered name: String) {
        switch name {
        case "INTEGER": self = .integer
        case "FLOAT": self = .number
        case "BOOLEAN": self = .flag
        default: self.init(rawValue: name)
        }
    }
}

extension WarehouseTable {
    /// The column that a table is partitioned by.
    static let partition = "dt"

    var bigQueryColumns: [BigQueryColumn] { columns.map(BigQueryColumn.init) }
}
