import Bridges
import Foundation
import Vocabulary
package import Warehouse

/// How BigQuery is reached, and which datasets there are the warehouse.
package struct BigQuerySettings: Sendable {
    /// nil where BigQuery is not used.
    package var project: String?
    /// Where our tables go.
    package var dataset = "tillbox"
    /// Where those go that have the shape of Fivetran's Stripe source.
    package var stripeDataset = "stripe"
    /// Where both datasets are; nil takes what they say.
    package var location: String?
    package var base = BigQueryPlace.googleBase
    /// Days of tables that are loaded at once.
    package var daysAtOnce = BigQueryLoad.daysAtOnce
    /// A service account's key; nil asks the metadata server of Google's machines.
    var keyFile: String?

    /// The two places, ours first.
    ///
    /// - Throws: ``SettingsError/missing(key:needs:example:)`` without a project.
    package func places() throws(SettingsError) -> [BigQueryPlace] {
        guard let project else {
            throw .missing(
                key: SettingsKey.bigQueryProject.rawValue, needs: "loading into BigQuery",
                example: "my-project")
        }
        return [dataset, stripeDataset].map {
            BigQueryPlace(project: project, dataset: $0, location: location, base: base)
        }
    }

    /// Where access tokens come from: the key file, else the metadata server, and none for an API
    /// on this machine, which is an emulator's.
    package func tokens() throws -> any BigQueryTokenSource {
        if let keyFile {
            return try ServiceAccountKey(
                Secret(try SettingsLoader.text(ofSecretFile: keyFile)), path: keyFile)
        }
        let host = URLComponents(string: base)?.host
        if let host, ["127.0.0.1", "localhost", "[::1]", "::1"].contains(host) {
            return NoBigQueryTokens()
        }
        return MetadataTokens()
    }
}

/// Tokens of the service account that a machine of Google's runs as.
struct MetadataTokens: BigQueryTokenSource {
    private let metadata: GoogleMetadata
    private let queue = BlockingQueue("tillbox.google.metadata")

    init(_ metadata: GoogleMetadata = GoogleMetadata()) { self.metadata = metadata }

    func newToken() async throws(BigQueryError) -> GoogleAccessToken? {
        let metadata = metadata
        do {
            return try await queue.run { () throws(GoogleMetadata.Failure) in
                try metadata.token()
            }
        } catch {
            throw .token(
                "\(error); elsewhere than on Google's machines name a service account's key with "
                    + "\(SettingsKey.bigQueryKeyFile.rawValue)")
        }
    }
}

extension SettingsLoader {
    func bigQuery() throws -> BigQuerySettings {
        var settings = BigQuerySettings()
        settings.project = try word(
            .bigQueryProject, "a project's id such as my-project", BigQueryPlace.isProject)
        let expected = "a dataset's name: letters, digits and underscores"
        settings.dataset =
            try word(.bigQueryDataset, expected, BigQueryPlace.isDataset) ?? settings.dataset
        settings.stripeDataset =
            try word(.bigQueryStripeDataset, expected, BigQueryPlace.isDataset)
            ?? settings.stripeDataset
        guard settings.dataset != settings.stripeDataset else {
            throw SettingsError.contradicts(
                key: SettingsKey.bigQueryStripeDataset.rawValue,
                reason: "bigquery.dataset is the same; the two shapes need one each")
        }
        settings.location = try word(
            .bigQueryLocation, "a location such as EU or europe-west3", BigQueryPlace.isLocation)
        settings.base = try bigQueryBase() ?? settings.base
        settings.keyFile = text(.bigQueryKeyFile)
        settings.daysAtOnce =
            try integer(.bigQueryDaysAtOnce, 1...BigQueryLoad.daysAtOnceMax)
            ?? settings.daysAtOnce
        return settings
    }

    private func word(
        _ key: SettingsKey, _ expected: String, _ isRight: (String) -> Bool
    ) throws -> String? {
        guard let value = text(key) else { return nil }
        guard isRight(value) else {
            throw SettingsError.badValue(key: key.rawValue, value: value, expected: expected)
        }
        return value
    }

    /// Over http a token would be read by everybody on the way.
    private func bigQueryBase() throws -> String? {
        guard var value = text(.bigQueryBase) else { return nil }
        while value.hasSuffix("/") { value.removeLast() }
        let isLocal =
            value.wholeMatch(of: /http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?/) != nil
        guard isLocal || value.wholeMatch(of: /https:\/\/[A-Za-z0-9.:-]+/) != nil else {
            throw SettingsError.badValue(
                key: SettingsKey.bigQueryBase.rawValue, value: value,
                expected: "an https address without a path, or http of an emulator on this "
                    + "machine (http://127.0.0.1:9050)")
        }
        return value
    }
}
