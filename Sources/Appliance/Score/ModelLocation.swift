internal import Foundation

/// Where a model comes from.
///
/// SwiftPM compiles `model/fraud.ubj` and `model/schema.json` into the binary (through the links in
/// `Resources`), so that a box needs no file beside it. The key `model.path` names another one.
package enum ModelLocation: Hashable, Sendable {
    /// The model this binary was built with.
    case embedded
    /// A `.ubj` file; its `schema.json` lies in the same folder, which may be a link.
    case file(path: String)

    static let schemaFileName = "schema.json"

    /// - Throws: any `ModelError` but `predictionFailed`; the daemon then refuses to start.
    package func load() throws(ModelError) -> FraudModel {
        switch self {
        case .embedded:
            return try FraudModel(
                model: PackageResources.fraud_ubj, schema: PackageResources.schema_json)
        case .file(let path):
            let file = URL(filePath: path)
            // A link that leads to the folder is followed once: while it is turned to another
            // candidate, both files are still of one.
            let folder = file.deletingLastPathComponent().resolvingSymlinksInPath()
            let modelPath = folder.appending(path: file.lastPathComponent).path
            let schemaPath = folder.appending(path: Self.schemaFileName).path
            guard FileManager.default.fileExists(atPath: modelPath) else {
                throw .unreadable(path: path)
            }
            return try FraudModel(
                model: Self.read(modelPath), schema: Self.read(schemaPath))
        }
    }

    private static func read(_ path: String) throws(ModelError) -> [UInt8] {
        guard let content = FileManager.default.contents(atPath: path) else {
            throw .unreadable(path: path)
        }
        return [UInt8](content)
    }
}
