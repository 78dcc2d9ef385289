/// Where the warehouse is at Google's: a dataset of a project, and where its API answers.
package struct BigQueryPlace: Hashable, Sendable {
    /// Where Google's own API is.
    package static let googleBase = "https://bigquery.googleapis.com"

    package var project: String
    package var dataset: String
    /// Where the dataset should be, as `EU` or `europe-west3`; nil takes what the dataset says.
    package var location: String?
    /// The API's address without a slash at its end; an emulator's in tests.
    package var base: String

    /// - Parameters:
    ///   - project: 6 to 30 lower-case letters, digits and hyphens; an older one has a domain and a
    ///     colon before it.
    ///   - dataset: 1 to 1,024 letters, digits and underscores.
    package init(
        project: String, dataset: String, location: String? = nil, base: String = Self.googleBase
    ) {
        self.project = project
        self.dataset = dataset
        self.location = location
        self.base = base
    }

    /// Whether Google's rules allow the project's id (Resource Manager, "Project identifiers").
    package static func isProject(_ text: String) -> Bool {
        text.utf8.count <= 100
            && text.wholeMatch(of: /(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]/) != nil
    }

    /// Whether BigQuery's rules allow the dataset's name ("Name datasets").
    package static func isDataset(_ text: String) -> Bool {
        text.utf8.count <= 1_024 && text.wholeMatch(of: /[A-Za-z0-9_]+/) != nil
    }

    /// Whether it has the form of a location: `EU`, `US` or a region's name.
    package static func isLocation(_ text: String) -> Bool {
        text.utf8.count <= 64 && text.wholeMatch(of: /[A-Za-z][A-Za-z0-9-]*/) != nil
    }

    /// A table's name as SQL takes it.
    func quoted(_ table: String) -> String { "`\(project).\(dataset).\(table)`" }
}
